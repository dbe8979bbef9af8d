//! Option blocks against the schema of the adapter that reads them, before anything is called.
//!
//! Decided here: each problem is told with the path of the field, and without the value, which may be anything.
//! Deliberately absent: what the values mean, which the adapter examines.

use std::fmt::Write as _;

use crds::names::OPTION_BLOCKS;
use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::{Location, LocationSegment};
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use sandbox::contract::{BlockOwner, Description};
use serde_json::Value;

/// A field that is not as the engine can take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where below the block, to be written after its own path: `.extensions[2].version`; empty: the block itself.
    pub path: String,
    /// What is wrong, as a sentence without its subject.
    pub problem: String,
}

/// More problems of one block help nobody.
const MOST_PROBLEMS: usize = 20;

/// The blocks of one adapter.
#[derive(Debug, Default)]
pub(crate) struct Blocks(Vec<Block>);

#[derive(Debug)]
struct Block {
    owner: BlockOwner,
    key: String,
    validator: Validator,
}

impl Blocks {
    /// Compiles the schemas; an error says which is broken.
    pub(crate) fn compile(description: &Description) -> Result<Self, String> {
        let blocks = description.blocks.iter().map(|block| {
            // Its key is also that of what the adapter tells in the status, where everything else is the operator's.
            if !OPTION_BLOCKS.contains(&block.block.as_str()) {
                let known = OPTION_BLOCKS.join(", ");
                return Err(format!("its block `{}` is none that a resource can have: {known}", block.block));
            }
            let broken = |reason: String| format!("the schema of its block `{}` is broken: {reason}", block.block);
            let schema: Value = serde_json::from_str(&block.schema).map_err(|error| broken(error.to_string()))?;
            let validator = jsonschema::options()
                .with_draft(Draft::Draft202012)
                .should_validate_formats(true)
                // A pattern comes from the adapter, its subject from a user: matching must take linear time.
                .with_pattern_options(PatternOptions::regex())
                .build(&schema)
                .map_err(|error| broken(error.to_string()))?;
            Ok(Block { owner: block.owner, key: block.block.clone(), validator })
        });
        blocks.collect::<Result<_, String>>().map(Self)
    }

    /// The key of the block that the engine reads of such a resource.
    pub(crate) fn key(&self, owner: BlockOwner) -> Option<&str> {
        self.0.iter().find(|block| block.owner == owner).map(|block| block.key.as_str())
    }

    /// What is wrong with a block that a resource states.
    pub(crate) fn validate(&self, engine: &str, owner: BlockOwner, key: &str, value: &Value) -> Vec<Problem> {
        let Some(block) = self.0.iter().find(|block| block.owner == owner && block.key == key) else {
            let instead = self.key(owner).map_or_else(String::new, |own| format!("; its options are in spec.{own}"));
            return vec![Problem {
                path: String::new(),
                problem: format!("is not read by the engine {engine}{instead}"),
            }];
        };
        block.validator.iter_errors(value).flat_map(|error| problems(&error)).take(MOST_PROBLEMS).collect()
    }
}

fn problems(error: &ValidationError<'_>) -> Vec<Problem> {
    let path = written(error.instance_path());
    let unexpected = |names: &[String]| {
        let unknown =
            |name: &String| Problem { path: member(&path, name), problem: "is not a known option".to_owned() };
        names.iter().map(unknown).collect()
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library words every other kind well enough")]
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected: names }
        | ValidationErrorKind::UnevaluatedProperties { unexpected: names } => unexpected(names),
        ValidationErrorKind::Required { property } => {
            vec![Problem {
                path: member(&path, property.as_str().unwrap_or_default()),
                problem: "is missing".to_owned(),
            }]
        }
        _ => vec![Problem { path, problem: error.masked_with("the value").to_string() }],
    }
}

