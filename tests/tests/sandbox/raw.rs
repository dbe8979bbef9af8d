//! Guests written as text: what the types of the SDK make impossible, done by hand below them.
//!
//! A module with all exports of the contract is made from `wit/`. It dials when it is told to connect, asks about
//! nothing, and misbehaves like the guests of the crate: where it is asked about the database of that name.

use std::fmt::Write as _;

use hostile_guests::MISBEHAVE;
use testkit::workspace;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Resolve, WorldItem};

use crate::trial::Component;

/// Where answers and texts lie in the guest's memory.
const DESCRIPTION: u32 = 1024;
const ENGINE: u32 = 1280;
const TRUE: u32 = 2048;
const SERVER: u32 = 2304;
const TEXT: u32 = 3072;
/// Where the host leaves the answer of `connect`; the handle is its second word.
const CONNECTED: u32 = 4096;
/// Where the host leaves other answers.
const SCRATCH: u32 = 5120;
/// Where an error lies that a guest makes up.
const ERROR: u32 = 6144;

const NET: &str = "dbprovision:adapter/net@0.1.0";
const SECRETS: &str = "dbprovision:adapter/secrets@0.1.0";
const CLOCK: &str = "dbprovision:adapter/clock@0.1.0";

/// What a guest does wrong, below the types.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Raw {
    /// Makes its table larger and larger.
    GrowsATable,
    /// Loops before anything is called.
    LoopsAtItsStart,
    /// Reads from a handle that it dropped.
    UsesADroppedHandle,
    /// Drops a handle twice.
    DropsAHandleTwice,
    /// Reads from a handle that it never had.
    GuessesAHandle,
    /// Reads from a secret as if it were a stream.
    TakesASecretForAStream,
    /// Answers with a text that is no UTF-8.
    AnswersBrokenText,
    /// Answers with an error of a kind that does not exist.
    AnswersAnUnknownKind,
    /// Answers with neither a success nor a failure.
    AnswersNeither,
    /// Answers with an address outside its memory.
    AnswersFromNowhere,
    /// Answers with a text that goes beyond its memory.
    AnswersBeyondItsMemory,
    /// Sends more than it has.
    WritesBeyondItsMemory,
    /// Wants the host's answer outside its memory.
    WantsTheAnswerNowhere,
    /// Has no room for what the host gives it, and says that it has.
    AllocatesNowhere,
    /// Looks for room without an end.
    AllocatesForEver,
    /// Calls the host while the host asks it for room.
    CallsWhileAllocating,
}

impl Component for Raw {
    fn component(self) -> Vec<u8> {
        self.text().component()
    }
}

