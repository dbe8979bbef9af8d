//! The described JSON Schema of an option block, as far as the suite reads it: its fields, and values of a wrong type.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// Every field of a block down to the second level, without positions: `options.schemas.name`.
pub(crate) fn fields(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, inner) in properties(schema, schema) {
        found.insert(format!("options.{name}"));
        for (below, _) in nested(schema, inner) {
            found.insert(format!("options.{name}.{below}"));
        }
    }
    found
}

/// For each field of the first level a value that it cannot have.
pub(crate) fn wrong_values(schema: &Value) -> Vec<(String, Value)> {
    let wrong = |inner: &Value| if takes_boolean(schema, inner) { json!("wrong") } else { json!(true) };
    properties(schema, schema).into_iter().map(|(name, inner)| (name.to_owned(), wrong(inner))).collect()
}

/// Whether every object of the block refuses fields that it does not know.
pub(crate) fn is_closed(schema: &Value) -> bool {
    let definitions = schema.get("$defs").and_then(Value::as_object).into_iter().flatten().map(|(_, one)| one);
    std::iter::once(schema)
        .chain(definitions)
        .filter(|one| one.get("properties").is_some())
        .all(|one| one.get("additionalProperties") == Some(&json!(false)))
}

fn properties<'schema>(root: &'schema Value, schema: &'schema Value) -> Vec<(&'schema str, &'schema Value)> {
    let fields = resolved(root, schema).get("properties").and_then(Value::as_object);
    fields.into_iter().flatten().map(|(name, inner)| (name.as_str(), inner)).collect()
}

/// The fields of an object, of the one of several forms that has some, or of a list's items.
fn nested<'schema>(root: &'schema Value, schema: &'schema Value) -> Vec<(&'schema str, &'schema Value)> {
    let schema = resolved(root, schema);
    let forms = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    let candidates = std::iter::once(schema).chain(forms).chain(schema.get("items"));
    candidates.flat_map(|one| properties(root, one)).collect()
}

fn resolved<'schema>(root: &'schema Value, schema: &'schema Value) -> &'schema Value {
    let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

fn takes_boolean(root: &Value, schema: &Value) -> bool {
    let schema = resolved(root, schema);
    match schema.get("type") {
        Some(Value::String(one)) => one == "boolean",
        Some(Value::Array(several)) => several.iter().any(|one| one == "boolean"),
        _ => false,
    }
}
