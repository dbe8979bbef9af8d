//! What is refused before it runs, or while it says what it is.

use sandbox::{CallError, LoadError};

use crate::raw::Text;
use crate::trial::{Component, Trial};
use hostile_guests::Behaviour;

/// Bytes that are no adapter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unloadable {
    /// Nothing.
    Empty,
    /// A text.
    Garbage,
    /// The first half of an honest component.
    Half,
    /// An honest component with one byte turned in its middle.
    Damaged,
    /// A module that was not made into a component.
    CoreModule,
    /// More than the largest component has.
    Huge,
    /// It wants to open files.
    WantsFiles,
    /// It wants to open sockets.
    WantsSockets,
    /// It wants the operator's environment.
    WantsTheEnvironment,
    /// It wants to end the operator.
    WantsToExit,
    /// It wants something of somebody else's package.
    WantsAnotherPackage,
    /// It wants an interface of our package that does not exist.
    WantsAnotherInterface,
    /// It was built for a later contract.
    WantsAnotherVersion,
    /// It wants a function without a package.
    WantsAFunction,
    /// It lacks a part of the contract.
    LacksAnExport,
    /// A function of it takes something else than the contract says.
    HasAnotherType,
    /// Its memory is larger than any guest may have.
    WantsTooMuchMemory,
}

impl Component for Unloadable {
    fn component(self) -> Vec<u8> {
        let importing = |import: &str| wat::parse_str(format!("(component (import \"{import}\" (instance)))")).unwrap();
        match self {
            Self::Empty => Vec::new(),
            Self::Garbage => b"this is no component".to_vec(),
            Self::Half => {
                let mut bytes = Behaviour::Honest.component();
                bytes.truncate(bytes.len() / 2);
                bytes
            }
            Self::Damaged => {
                let mut bytes = Text::default().component();
                // The first byte after the header: the kind of the first section.
                bytes[8] = 0x7f;
                bytes
            }
            Self::CoreModule => wat::parse_str("(module)").unwrap(),
            Self::Huge => vec![0; (64 << 20) + 1],
            Self::WantsFiles => importing("wasi:filesystem/types@0.2.0"),
            Self::WantsSockets => importing("wasi:sockets/tcp@0.2.0"),
            Self::WantsTheEnvironment => importing("wasi:cli/environment@0.2.0"),
            Self::WantsToExit => importing("wasi:cli/exit@0.2.0"),
            Self::WantsAnotherPackage => importing("elsewhere:adapter/net@0.1.0"),
            Self::WantsAnotherInterface => importing("dbprovision:adapter/files@0.1.0"),
            Self::WantsAnotherVersion => {
                Text::by_another_contract("dbprovision:adapter@0.1.0", "dbprovision:adapter@0.2.0").component()
            }
            Self::WantsAFunction => wat::parse_str("(component (import \"escape\" (func)))").unwrap(),
            Self::LacksAnExport => Text::by_another_contract("export restore-operations;", "").component(),
            Self::HasAnotherType => Text::by_another_contract("ping: func()", "ping: func(again: u32)").component(),
            Self::WantsTooMuchMemory => Text::with_memory(3000).component(),
        }
    }
}

fn assert_malformed(refusal: &LoadError) {
    assert!(matches!(refusal, LoadError::Malformed { .. }), "{refusal}");
}

async fn assert_forbidden(trial: &Trial, expected: &str) {
    let refusal = trial.refusal().await;
    let LoadError::ForbiddenImport { import, digest: _ } = &refusal else { panic!("{refusal}") };
    assert_eq!(import, expected);
    assert!(refusal.to_string().contains(expected), "{refusal}");
}

pub(crate) async fn nothing_is_no_component(trial: &Trial) {
    assert_malformed(&trial.refusal().await);
}

pub(crate) async fn a_text_is_no_component(trial: &Trial) {
    assert_malformed(&trial.refusal().await);
}

pub(crate) async fn half_a_component_is_refused(trial: &Trial) {
    assert_malformed(&trial.refusal().await);
}

pub(crate) async fn a_damaged_component_is_refused(trial: &Trial) {
    let refusal = trial.refusal().await;
    assert!(matches!(refusal, LoadError::Malformed { .. } | LoadError::Compile { .. }), "{refusal}");
}

pub(crate) async fn a_core_module_is_told_from_a_component(trial: &Trial) {
    let refusal = trial.refusal().await;
    assert!(matches!(refusal, LoadError::CoreModule(_)), "{refusal}");
}

pub(crate) async fn what_is_too_large_is_not_parsed(trial: &Trial) {
    let refusal = trial.refusal().await;
    assert!(matches!(refusal, LoadError::TooLarge(_)), "{refusal}");
}

pub(crate) async fn files_are_refused_by_name(trial: &Trial) {
    assert_forbidden(trial, "wasi:filesystem/types@0.2.0").await;
}

