//! The text for people that is written beside what the operator manages, before the mark.

use crds::ResourceTrackingConfig;
use crds::names::reason;

use crate::{Blocked, Identity};

/// Fills in the instance's format; none where tracking is off. The mark is written either way.
pub fn comment(config: Option<&ResourceTrackingConfig>, ours: &Identity) -> Result<Option<String>, Blocked> {
    let default = ResourceTrackingConfig::default();
    let config = config.unwrap_or(&default);
    if !config.enabled {
        return Ok(None);
    }
    let mut text = String::new();
    let mut rest = config.comment_format.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        let (placeholder, after) = after
            .split_once("}}")
            .ok_or_else(|| malformed("a placeholder that begins with {{ does not end with }}"))?;
        text.push_str(match placeholder.trim() {
            ".Operator" => "db-provision-operator",
            ".Kind" => &ours.kind,
            ".Namespace" => &ours.namespace,
            ".Name" => &ours.name,
            unknown => {
                return Err(malformed(&format!(
                    "the placeholder {unknown:?} is unknown; known are .Operator, .Kind, .Namespace and .Name"
                )));
            }
        });
        rest = after;
    }
    text.push_str(rest);
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// What is recorded of the text that was written: nothing of the default one, which most objects have.
pub fn noted(written: Option<&str>, ours: &Identity) -> Option<String> {
    let written = written.unwrap_or_default();
    let default = comment(None, ours).ok().flatten();
    (default.as_deref() != Some(written)).then(|| written.to_owned())
}

fn malformed(problem: &str) -> Blocked {
    Blocked::invalid(reason::INVALID_SPEC, format!("spec.resourceTracking.commentFormat: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Identity {
        Identity {
            cluster: "c".into(),
            operator: "default".into(),
            kind: "Database".into(),
            namespace: "team".into(),
            name: "app".into(),
        }
    }

    fn with(format: &str) -> ResourceTrackingConfig {
        ResourceTrackingConfig { comment_format: format.into(), ..ResourceTrackingConfig::default() }
    }

    #[test]
    fn the_default_names_the_resource() {
        let text = comment(None, &ours()).unwrap();
        assert_eq!(text.as_deref(), Some("managed-by:db-provision-operator,cr:team/app"));
    }

    #[test]
    fn switched_off_there_is_no_text() {
        let off = ResourceTrackingConfig { enabled: false, ..ResourceTrackingConfig::default() };
        assert_eq!(comment(Some(&off), &ours()).unwrap(), None);
    }

    #[test]
    fn the_default_text_needs_no_record_and_none_has_one() {
        let default = comment(None, &ours()).unwrap();
        assert_eq!(noted(default.as_deref(), &ours()), None);
        assert_eq!(noted(Some("ours"), &ours()).as_deref(), Some("ours"));
        assert_eq!(noted(None, &ours()).as_deref(), Some(""));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for format in ["{{.Nope}}", "{{.Name"] {
            assert!(comment(Some(&with(format)), &ours()).unwrap_err().message.contains("commentFormat"));
        }
        assert_eq!(comment(Some(&with("{{ .Kind }}!")), &ours()).unwrap().as_deref(), Some("Database!"));
    }
}
