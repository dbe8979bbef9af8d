//! The adapter as a component: what it imports is what it may do.

use std::path::PathBuf;
use std::process::Command;

use wit_component::{ComponentEncoder, DecodedWasm};

#[test]
fn it_imports_our_interfaces_and_nothing_else() {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let arguments =
        ["build", "--quiet", "--profile", "guest", "-p", "engine-mysql", "--target", "wasm32-unknown-unknown"];
    let status = Command::new(env!("CARGO")).args(arguments).current_dir(&workspace).status().unwrap();
    assert!(status.success());
    let module = std::fs::read(workspace.join("target/wasm32-unknown-unknown/guest/engine_mysql.wasm")).unwrap();
    let component = ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap();

    let DecodedWasm::Component(resolve, world) = wit_component::decode(&component).unwrap() else {
        panic!("this is no component")
    };
    let world = &resolve.worlds[world];
    let name = |key| resolve.name_world_key(key);
    let mut imports: Vec<_> = world.imports.keys().map(name).collect();
    imports.sort();
    // `types` and `tools` hold types only: no function of theirs can be called.
    let expected = ["clock", "log", "net", "random", "secrets", "tools", "types"];
    for import in &imports {
        let interface = import.strip_prefix("dbprovision:adapter/").and_then(|rest| rest.strip_suffix("@0.1.0"));
        assert!(
            interface.is_some_and(|interface| expected.contains(&interface) || interface == "progress"),
            "{import}"
        );
    }
    let exports: Vec<_> = world.exports.keys().map(name).collect();
    assert_eq!(exports.len(), 9, "{exports:?}");
}
