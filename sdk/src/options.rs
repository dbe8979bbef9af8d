//! Reading an option block: JSON to the engine's own type, with the precise path of what does not fit.

use serde::de::DeserializeOwned;

use crate::types::OptionProblem;
use crate::{Error, Result};

/// Parses a block; an absent one is the type's default.
///
/// The type should refuse unknown fields, so that no stated value is ignored.
pub fn parse<T: DeserializeOwned + Default>(block: Option<&str>) -> Result<T> {
    let Some(text) = block else {
        return Ok(T::default());
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = match error.path().to_string().as_str() {
            "." => "options".to_owned(),
            index if index.starts_with('[') => format!("options{index}"),
            inside => format!("options.{inside}"),
        };
        // serde_json adds its position in the text, which means nothing to a person who wrote YAML.
        let problem = error.inner().to_string();
        let problem = problem.rsplit_once(" at line ").map_or(problem.as_str(), |(start, _)| start).to_owned();
        Error::invalid(vec![OptionProblem { path, problem }])
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::ErrorKind;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Block {
        limits: Vec<Limit>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its parsing is looked at")]
    struct Limit {
        count: u8,
    }

    fn path_of(text: &str) -> String {
        let error = parse::<Block>(Some(text)).unwrap_err();
        let ErrorKind::InvalidOptions(problems) = &error.kind else { panic!("{error:?}") };
        problems[0].path.clone()
    }

    #[test]
    fn a_problem_is_named_by_its_path() {
        assert_eq!(path_of(r#"{"limits":[{"count":1},{"count":-1}]}"#), "options.limits[1].count");
        assert_eq!(path_of(r#"{"limits":[{"count":1,"more":2}]}"#), "options.limits[0].more");
        assert_eq!(path_of("[1]"), "options[0]");
    }

    #[test]
    fn an_absent_block_is_the_default() {
        assert!(parse::<Block>(None).unwrap().limits.is_empty());
    }
}
