//! The bindings generated from `wit/`, once for every adapter. Nothing is added here.
#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::pedantic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::let_underscore_must_use,
    reason = "generated"
)]

wit_bindgen::generate!({
    world: "database-adapter",
    path: "../wit",
    pub_export_macro: true,
    default_bindings_module: "dbprovision_sdk::bindings",
    additional_derives: [PartialEq],
    additional_derives_ignore: ["companion-password", "credentials"],
});
