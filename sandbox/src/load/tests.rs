//! Small adapters written as text, for every behaviour that the sandbox must survive.
//!
//! A core module with all exports of the contract is generated from `wit/`; a test says what some of them do, the rest
//! traps. Answers are laid out by hand at fixed addresses.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Resolve, WorldItem};

use super::*;
use crate::engine::SandboxConfig;

/// Where the description lies.
const DESCRIPTION: u32 = 1024;
/// Where an answer `ok` without a value lies: all zeros.
pub(crate) const OK: u32 = 2048;
/// Where the answer of `connect` lies.
pub(crate) const SERVER: u32 = 4096;
/// Where an error lies whose message and detail are [`ERROR_TEXT`].
pub(crate) const ERROR: u32 = 5120;
/// A host call may leave its answer here.
pub(crate) const SCRATCH: u32 = 6144;
const TEXTS: u32 = 8192;
const ERROR_TEXT: &str = "the password is hunter2-hunter2, really";

/// What the exports of a test's adapter do: the name as in `ping` or `connection#ping`, and a function body.
#[derive(Default)]
pub(crate) struct Script {
    bodies: BTreeMap<String, String>,
    imports: String,
    memory: String,
    description_name: Option<String>,
}

impl Script {
    /// Adds what every useful adapter has: a `connect` that opens a stream.
    pub(crate) fn connecting() -> Self {
        Self::default()
            .import("net", "connect", "(param i32 i32 i32)")
            .body(
                "connection#connect",
                &format!(
                    "(call $connect (i32.const {TEXTS}) (i32.const 7) (i32.const {SCRATCH})) (i32.const {SERVER})"
                ),
            )
            .body("connection#close", "")
    }

    pub(crate) fn body(mut self, export: &str, body: &str) -> Self {
        self.bodies.insert(export.to_owned(), body.to_owned());
        self
    }

    pub(crate) fn import(self, interface: &str, function: &str, signature: &str) -> Self {
        let name = function.rsplit('.').next().unwrap();
        self.named_import(interface, function, name, signature)
    }

    pub(crate) fn named_import(mut self, interface: &str, function: &str, name: &str, signature: &str) -> Self {
        writeln!(
            self.imports,
            "(import \"dbprovision:adapter/{interface}@0.1.0\" \"{function}\" (func ${name} {signature}))"
        )
        .unwrap();
        self
    }

    fn memory(mut self, memory: &str) -> Self {
        self.memory = memory.to_owned();
        self
    }

    fn engine(mut self, name: &str) -> Self {
        self.description_name = Some(name.to_owned());
        self
    }