impl Raw {
    fn text(self) -> Text {
        let handle = format!("(i32.load (i32.const {}))", CONNECTED + 4);
        let read = |handle: &str| format!("(call $try-read {handle} (i32.const 10) (i32.const {SCRATCH}))");
        let drop = format!("(call $drop-connection {handle})");
        let error = |words: [u32; 8]| {
            let stores = words.iter().zip((ERROR..).step_by(4));
            let stores =
                stores.map(|(word, at)| format!("(i32.store (i32.const {at}) (i32.const {}))", word.cast_signed()));
            stores.collect::<String>() + &format!("(return (i32.const {ERROR}))")
        };
        let ask = format!("(global.set $hostile (i32.const 1)) (call $instance-credentials (i32.const {SCRATCH}))");
        match self {
            Self::GrowsATable => Text {
                parts: "(table $table 1 funcref)".to_owned(),
                ..Text::doing("(loop (drop (table.grow $table (ref.null func) (i32.const 1000))) (br 0))")
            },
            Self::LoopsAtItsStart => {
                Text { parts: "(func $start (loop (br 0))) (start $start)".to_owned(), ..Text::default() }
            }
            Self::UsesADroppedHandle => Text::doing(&(drop + &read(&handle))),
            Self::DropsAHandleTwice => Text::doing(&(drop.clone() + &drop)),
            Self::GuessesAHandle => Text::doing(&read(&format!("(i32.add {handle} (i32.const 7))"))),
            Self::TakesASecretForAStream => {
                let secret = format!("(i32.load (i32.const {}))", SCRATCH + 12);
                Text::doing(&(format!("(call $instance-credentials (i32.const {SCRATCH}))") + &read(&secret)))
            }
            // A failure of the kind `conflict`; the message is at the fifth word.
            Self::AnswersBrokenText => Text::doing(&error([1, 5, 0, 0, TEXT + 32, 3, TEXT, 0])),
            Self::AnswersAnUnknownKind => Text::doing(&error([1, 200, 0, 0, TEXT, 0, TEXT, 0])),
            Self::AnswersNeither => Text::doing(&error([7, 0, 0, 0, 0, 0, 0, 0])),
            Self::AnswersFromNowhere => Text::doing("(return (i32.const -16))"),
            Self::AnswersBeyondItsMemory => Text::doing(&error([1, 5, 0, 0, TEXT, u32::MAX, TEXT, 0])),
            Self::WritesBeyondItsMemory => {
                Text::doing(&format!("(call $write {handle} (i32.const 16) (i32.const -1) (i32.const {SCRATCH}))"))
            }
            Self::WantsTheAnswerNowhere => {
                Text::doing(&format!("(call $try-read {handle} (i32.const 1) (i32.const -4))"))
            }
            Self::AllocatesNowhere => Text { room: "(return (i32.const -16))".to_owned(), ..Text::doing(&ask) },
            Self::AllocatesForEver => Text { room: "(loop (br 0))".to_owned(), ..Text::doing(&ask) },
            Self::CallsWhileAllocating => Text { room: "(drop (call $monotonic))".to_owned(), ..Text::doing(&ask) },
        }
    }
}

/// A guest as text. The default is honest.
pub(crate) struct Text {
    /// What it does when it is asked about the database.
    body: String,
    /// What it does when the host asks it for room, once `$hostile` is set.
    room: String,
    /// Further parts of the module.
    parts: String,
    /// Its memory, in pages.
    pages: u32,
    /// A passage of the contract, and what this guest has instead.
    instead: (&'static str, &'static str),
}

impl Default for Text {
    fn default() -> Self {
        Self { body: String::new(), room: String::new(), parts: String::new(), pages: 2, instead: ("", "") }
    }
}

impl Text {
    fn doing(body: &str) -> Self {
        Self { body: body.to_owned(), ..Self::default() }
    }

    /// An honest guest, built by a contract that has another passage in this one's place.
    pub(crate) fn by_another_contract(passage: &'static str, another: &'static str) -> Self {
        Self { instead: (passage, another), ..Self::default() }
    }

    /// An honest guest with so many pages of memory.
    pub(crate) fn with_memory(pages: u32) -> Self {
        Self { pages, ..Self::default() }
    }