pub(crate) async fn sockets_are_refused_by_name(trial: &Trial) {
    assert_forbidden(trial, "wasi:sockets/tcp@0.2.0").await;
}

pub(crate) async fn the_environment_is_refused_by_name(trial: &Trial) {
    assert_forbidden(trial, "wasi:cli/environment@0.2.0").await;
}

pub(crate) async fn exiting_is_refused_by_name(trial: &Trial) {
    assert_forbidden(trial, "wasi:cli/exit@0.2.0").await;
}

pub(crate) async fn another_package_is_refused_by_name(trial: &Trial) {
    assert_forbidden(trial, "elsewhere:adapter/net@0.1.0").await;
}

pub(crate) async fn an_unknown_interface_is_refused_by_name(trial: &Trial) {
    assert_forbidden(trial, "dbprovision:adapter/files@0.1.0").await;
}

pub(crate) async fn a_later_contract_is_refused_by_name(trial: &Trial) {
    let refusal = trial.refusal().await;
    let LoadError::ForbiddenImport { import, digest: _ } = &refusal else { panic!("{refusal}") };
    assert!(import.starts_with("dbprovision:adapter/") && import.ends_with("@0.2.0"), "{import}");
}

pub(crate) async fn a_function_without_a_package_is_refused_by_name(trial: &Trial) {
    assert_forbidden(trial, "escape").await;
}

pub(crate) async fn a_missing_export_is_named(trial: &Trial) {
    let refusal = trial.refusal().await;
    let LoadError::MissingExport { export, digest: _ } = &refusal else { panic!("{refusal}") };
    assert_eq!(export, "dbprovision:adapter/restore-operations@0.1");
}

pub(crate) async fn an_export_of_another_type_is_refused(trial: &Trial) {
    let refusal = trial.refusal().await;
    let LoadError::Mismatch { reason, digest: _ } = &refusal else { panic!("{refusal}") };
    assert!(reason.contains("type mismatch"), "{reason}");
}

pub(crate) async fn too_large_a_memory_is_refused_before_anything_runs(trial: &Trial) {
    let refusal = trial.refusal().await;
    assert!(matches!(refusal, LoadError::Compile { .. } | LoadError::Mismatch { .. }), "{refusal}");
}

/// The error of a guest that failed to describe itself.
async fn failure(trial: &Trial) -> CallError {
    let refusal = trial.refusal().await;
    let LoadError::Describe { source, digest: _ } = refusal else { panic!("{refusal}") };
    *source
}

async fn assert_disbelieved(trial: &Trial, expected: &str) {
    let refusal = trial.refusal().await;
    let LoadError::BadDescription { reason, digest: _ } = &refusal else { panic!("{refusal}") };
    assert!(reason.contains(expected), "{reason}");
}

pub(crate) async fn a_loop_before_the_first_call_is_ended(trial: &Trial) {
    let failure = failure(trial).await;
    assert!(matches!(failure, CallError::OutOfTime(_)), "{failure}");
}

pub(crate) async fn a_loop_in_describe_is_ended(trial: &Trial) {
    let failure = failure(trial).await;
    assert!(matches!(failure, CallError::OutOfTime(_)), "{failure}");
}

pub(crate) async fn a_panic_in_describe_is_a_refusal(trial: &Trial) {
    let failure = failure(trial).await;
    assert!(matches!(failure, CallError::Trapped { .. }), "{failure}");
}

pub(crate) async fn describe_has_no_more_memory_than_a_call(trial: &Trial) {
    let failure = failure(trial).await;
    assert!(matches!(failure, CallError::MemoryLimit(_)), "{failure}");
}

pub(crate) async fn describe_may_not_log(trial: &Trial) {
    let failure = failure(trial).await;
    assert!(matches!(&failure, CallError::Trapped { message } if message.contains("log.write")), "{failure}");
}

pub(crate) async fn describe_may_not_ask_for_secrets(trial: &Trial) {
    let failure = failure(trial).await;
    let message = failure.to_string();
    assert!(matches!(failure, CallError::Trapped { .. }), "{message}");
    assert!(message.contains("secrets.instance-credentials"), "{message}");
}

pub(crate) async fn a_description_of_ten_megabytes_is_too_much(trial: &Trial) {
    let failure = failure(trial).await;
    assert!(matches!(failure, CallError::TooMuchData(_)), "{failure}");
}

pub(crate) async fn a_description_of_a_hundred_engines_is_not_believed(trial: &Trial) {
    assert_disbelieved(trial, "101 engines").await;
}

pub(crate) async fn a_schema_that_is_no_json_is_not_believed(trial: &Trial) {
    assert_disbelieved(trial, "the schema of `parameters` is no JSON").await;
}

pub(crate) async fn a_name_that_is_claimed_twice_is_not_believed(trial: &Trial) {
    assert_disbelieved(trial, "twice").await;
}
