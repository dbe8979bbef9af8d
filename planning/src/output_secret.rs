//! The Secret an application logs in with: what is in it, and whose it is.

use std::collections::BTreeMap;

use crds::names::label;
use crds::names::reason;
use crds::{PasswordConfig, SecretFormat, SecretTemplate};

use crate::Blocked;

/// Where the Secret goes and how it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSecret {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its type: `Opaque` unless stated.
    pub type_: String,
    /// Ours and the template's; ours win.
    pub labels: BTreeMap<String, String>,
    /// The template's.
    pub annotations: BTreeMap<String, String>,
}

/// Reads what the resource says about its Secret.
///
/// `owner` is the label that names the resource; `default_name` is used where the block is absent.
pub fn parse(
    stated: Option<&PasswordConfig>,
    namespace: &str,
    default_name: String,
    owner: (&'static str, &str),
) -> Result<OutputSecret, Blocked> {
    let template = stated.and_then(|config| config.secret_template.as_ref());
    if let Some(config) = stated {
        refuse_what_is_not_served(config)?;
    }
    let name = stated.map(|config| config.secret_name.clone()).filter(|name| !name.is_empty()).unwrap_or(default_name);
    if !crate::names::is_subdomain(&name) {
        return Err(Blocked::invalid(
            reason::INVALID_NAME,
            format!("spec.passwordSecret.secretName: {name:?} is not a name that a Secret can have"),
        ));
    }
    let type_ = template.map_or_else(|| SecretTemplate::default().type_, |template| template.type_.clone());
    if !is_for_logins(&type_) {
        return Err(Blocked::invalid(
            reason::INVALID_SPEC,
            format!(
                "spec.passwordSecret.secretTemplate.type: {type_:?} means something to the cluster itself; use \
                 \"Opaque\", \"kubernetes.io/basic-auth\", or a type of a domain of your own"
            ),
        ));
    }
    let mut labels = template.and_then(|template| template.labels.clone()).unwrap_or_default();
    labels.insert(label::MANAGED_BY.to_owned(), label::MANAGED_BY_VALUE.to_owned());
    // A label's value has at most 63 characters, a resource's name up to 253.
    if owner.1.len() <= 63 {
        labels.insert(owner.0.to_owned(), owner.1.to_owned());
    }
    Ok(OutputSecret {
        namespace: stated
            .and_then(|config| config.secret_namespace.clone())
            .filter(|stated| !stated.is_empty())
            .unwrap_or_else(|| namespace.to_owned()),
        name,
        type_,
        labels,
        annotations: template.and_then(|template| template.annotations.clone()).unwrap_or_default(),
    })
}

/// Types of the cluster's own make it act: it writes the token of a `ServiceAccount` into a Secret of such a type, and whoever
/// may name a Secret would get it.
fn is_for_logins(type_: &str) -> bool {
    let domain = type_.split_once('/').map(|(domain, _)| domain);
    let is_the_clusters = |domain: &str| domain == "kubernetes.io" || domain.ends_with(".kubernetes.io");
    type_ == "kubernetes.io/basic-auth" || !domain.is_some_and(is_the_clusters)
}

fn refuse_what_is_not_served(config: &PasswordConfig) -> Result<(), Blocked> {
    let refuse = |path: &str, instead: &str| {
        Err(Blocked::invalid(reason::NOT_YET_SERVED, format!("{path} is not yet served: {instead}")))
    };
    match config.format {
        SecretFormat::Kubernetes => {}
        SecretFormat::Vault | SecretFormat::ExternalSecrets => {
            return refuse("spec.passwordSecret.format", "use kubernetes");
        }
    }
    if config.secret_template.as_ref().is_some_and(|template| template.data.is_some()) {
        return refuse(
            "spec.passwordSecret.secretTemplate.data",
            "remove it; the Secret has the keys username, password, host and port",
        );
    }
    Ok(())
}

/// What an application needs to log in.
pub fn data(username: &str, password: &[u8], host: &str, port: u16) -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([
        ("username".to_owned(), username.as_bytes().to_vec()),
        ("password".to_owned(), password.to_vec()),
        ("host".to_owned(), host.as_bytes().to_vec()),
        ("port".to_owned(), port.to_string().into_bytes()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: (&str, &str) = (label::USER, "app-user");

    #[test]
    fn without_a_block_the_default_name_and_the_own_namespace_are_used() {
        let secret = parse(None, "team", "app-credentials".into(), OWNER).unwrap();
        assert_eq!((secret.namespace.as_str(), secret.name.as_str()), ("team", "app-credentials"));
        assert_eq!(secret.type_, "Opaque");
        assert_eq!(secret.labels[label::MANAGED_BY], label::MANAGED_BY_VALUE);
    }

    #[test]
    fn a_template_cannot_take_our_labels_away() {
        let mut config = PasswordConfig::named("s");
        let mine = BTreeMap::from([(label::MANAGED_BY.to_owned(), "me".to_owned()), ("x".into(), "y".into())]);
        config.secret_template = Some(SecretTemplate { labels: Some(mine), ..SecretTemplate::default() });
        let secret = parse(Some(&config), "team", String::new(), OWNER).unwrap();
        assert_eq!(secret.labels[label::MANAGED_BY], label::MANAGED_BY_VALUE);
        assert_eq!(secret.labels["x"], "y");
    }

    #[test]
    fn a_type_that_makes_the_cluster_act_is_refused() {
        let typed = |type_: &str| {
            let mut config = PasswordConfig::named("s");
            config.secret_template = Some(SecretTemplate { type_: type_.to_owned(), ..SecretTemplate::default() });
            parse(Some(&config), "team", String::new(), OWNER).map(|secret| secret.type_)
        };
        for fine in ["Opaque", "kubernetes.io/basic-auth", "servicebinding.io/postgresql", "notkubernetes.io/x"] {
            assert_eq!(typed(fine).unwrap(), fine);
        }
        for refused in ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token", "kubernetes.io/tls"] {
            assert!(typed(refused).unwrap_err().message.contains("secretTemplate.type"), "{refused}");
        }
    }

    #[test]
    fn what_is_not_served_is_refused_by_its_path() {
        let mut config = PasswordConfig::named("s");
        config.format = SecretFormat::Vault;
        assert!(parse(Some(&config), "t", String::new(), OWNER).unwrap_err().message.contains(".format"));
        let mut config = PasswordConfig::named("s");
        config.secret_template = Some(SecretTemplate { data: Some(BTreeMap::new()), ..SecretTemplate::default() });
        assert!(parse(Some(&config), "t", String::new(), OWNER).unwrap_err().message.contains(".data"));
        let config = PasswordConfig::named("Not A Name");
        assert_eq!(parse(Some(&config), "t", String::new(), OWNER).unwrap_err().reason, reason::INVALID_NAME);
    }
}
