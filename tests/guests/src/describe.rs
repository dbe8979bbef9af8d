//! What the guest says of itself, and how it misbehaves while doing so: no import may be called here. One that lists
//! without an end says that it can be searched, so that somebody asks it.

use dbprovision_sdk::adapter::{BlockOwner, Description, EngineName, OperationGroup, OptionBlock};
use dbprovision_sdk::bindings::dbprovision::adapter::secrets;
use dbprovision_sdk::log::{self, Level};

use crate::Behaviour;
use crate::misbehave::{grow_in_steps, loop_for_ever};

pub(crate) fn describe() -> Description {
    let mut description = honest("{\"type\": \"object\", \"additionalProperties\": false}");
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others misbehave later")]
    match Behaviour::chosen() {
        Behaviour::LoopsWhileDescribing => loop_for_ever(),
        #[expect(clippy::panic, reason = "it is what this guest does")]
        Behaviour::PanicsWhileDescribing => panic!("it does not know what it is"),
        Behaviour::GrowsWhileDescribing => grow_in_steps(),
        Behaviour::LogsWhileDescribing => log::write(Level::Info, "nobody hears this"),
        Behaviour::AsksForSecretsWhileDescribing => {
            if let Ok(found) = secrets::instance_credentials() {
                description.adapter_version = found.username;
            }
        }
        Behaviour::DescribesAtLength => description.adapter_version = "1".repeat(10 << 20),
        Behaviour::DescribesTooMany => {
            let more = (0..100).map(|number| EngineName { name: format!("toy{number}"), aliases: Vec::new() });
            description.engines.extend(more);
        }
        Behaviour::ListsWithoutAnEnd => {
            description.groups.extend([OperationGroup::User, OperationGroup::Role, OperationGroup::Discovery]);
        }
        Behaviour::DescribesABrokenSchema => description = honest("{\"type\": "),
        Behaviour::ClaimsANameTwice => {
            description.engines.push(EngineName { name: "plaything".to_owned(), aliases: vec!["toy".to_owned()] });
        }
        _ => {}
    }
    description
}

fn honest(schema: &str) -> Description {
    Description {
        engines: vec![EngineName { name: "toy".to_owned(), aliases: Vec::new() }],
        adapter_version: "1.0.0".to_owned(),
        servers: Vec::new(),
        groups: vec![OperationGroup::Database],
        blocks: vec![OptionBlock {
            owner: BlockOwner::Database,
            block: "parameters".to_owned(),
            schema: schema.to_owned(),
        }],
        fields: Vec::new(),
        tools: Vec::new(),
        name_limits: Vec::new(),
    }
}