    /// The guest as a component.
    pub(crate) fn component(&self) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let (from, to) = self.instead;
        let contract = if from.is_empty() { contract() } else { contract().replace(from, to) };
        let package = resolve.push_source("contract.wit", &contract).unwrap();
        let world = resolve.select_world(&[package], Some("database-adapter")).unwrap();
        let mut functions = String::new();
        for (key, item) in &resolve.worlds[world].exports {
            let WorldItem::Interface { id, .. } = item else { continue };
            let interface = resolve.name_world_key(key);
            for (name, function) in &resolve.interfaces[*id].functions {
                let signature = resolve.wasm_signature(AbiVariant::GuestExport, function);
                let parameters = words_of(&signature.params);
                let results = words_of(&signature.results);
                let body = self.body_of(interface.split(['/', '@']).nth(1).unwrap(), name);
                writeln!(
                    functions,
                    "(func (export \"{interface}#{name}\") (param{parameters}) (result{results}) {body})"
                )
                .unwrap();
            }
        }
        let mut module = wat::parse_str(self.module(&functions)).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
    }

    fn body_of(&self, interface: &str, name: &str) -> String {
        match (interface, name) {
            ("describe", "describe") => format!("(i32.const {DESCRIPTION})"),
            ("connection", "connect") => {
                format!(
                    "(call $connect (i32.const {TEXT}) (i32.const 7) (i32.const {CONNECTED}))
                     (if (i32.load8_u (i32.const {CONNECTED})) (then unreachable)) (i32.const {SERVER})"
                )
            }
            // All zeros: a success that says nothing.
            ("connection", "ping") => format!("(i32.const {})", TRUE + 64),
            ("connection", "close") => String::new(),
            ("database-operations", "exists") => format!(
                "(if (i32.eq (local.get 1) (i32.const {})) (then {})) (i32.const {TRUE})",
                MISBEHAVE.len(),
                self.body
            ),
            _ => "unreachable".to_owned(),
        }
    }

    fn module(&self, functions: &str) -> String {
        let Self { room, parts, pages, body: _, instead: (from, _) } = self;
        // A guest of another contract imports nothing but what the types of its exports need.
        let imports = if from.is_empty() { imports() } else { String::new() };
        let connect = if from.is_empty() { "" } else { "(func $connect (param i32 i32 i32))" };
        let texts = format!("{:<32}\\ff\\fe\\fd", "primary, toy");
        format!(
            "(module {imports} {connect} (memory (export \"memory\") {pages}) {parts}
            (global $next (mut i32) (i32.const 65536)) (global $hostile (mut i32) (i32.const 0))
            (data (i32.const {TEXT}) \"{texts}\")
            (data (i32.const {DESCRIPTION}) \"{description}\") (data (i32.const {ENGINE}) \"{engine}\")
            (data (i32.const {TRUE}) \"{yes}\") (data (i32.const {SERVER}) \"{server}\")
            (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32)
              (if (global.get $hostile) (then {room}))
              (global.get $next)
              (global.set $next (i32.and (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 7)) (i32.const -8))))
            {functions})",
            // One engine, a version, and six empty lists.
            description = data(&[ENGINE, 1, TEXT + 9, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            engine = data(&[TEXT + 9, 3, 0, 0]),
            yes = data(&[0, 1]),
            // A success: version, identity, administrator, and whether it is a superuser.
            server = data(&[0, TEXT, 7, TEXT, 7, TEXT, 7, 1]),
        )
    }
}

/// All of `wit/` as one text; the file that names the package comes first.
fn contract() -> String {
    let folder = workspace::root().join("wit");
    let mut texts = vec![std::fs::read_to_string(folder.join("world.wit")).unwrap()];
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "wit") && !path.ends_with("world.wit") {
            texts.push(std::fs::read_to_string(path).unwrap());
        }
    }
    texts.join("\n")
}

fn imports() -> String {
    [
        (NET, "connect", "$connect", "(param i32 i32 i32)"),
        (NET, "[resource-drop]connection", "$drop-connection", "(param i32)"),
        (NET, "[method]connection.try-read", "$try-read", "(param i32 i32 i32)"),
        (NET, "[method]connection.write", "$write", "(param i32 i32 i32 i32)"),
        (SECRETS, "instance-credentials", "$instance-credentials", "(param i32)"),
        (CLOCK, "monotonic", "$monotonic", "(result i64)"),
    ]
    .map(|(interface, function, name, signature)| {
        format!("(import \"{interface}\" \"{function}\" (func {name} {signature}))")
    })
    .concat()
}

fn words_of(types: &[WasmType]) -> String {
    types.iter().map(|one| if matches!(one, WasmType::I64) { " i64" } else { " i32" }).collect()
}

/// Little-endian words as the text format writes them.
fn data(words: &[u32]) -> String {
    words.iter().flat_map(|word| word.to_le_bytes()).fold(String::new(), |mut text, byte| {
        write!(text, "\\{byte:02x}").unwrap();
        text
    })
}