/// The path in the notation of the API: names after dots, numbers in brackets.
fn written(location: &Location) -> String {
    let mut path = String::new();
    for segment in location {
        match segment {
            LocationSegment::Property(name) => path = member(&path, &name),
            // Writing to a String cannot fail.
            LocationSegment::Index(index) => _ = write!(path, "[{index}]"),
        }
    }
    path
}

fn member(path: &str, name: &str) -> String {
    let is_plain = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if is_plain { format!("{path}.{name}") } else { format!("{path}[{name:?}]") }
}

#[cfg(test)]
mod tests {
    use sandbox::contract::OptionBlock;
    use serde_json::json;

    use super::*;

    fn blocks() -> Blocks {
        let schema = json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["encoding"],
            "properties": {
                "encoding": { "type": "string", "enum": ["UTF8"] },
                "extensions": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "additionalProperties": false,
                        "properties": { "version": { "type": "string", "pattern": "^[0-9.]+$" } },
                    },
                },
            },
        });
        Blocks::compile(&description(&schema.to_string())).unwrap()
    }

    fn description(schema: &str) -> Description {
        Description {
            engines: Vec::new(),
            adapter_version: "1".to_owned(),
            servers: Vec::new(),
            groups: Vec::new(),
            blocks: vec![OptionBlock {
                owner: BlockOwner::Database,
                block: "postgres".to_owned(),
                schema: schema.to_owned(),
            }],
            fields: Vec::new(),
            tools: Vec::new(),
            name_limits: Vec::new(),
        }
    }

    fn told(value: &Value) -> Vec<String> {
        let problems = blocks().validate("postgres", BlockOwner::Database, "postgres", value);
        problems.into_iter().map(|Problem { path, problem }| format!("{path} {problem}")).collect()
    }

    #[test]
    fn a_good_block_has_no_problems() {
        assert!(told(&json!({ "encoding": "UTF8", "extensions": [{ "version": "1.1" }] })).is_empty());
    }

    #[test]
    fn problems_are_told_with_their_path_and_without_the_value() {
        let told = told(&json!({
            "collation": "hunter2",
            "extensions": [{}, { "version": "hunter2" }, { "names": 1 }],
        }));
        for start in [
            ".encoding is missing",
            ".collation is not a known option",
            ".extensions[1].version ",
            ".extensions[2].names is not a known option",
        ] {
            assert!(told.iter().any(|line| line.starts_with(start)), "{start} is missing in {told:?}");
        }
        assert!(!told.join(" ").contains("hunter2"), "{told:?}");
    }

    #[test]
    fn another_engines_block_is_refused_with_the_right_place() {
        let problems = blocks().validate("postgres", BlockOwner::Database, "mysql", &json!({}));
        assert_eq!(
            problems,
            [Problem {
                path: String::new(),
                problem: "is not read by the engine postgres; its options are in spec.postgres".to_owned(),
            }]
        );
    }

    #[test]
    fn a_broken_schema_refuses_the_adapter() {
        for schema in ["{", r#"{"type": 3}"#, r#"{"$ref": "https://example.org/schema.json"}"#] {
            let reason = Blocks::compile(&description(schema)).unwrap_err();
            assert!(reason.starts_with("the schema of its block `postgres` is broken: "), "{reason}");
        }
    }

    #[test]
    fn a_key_that_is_no_option_blocks_refuses_the_adapter() {
        for key in ["ownership", "conditions", "phase", "initSQL", "Postgres", ""] {
            let mut description = description("{}");
            key.clone_into(&mut description.blocks[0].block);
            let reason = Blocks::compile(&description).unwrap_err();
            assert!(reason.starts_with(&format!("its block `{key}` is none that a resource can have: ")), "{reason}");
        }
        for key in OPTION_BLOCKS {
            let mut description = description("{}");
            key.clone_into(&mut description.blocks[0].block);
            assert!(Blocks::compile(&description).is_ok(), "{key}");
        }
    }

    #[test]
    fn names_that_are_no_words_are_quoted_in_paths() {
        assert_eq!(member(".x", "a.b"), ".x[\"a.b\"]");
    }
}
