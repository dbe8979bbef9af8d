//! The sandbox against guests that are out to harm it, and what honest guests may count on meanwhile.
//!
//! Every hostile guest stands in one of the three tables below with the name of its test, which is made from the
//! table: a guest that is missing there does not compile, and neither does one that is there twice.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of it is tests, also what is not a test function itself"
)]

#[path = "sandbox/addresses.rs"]
mod addresses;
#[path = "sandbox/certificates.rs"]
mod certificates;
#[path = "sandbox/faults.rs"]
mod faults;
#[path = "sandbox/limits.rs"]
mod limits;
#[path = "sandbox/listings.rs"]
mod listings;
#[path = "sandbox/loading.rs"]
mod loading;
#[path = "sandbox/raw.rs"]
mod raw;
#[path = "sandbox/room.rs"]
mod room;
#[path = "sandbox/secrets.rs"]
mod secrets;
#[path = "sandbox/sessions.rs"]
mod sessions;
#[path = "sandbox/tls.rs"]
mod tls;
#[path = "sandbox/toy.rs"]
mod toy;
#[path = "sandbox/trial.rs"]
mod trial;

use hostile_guests::Behaviour;
use loading::Unloadable;
use raw::Raw;

/// One test for each guest, and a proof that there is one for every guest of the kind.
macro_rules! trials {
    ($kind:ident: $($guest:ident => $room:ident::$test:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                trial::run($kind::$guest, stringify!($test), $room::$test).await;
            }
        )*

        #[deny(unreachable_patterns)]
        const _: fn($kind) = |guest| match guest {
            $($kind::$guest => {})*
        };
    };
}

trials! { Unloadable:
    Empty => loading::nothing_is_no_component,
    Garbage => loading::a_text_is_no_component,
    Half => loading::half_a_component_is_refused,
    Damaged => loading::a_damaged_component_is_refused,
    CoreModule => loading::a_core_module_is_told_from_a_component,
    Huge => loading::what_is_too_large_is_not_parsed,
    WantsFiles => loading::files_are_refused_by_name,
    WantsSockets => loading::sockets_are_refused_by_name,
    WantsTheEnvironment => loading::the_environment_is_refused_by_name,
    WantsToExit => loading::exiting_is_refused_by_name,
    WantsAnotherPackage => loading::another_package_is_refused_by_name,
    WantsAnotherInterface => loading::an_unknown_interface_is_refused_by_name,
    WantsAnotherVersion => loading::a_later_contract_is_refused_by_name,
    WantsAFunction => loading::a_function_without_a_package_is_refused_by_name,
    LacksAnExport => loading::a_missing_export_is_named,
    HasAnotherType => loading::an_export_of_another_type_is_refused,
    WantsTooMuchMemory => loading::too_large_a_memory_is_refused_before_anything_runs,
}

trials! { Raw:
    GrowsATable => limits::too_large_a_table_is_refused,
    LoopsAtItsStart => loading::a_loop_before_the_first_call_is_ended,
    UsesADroppedHandle => faults::a_dropped_handle_is_no_handle,
    DropsAHandleTwice => faults::a_handle_is_dropped_once,
    GuessesAHandle => faults::a_guessed_handle_is_no_handle,
    TakesASecretForAStream => faults::a_secret_is_no_stream,
    AnswersBrokenText => faults::a_broken_text_is_a_trap,
    AnswersAnUnknownKind => faults::an_unknown_kind_is_a_trap,
    AnswersNeither => faults::an_answer_that_is_neither_is_a_trap,
    AnswersFromNowhere => faults::an_answer_from_nowhere_is_a_trap,
    AnswersBeyondItsMemory => faults::an_answer_beyond_the_memory_is_a_trap,
    WritesBeyondItsMemory => faults::a_write_beyond_the_memory_is_a_trap,
    WantsTheAnswerNowhere => faults::an_answer_to_nowhere_is_a_trap,
    AllocatesNowhere => faults::room_outside_the_memory_is_a_trap,
    AllocatesForEver => faults::looking_for_room_without_an_end_is_ended,
    CallsWhileAllocating => faults::a_call_while_making_room_is_a_trap,
}

