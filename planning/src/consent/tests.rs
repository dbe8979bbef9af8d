//! Consent, as tables.

use crds::{DatabaseReferenceGrantSpec, ReferenceGrantFrom, ReferenceGrantTo};

use super::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn allowed(names: &[&str], selector: Option<&str>) -> AllowedNamespaces {
    AllowedNamespaces {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        selector: selector.map(|text| serde_json::from_str(text).unwrap()),
    }
}

#[test]
fn a_namespaced_instance_serves_only_itself_unless_it_names_others() {
    let instance = InstanceId::namespaced("platform", "pg");
    assert!(instance_serves(&instance, None, "platform", &labels(&[])).is_ok());
    assert!(instance_serves(&instance, None, "team", &labels(&[])).is_err());
    assert!(instance_serves(&instance, Some(&allowed(&["team"], None)), "team", &labels(&[])).is_ok());
    assert!(instance_serves(&instance, Some(&allowed(&["team"], None)), "tea", &labels(&[])).is_err());
    assert!(instance_serves(&instance, Some(&allowed(&[], None)), "platform", &labels(&[])).is_ok());
}

#[test]
fn a_cluster_instance_serves_all_unless_it_names_some() {
    let instance = InstanceId::cluster("pg");
    assert!(instance_serves(&instance, None, "team", &labels(&[])).is_ok());
    assert!(instance_serves(&instance, Some(&allowed(&[], None)), "team", &labels(&[])).is_err());
    assert!(instance_serves(&instance, Some(&allowed(&["team"], None)), "team", &labels(&[])).is_ok());
}

#[test]
fn a_selector_means_what_kubernetes_means_by_it() {
    let instance = InstanceId::cluster("pg");
    let serves = |selector: &str, given: &[(&str, &str)]| {
        instance_serves(&instance, Some(&allowed(&[], Some(selector))), "team", &labels(given)).is_ok()
    };
    assert!(serves("{}", &[]));
    assert!(serves(r#"{"matchLabels":{"tier":"gold"}}"#, &[("tier", "gold")]));
    assert!(!serves(r#"{"matchLabels":{"tier":"gold"}}"#, &[("tier", "silver")]));
    let expression = |operator: &str| {
        format!(r#"{{"matchExpressions":[{{"key":"tier","operator":"{operator}","values":["gold"]}}]}}"#)
    };
    for (operator, gold, silver, none) in [
        ("In", true, false, false),
        ("NotIn", false, true, true),
        ("Exists", true, true, false),
        ("DoesNotExist", false, false, true),
        ("Like", false, false, false),
    ] {
        assert_eq!(serves(&expression(operator), &[("tier", "gold")]), gold, "{operator}");
        assert_eq!(serves(&expression(operator), &[("tier", "silver")]), silver, "{operator}");
        assert_eq!(serves(&expression(operator), &[]), none, "{operator}");
    }
}

#[test]
fn a_selector_says_nothing_of_a_namespace_whose_labels_are_not_known() {
    let instance = InstanceId::cluster("pg");
    for selector in ["{}", r#"{"matchExpressions":[{"key":"tenant","operator":"DoesNotExist"}]}"#] {
        let allowed = allowed(&["named"], Some(selector));
        assert!(!instance_serves_by_name(&instance, Some(&allowed), "team"), "{selector}");
        assert!(instance_serves_by_name(&instance, Some(&allowed), "named"), "{selector}");
    }
    assert!(instance_serves_by_name(&instance, None, "team"));
}

#[test]
fn labels_are_fetched_only_where_they_decide() {
    let instance = InstanceId::namespaced("platform", "pg");
    let by_selector = allowed(&["named"], Some("{}"));
    assert!(needs_labels(&instance, Some(&by_selector), "team"));
    assert!(!needs_labels(&instance, Some(&by_selector), "named"));
    assert!(!needs_labels(&instance, Some(&by_selector), "platform"));
    assert!(!needs_labels(&instance, None, "team"));
}

fn grant(namespace: &str, from: (&str, Option<&str>), to: (&str, &str, Option<&str>)) -> DatabaseReferenceGrant {
    let mut grant = DatabaseReferenceGrant::new(
        "grant",
        DatabaseReferenceGrantSpec {
            from: vec![ReferenceGrantFrom {
                group: names::GROUP.to_owned(),
                kind: from.0.to_owned(),
                namespace: from.1.map(Into::into),
            }],
            to: vec![ReferenceGrantTo { group: to.0.to_owned(), kind: to.1.to_owned(), name: to.2.map(Into::into) }],
        },
    );
    grant.metadata.namespace = Some(namespace.to_owned());
    grant
}

#[test]
fn a_grant_covers_exactly_what_it_says() {
    let from = Referrer { kind: "DatabaseInstance", namespace: Some("a") };
    let to = Target { group: "", kind: "Secret", namespace: "b", name: "s" };
    let covers = |grant: DatabaseReferenceGrant| granted([&grant], from, to);
    assert!(covers(grant("b", ("DatabaseInstance", Some("a")), ("", "Secret", None))));
    assert!(covers(grant("b", ("DatabaseInstance", Some("a")), ("", "Secret", Some("s")))));
    assert!(!covers(grant("b", ("DatabaseInstance", Some("a")), ("", "Secret", Some("t")))));
    assert!(
        !covers(grant("a", ("DatabaseInstance", Some("a")), ("", "Secret", None))),
        "a grant gives only what is its own"
    );
    assert!(!covers(grant("b", ("DatabaseInstance", None), ("", "Secret", None))));
    assert!(!covers(grant("b", ("Database", Some("a")), ("", "Secret", None))));
    assert!(!covers(grant("b", ("DatabaseInstance", Some("a")), ("", "ConfigMap", None))));
    assert!(!covers(grant("b", ("DatabaseInstance", Some("a")), (names::GROUP, "Secret", None))));
}

#[test]
fn a_cluster_scoped_kind_can_be_granted() {
    let from = Referrer { kind: "ClusterDatabaseInstance", namespace: None };
    let to = Target { group: "", kind: "Secret", namespace: "b", name: "s" };
    assert!(granted([&grant("b", ("ClusterDatabaseInstance", None), ("", "Secret", None))], from, to));
}

#[test]
fn what_is_ones_own_needs_no_grant_and_the_refusal_does_not_tell_whether_it_exists() {
    let from = Referrer { kind: "DatabaseUser", namespace: Some("a") };
    let own = Target { group: "", kind: "Secret", namespace: "a", name: "s" };
    assert!(may_read([], from, own, "spec.existingPasswordSecret").is_ok());
    let other = Target { namespace: "b", ..own };
    let blocked = may_read([], from, other, "spec.existingPasswordSecret").unwrap_err();
    assert_eq!(blocked.reason, reason::CONSENT_MISSING);
    assert!(blocked.message.contains("DatabaseReferenceGrant"), "{blocked}");
}
