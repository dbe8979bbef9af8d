//! What a description must be before the host believes it.

use std::collections::BTreeSet;
use std::hash::Hash;

use crate::contract::{Description, FieldList, OptionBlock};

/// More than any engine has.
const MOST_ITEMS: usize = 64;

/// The longest schema, in bytes.
const LONGEST_SCHEMA: usize = 256 << 10;

/// Says what is wrong with the description.
pub(super) fn check(description: &Description) -> Result<(), String> {
    let Description { engines, adapter_version, servers, groups, blocks, fields, tools, name_limits } = description;
    for (what, count) in [
        ("engines", engines.len()),
        ("servers", servers.len()),
        ("groups", groups.len()),
        ("blocks", blocks.len()),
        ("fields", fields.len()),
        ("tools", tools.len()),
        ("name limits", name_limits.len()),
    ] {
        if count > MOST_ITEMS {
            return Err(format!("it names {count} {what}"));
        }
    }
    if engines.is_empty() {
        return Err("it names no engine".to_owned());
    }
    if adapter_version.is_empty() || adapter_version.len() > 64 {
        return Err("its version is missing or too long".to_owned());
    }
    let names: Vec<&str> = engines
        .iter()
        .flat_map(|engine| std::iter::once(&engine.name).chain(&engine.aliases))
        .map(String::as_str)
        .collect();
    for name in &names {
        check_word("engine", name)?;
    }
    check_unique("engine", names.iter())?;
    for server in servers {
        if !names.contains(&server.engine.as_str()) {
            return Err(format!("it names versions of `{}`, which is none of its engines", server.engine));
        }
    }
    check_unique("group", groups.iter().map(|group| *group as u8))?;
    for block in blocks {
        check_block(block)?;
    }
    check_unique("option block", blocks.iter().map(|block| (block.owner as u8, &block.block)))?;
    for list in fields {
        check_fields(list)?;
    }
    check_unique("field list", fields.iter().map(|list| list.owner as u8))?;
    for tool in tools {
        check_word("tool", &tool.id)?;
    }
    check_unique("tool", tools.iter().map(|tool| &tool.id))?;
    check_unique("name limit", name_limits.iter().map(|limit| limit.kind as u8))?;
    if name_limits.iter().any(|limit| limit.bytes == 0) {
        return Err("a name limit is zero".to_owned());
    }
    Ok(())
}

fn check_fields(list: &FieldList) -> Result<(), String> {
    if list.readable.len() > 1000 {
        return Err("it names too many readable fields".to_owned());
    }
    check_unique("readable field", list.readable.iter())
}

fn check_block(block: &OptionBlock) -> Result<(), String> {
    // A key of the resource's spec, in camel case.
    let is_key = block.block.len() <= 63
        && !block.block.is_empty()
        && block.block.chars().all(|letter| letter.is_ascii_alphanumeric());
    if !is_key {
        return Err(format!("`{}` is no name of an option block", shown(&block.block)));
    }
    if block.schema.len() > LONGEST_SCHEMA {
        return Err(format!("the schema of `{}` has {} bytes", block.block, block.schema.len()));
    }
    match serde_json::from_str::<serde_json::Value>(&block.schema) {
        Ok(serde_json::Value::Object(_)) => Ok(()),
        Ok(_) => Err(format!("the schema of `{}` is no JSON object", block.block)),
        Err(error) => Err(format!("the schema of `{}` is no JSON: {error}", block.block)),
    }
}

/// Names that become labels, file names and words in messages.
fn check_word(what: &str, word: &str) -> Result<(), String> {
    let is_good = (1..=63).contains(&word.len())
        && word.starts_with(|letter: char| letter.is_ascii_lowercase())
        && word.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_.".contains(letter));
    if is_good { Ok(()) } else { Err(format!("`{}` is no name of an {what}", shown(word))) }
}

fn shown(word: &str) -> String {
    word.chars().take(63).flat_map(char::escape_default).collect()
}

fn check_unique<T: Eq + Hash + Ord>(what: &str, items: impl Iterator<Item = T>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for item in items {
        if !seen.insert(item) {
            return Err(format!("it names an {what} twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{BlockOwner, EngineName, NameLimit, ObjectKind, OperationGroup, ServerVersion, ToolRequest};

    type Break = fn(&mut Description);

    fn good() -> Description {
        let text = str::to_owned;
        Description {
            engines: vec![EngineName { name: text("postgres"), aliases: vec![text("postgresql")] }],
            adapter_version: text("0.1.0"),
            servers: vec![ServerVersion { engine: text("postgres"), oldest: text("13"), newest: text("18") }],
            groups: vec![OperationGroup::Database],
            blocks: vec![OptionBlock { owner: BlockOwner::Database, block: text("postgres"), schema: text("{}") }],
            fields: vec![FieldList { owner: BlockOwner::Database, readable: vec![text("owner")] }],
            tools: vec![ToolRequest { id: text("pg_dump"), reason: text("dumps") }],
            name_limits: vec![NameLimit { kind: ObjectKind::Database, bytes: 63 }],
        }
    }

    #[test]
    fn a_sane_description_is_believed() {
        assert_eq!(check(&good()), Ok(()));
    }

    #[test]
    fn what_is_twice_missing_or_malformed_is_refused() {
        let broken: [(&str, Break); 12] = [
            ("no engine", |it| it.engines.clear()),
            ("upper case", |it| it.engines[0].name = "Postgres".to_owned()),
            ("alias twice", |it| it.engines[0].aliases.push("postgres".to_owned())),
            ("no version", |it| it.adapter_version.clear()),
            ("foreign engine", |it| it.servers[0].engine = "mysql".to_owned()),
            ("group twice", |it| it.groups.push(OperationGroup::Database)),
            ("block twice", |it| it.blocks.push(it.blocks[0].clone())),
            ("block name", |it| it.blocks[0].block = "../x".to_owned()),
            ("schema is no JSON", |it| it.blocks[0].schema = "{".to_owned()),
            ("schema is no object", |it| it.blocks[0].schema = "[]".to_owned()),
            ("tool twice", |it| it.tools.push(it.tools[0].clone())),
            ("limit of zero", |it| it.name_limits[0].bytes = 0),
        ];
        for (what, break_it) in broken {
            let mut description = good();
            break_it(&mut description);
            assert!(check(&description).is_err(), "{what}");
        }
    }
}