trials! { Behaviour:
    Honest => sessions::an_honest_guest_is_let_alone,
    LoopsWhileDescribing => loading::a_loop_in_describe_is_ended,
    PanicsWhileDescribing => loading::a_panic_in_describe_is_a_refusal,
    GrowsWhileDescribing => loading::describe_has_no_more_memory_than_a_call,
    LogsWhileDescribing => loading::describe_may_not_log,
    AsksForSecretsWhileDescribing => loading::describe_may_not_ask_for_secrets,
    DescribesAtLength => loading::a_description_of_ten_megabytes_is_too_much,
    DescribesTooMany => loading::a_description_of_a_hundred_engines_is_not_believed,
    DescribesABrokenSchema => loading::a_schema_that_is_no_json_is_not_believed,
    ClaimsANameTwice => loading::a_name_that_is_claimed_twice_is_not_believed,
    LoopsInAnExamination => limits::a_loop_in_an_examination_is_ended,
    TrapsInAnExamination => faults::a_spec_that_makes_an_examination_trap_is_left_alone_and_no_other,
    DialsInAnExamination => secrets::an_examination_reaches_nothing,
    LoopsWhileConnecting => limits::a_loop_instead_of_a_login_is_ended,
    LoopsWhileClosing => limits::a_loop_instead_of_a_logout_is_ended,
    ParksWhileClosing => limits::waiting_instead_of_logging_out_is_ended,
    Loops => limits::a_loop_is_ended,
    ParksForHours => limits::a_guest_that_waits_for_hours_is_ended_at_the_deadline,
    ReadsFromSilence => limits::no_wait_in_the_host_outlives_the_call,
    Recurses => limits::a_recursion_without_an_end_is_a_trap,
    GrowsAtOnce => limits::too_much_memory_at_once_is_refused,
    GrowsInSteps => limits::too_much_memory_in_steps_is_refused,
    HoardsConnections => limits::one_call_dials_a_few_times,
    HoardsSecrets => limits::too_many_handles_of_secrets_are_refused,
    AnswersAtLength => limits::an_error_of_ten_megabytes_is_too_much,
    WritesTheMost => limits::one_write_carries_a_mebibyte,
    WritesTooMuch => limits::one_write_does_not_carry_two_mebibytes,
    WritesFarTooMuch => limits::a_write_beyond_every_measure_is_a_fault,
    AsksForTooMuchRandomness => limits::more_random_bytes_than_one_call_gives_are_a_trap,
    FloodsTheLog => limits::a_flood_of_lines_is_cut_off,
    FloodsProgress => limits::a_flood_of_progress_is_thinned_out,
    FloodsTheEnd => limits::the_end_is_told_once,
    FloodsTheLogWithLongLines => limits::a_flood_of_long_lines_is_cut_off,
    ListsWithoutAnEnd => listings::a_listing_without_an_end_comes_in_pages_that_have_one,
    ListsMoreThanAPage => listings::a_page_of_more_than_was_asked_for_is_refused,
    AsksForTheMost => limits::the_largest_numbers_are_taken_for_the_largest_allowed,
    TrapsInTheMiddle => faults::a_trap_in_the_middle_closes_its_sessions,
    Panics => faults::a_panics_message_is_logged_without_the_password,
    Traps => faults::an_adapter_that_keeps_trapping_is_left_alone_and_no_other,
    ClosesItsSession => faults::a_guest_that_closed_its_session_is_not_lent_again,
    LoopsUntilItsCallerLeaves => faults::a_call_that_nobody_waits_for_ends_its_guest,
    ParksUntilItsCallerLeaves => faults::a_guest_whose_caller_left_is_not_used_by_the_same_session,
    DialsAnotherRole => secrets::the_only_role_is_primary,
    OpensManySessions => secrets::a_third_session_is_refused,
    RevealsBeforeTls => secrets::no_password_is_revealed_before_tls,
    TalksBeforeTls => secrets::little_is_sent_before_tls,
    EncryptsTwice => secrets::a_stream_is_encrypted_once,
    LeaksInAnError => secrets::the_password_in_an_error_is_redacted,
    LeaksInTheLog => secrets::the_password_in_the_log_is_redacted,
    LeaksInProgress => secrets::the_password_in_progress_is_redacted,
    LeaksInAReport => secrets::the_password_in_a_report_is_redacted,
    LeaksInAnAnswer => secrets::the_password_in_a_name_is_an_error_of_the_call,
}