    /// The module's text with the metadata of the world, as a component.
    pub(crate) fn component(&self) -> Vec<u8> {
        self.component_of(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")))
    }

    /// The same for the world in this folder.
    fn component_of(&self, contract: &Path) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(contract).unwrap();
        let world = resolve.select_world(&[package], Some("database-adapter")).unwrap();
        let mut functions = String::new();
        for (key, item) in &resolve.worlds[world].exports {
            let WorldItem::Interface { id, .. } = item else { continue };
            let interface = resolve.name_world_key(key);
            for (name, function) in &resolve.interfaces[*id].functions {
                let signature = resolve.wasm_signature(AbiVariant::GuestExport, function);
                let types = |types: &[WasmType]| -> String {
                    types.iter().map(|one| if matches!(one, WasmType::I64) { " i64" } else { " i32" }).collect()
                };
                let short = format!("{}#{name}", interface.split(['/', '@']).nth(1).unwrap());
                let describe = format!("(i32.const {DESCRIPTION})");
                let body = match self.bodies.get(&short) {
                    Some(body) => body.as_str(),
                    None if name == "describe" => &describe,
                    None => "unreachable",
                };
                let results = if signature.results.is_empty() {
                    String::new()
                } else {
                    format!("(result{})", types(&signature.results))
                };
                writeln!(
                    functions,
                    "(func (export \"{interface}#{name}\") (param{}) {results} {body})",
                    types(&signature.params)
                )
                .unwrap();
            }
        }
        let name = self.description_name.as_deref().unwrap_or("mock");
        let memory = if self.memory.is_empty() { "(memory (export \"memory\") 20)" } else { &self.memory };
        let mut texts = format!("primary{ERROR_TEXT}");
        let name_at = TEXTS + u32::try_from(texts.len()).unwrap();
        texts.push_str(name);
        let text = format!(
            "(module {imports} {memory} (global $next (mut i32) (i32.const 65536))
            (data (i32.const {TEXTS}) \"{texts}\")
            (data (i32.const {DESCRIPTION}) \"{description}\")
            (data (i32.const {engine_at}) \"{engine}\")
            (data (i32.const {SERVER}) \"{server}\")
            (data (i32.const {ERROR}) \"{error}\")
            (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32)
              (global.get $next)
              (global.set $next (i32.and (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 7)) (i32.const -8))))
            {functions})",
            imports = self.imports,
            engine_at = DESCRIPTION + 256,
            // engines, adapter-version, and six empty lists.
            description = words(&[DESCRIPTION + 256, 1, name_at, u32::try_from(name.len()).unwrap(), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            engine = words(&[name_at, u32::try_from(name.len()).unwrap(), 0, 0]),
            // ok: version, identity, administrator, superuser.
            server = words(&[0, TEXTS, 7, TEXTS, 7, TEXTS, 7, 1]),
            // err: conflict, message, detail.
            error = words(&[1, 5, 0, 0, TEXTS + 7, u32::try_from(ERROR_TEXT.len()).unwrap(), TEXTS + 7, u32::try_from(ERROR_TEXT.len()).unwrap()]),
        );
        let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        wit_component::embed_component_metadata(&mut module, &resolve, world, wit_component::StringEncoding::UTF8)
            .unwrap();
        let encoder = wit_component::ComponentEncoder::default().validate(true).module(&module).unwrap();
        let mut encoder = encoder;
        encoder.encode().unwrap()
    }
}

/// Little-endian words as a WAT string.
fn words(words: &[u32]) -> String {
    let bytes = words.iter().flat_map(|word| word.to_le_bytes());
    bytes.fold(String::new(), |mut text, byte| {
        write!(text, "\\{byte:02x}").unwrap();
        text
    })
}

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new(&SandboxConfig { guests: 8, ..SandboxConfig::default() }).unwrap()
}

pub(crate) fn everything() -> Grant {
    Grant::full([])
}

type Expected = fn(&CallError) -> bool;

async fn refusal(bytes: Vec<u8>, grant: &Grant) -> LoadError {
    sandbox().load(bytes, grant, None).await.unwrap_err()
}

#[tokio::test]
async fn a_good_component_is_loaded_and_described() {
    let bytes = Script::connecting().component();
    let digest = Digest::of(&bytes);
    let adapter = sandbox().load(bytes, &everything(), Some(digest)).await.unwrap();
    assert_eq!(adapter.digest(), digest);
    assert_eq!(adapter.contract_version(), "0.1.0");
    assert_eq!(adapter.description().engines[0].name, "mock");
    assert!(adapter.tools().is_empty());
}

#[tokio::test]
async fn other_bytes_than_asked_for_are_not_looked_at() {
    let refused = sandbox().load(b"garbage".to_vec(), &everything(), Some(Digest::of(b""))).await.unwrap_err();
    assert!(matches!(refused, LoadError::WrongDigest { .. }), "{refused}");
}

#[tokio::test]
async fn garbage_and_core_modules_are_refused_by_what_they_are() {
    for bytes in [b"".to_vec(), b"garbage".to_vec(), b"\0asm".to_vec(), b"\0asm\x0d\0\x01\0\xff\xff".to_vec()] {
        let refused = refusal(bytes, &everything()).await;
        assert!(matches!(refused, LoadError::Malformed { .. }), "{refused}");
    }
    let module = wat::parse_str("(module)").unwrap();
    assert!(matches!(refusal(module, &everything()).await, LoadError::CoreModule(_)));
}

#[tokio::test]
async fn a_forbidden_import_is_refused_by_name() {
    for import in [
        "wasi:filesystem/types@0.2.0",
        "wasi:sockets/tcp@0.2.0",
        "wasi:clocks/wall-clock@0.2.0",
        "dbprovision:adapter/files@0.1.0",
        "dbprovision:adapter/net@0.2.0",
        "dbprovision:adapter/net@1.0.0",
        "evil:adapter/net@0.1.0",
    ] {
        let component = wat::parse_str(format!("(component (import \"{import}\" (instance)))")).unwrap();
        let refused = refusal(component, &everything()).await;
        assert!(
            matches!(&refused, LoadError::ForbiddenImport { import: named, .. } if named == import),
            "{import}: {refused}"
        );
    }
    let bare = wat::parse_str("(component (import \"escape\" (func)))").unwrap();
    assert!(matches!(refusal(bare, &everything()).await, LoadError::ForbiddenImport { .. }));
}

#[tokio::test]
async fn an_import_that_was_not_granted_is_refused_by_name() {
    let refused = refusal(Script::connecting().component(), &Grant::default()).await;
    assert!(
        matches!(&refused, LoadError::UngrantedImport { import, .. } if import == "dbprovision:adapter/net@0.1.0"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_component_without_the_contracts_exports_is_refused() {
    let refused = refusal(wat::parse_str("(component)").unwrap(), &everything()).await;
    assert!(
        matches!(&refused, LoadError::MissingExport { export, .. } if export == "dbprovision:adapter/describe@0.1"),
        "{refused}"
    );
}

#[tokio::test]
async fn an_import_of_another_type_is_refused() {
    let component = wat::parse_str(
        "(component (import \"dbprovision:adapter/clock@0.1.0\" (instance (export \"now\" (func (param \"zone\" string))))))",
    );
    assert!(matches!(
        refusal(component.unwrap(), &everything()).await,
        LoadError::MissingExport { .. } | LoadError::Mismatch { .. }
    ));
}

#[tokio::test]
async fn an_export_of_another_type_is_refused_as_what_it_is() {
    // As an adapter that was built for an older contract has it.
    let older = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).unwrap() {
        let file = file.unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap().replace("shared-roles: list<string>,", "");
        std::fs::write(older.path().join(file.file_name()), text).unwrap();
    }
    let refused = refusal(Script::connecting().component_of(older.path()), &everything()).await;
    assert!(matches!(&refused, LoadError::Mismatch { reason, .. } if reason.contains("type mismatch")), "{refused}");
}

#[tokio::test]
async fn describing_may_not_call_trap_loop_or_eat_memory() {
    let calls = Script::default()
        .import("clock", "now", "(result i64)")
        .body("describe#describe", "(drop (call $now)) unreachable");
    let grows = "(loop (br_if 0 (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) unreachable";
    let cases: [(Script, Expected); 4] = [
        (calls, |error| matches!(error, CallError::Trapped { message } if message.contains("clock.now"))),
        (Script::default().body("describe#describe", "unreachable"), |error| {
            matches!(error, CallError::Trapped { .. })
        }),
        (Script::default().body("describe#describe", "(loop (br 0)) unreachable"), |error| {
            matches!(error, CallError::OutOfTime(_))
        }),
        (Script::default().body("describe#describe", grows), |error| matches!(error, CallError::MemoryLimit(_))),
    ];
    for (script, expected) in cases {
        let refused = refusal(script.component(), &everything()).await;
        assert!(matches!(&refused, LoadError::Describe { source, .. } if expected(source)), "{refused:?}");
    }
}

#[tokio::test]
async fn a_description_out_of_bounds_or_absurd_is_refused() {
    let out_of_bounds = Script::default().body("describe#describe", "(i32.const -16)");
    assert!(matches!(refusal(out_of_bounds.component(), &everything()).await, LoadError::Describe { .. }));
    let absurd = refusal(Script::default().engine("Not A Name").component(), &everything()).await;
    assert!(matches!(&absurd, LoadError::BadDescription { reason, .. } if reason.contains("Not A Name")), "{absurd}");
}

#[tokio::test]
async fn more_memory_than_any_guest_may_have_is_refused() {
    let greedy = Script::default().memory("(memory (export \"memory\") 3000)").component();
    let refused = refusal(greedy, &everything()).await;
    assert!(matches!(refused, LoadError::Compile { .. } | LoadError::Mismatch { .. }), "{refused}");
}

#[tokio::test]
async fn memory_that_only_a_sweep_may_have_is_refused_to_a_guest_that_serves_none() {
    let greedy = Script::default().memory("(memory (export \"memory\") 1000)").component();
    let refused = refusal(greedy, &everything()).await;
    let LoadError::Describe { source, .. } = &refused else { panic!("{refused}") };
    assert!(matches!(**source, CallError::MemoryLimit(_)), "{source}");
}

#[tokio::test]
async fn compiled_code_is_kept_in_the_directory_that_the_operator_names() {
    let directory = tempfile::tempdir().unwrap();
    let config =
        SandboxConfig { guests: 2, cache_directory: Some(directory.path().join("cache")), ..SandboxConfig::default() };
    let component = Script::connecting().component();
    let kept = || {
        let entries = std::fs::read_dir(directory.path().join("cache")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    for before in [false, true] {
        let sandbox = Sandbox::new(&config).unwrap();
        assert_eq!(sandbox.has_compiled(&component), before);
        sandbox.load(component.clone(), &everything(), None).await.unwrap();
        assert_eq!(kept().len(), 1);
    }
    // What is of no use there is made anew: an older version's, and what a full disk left of one.
    for broken in [&b"\0asm"[..], b""] {
        std::fs::remove_file(&kept()[0]).unwrap();
        let sandbox = Sandbox::new(&config).unwrap();
        sandbox.load(component.clone(), &everything(), None).await.unwrap();
        let [path] = kept().try_into().unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, broken).unwrap();
        let sandbox = Sandbox::new(&config).unwrap();
        sandbox.load(component.clone(), &everything(), None).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }
}

#[tokio::test]
async fn the_default_sandbox_fits_into_a_small_operator() {
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/statm").unwrap();
        status.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    };
    let before = resident();
    let sandbox = Sandbox::new(&SandboxConfig::default()).unwrap();
    let grown = resident().saturating_sub(before);
    // Other tests run beside this one; the pools themselves take some hundred kilobytes.
    assert!(grown < 64 << 20, "{grown} bytes");
    sandbox.load(Script::connecting().component(), &everything(), None).await.unwrap();
    println!("a sandbox for {} guests: {} kB", SandboxConfig::default().guests, grown / 1024);
}
