//! The scrubber's promises: no known secret in any usual shape comes through, and public words stay.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;
use crate::contract;

fn knowing(secrets: &[&str]) -> Scrubber {
    let mut scrubber = Scrubber::new();
    for secret in secrets {
        scrubber.add_secret(&SecretValue::new(*secret));
    }
    scrubber
}

#[test]
fn a_secret_is_replaced_in_every_usual_shape() {
    let secret = r#"p4 s'w"o\r/d+é"#;
    let scrubber = knowing(&[secret]);
    for (shape, text) in [
        ("raw", secret.to_owned()),
        ("doubled quote", secret.replace('\'', "''")),
        ("backslash", secret.replace('\\', "\\\\").replace('\'', "\\'")),
        ("json", serde_json::Value::from(secret).to_string()),
        ("debug", format!("{secret:?}")),
        ("url", "p4%20s%27w%22o%5Cr%2Fd%2B%C3%A9".to_owned()),
        ("form", "p4+s%27w%22o%5Cr%2Fd%2B%C3%A9".to_owned()),
        ("lower-case url", "p4%20s%27w%22o%5cr%2fd%2b%c3%a9".to_owned()),
        ("hexadecimal", hex::encode(secret)),
    ] {
        let clean = scrubber.text(&format!("before {text} after"));
        assert!(
            clean.contains(REDACTED) && clean.starts_with("before ") && clean.ends_with(" after"),
            "{shape}: {clean}"
        );
        assert!(!clean.contains("p4"), "{shape}: {clean}");
    }
}

#[test]
fn base64_is_found_at_every_offset() {
    let scrubber = knowing(&["correct horse"]);
    for before in ["", "a", "ab", "user:"] {
        let encoded = STANDARD.encode(format!("{before}correct horse battery"));
        assert!(scrubber.text(&encoded).contains(REDACTED), "{before}");
    }
}

#[test]
fn a_short_secret_counts_only_where_it_is_the_whole_string_and_in_a_name_not_at_all() {
    let scrubber = knowing(&["abc"]);
    assert_eq!(scrubber.text("abc"), REDACTED);
    assert_eq!(scrubber.text("the abc"), "the abc");
    assert_eq!(scrubber.word("abc"), Err(Unfit::Secret));
    assert_eq!(scrubber.word("abcd").unwrap(), "abcd");
    assert_eq!(scrubber.name("abc").unwrap(), "abc");
}

#[test]
fn a_word_that_holds_a_secret_is_refused_and_never_changed() {
    let scrubber = knowing(&["secret-1"]);
    let shown = STANDARD.encode("admin:secret-1");
    for word in ["secret-1", "the secret-1", &shown, &hex::encode("secret-1")] {
        assert_eq!(scrubber.word(word), Err(Unfit::Secret), "{word}");
        assert_eq!(scrubber.name(word), Err(Unfit::Secret), "{word}");
    }
    assert_eq!(scrubber.name("secret").unwrap(), "secret");
}

#[test]
fn what_was_lent_to_an_earlier_call_is_in_no_text_and_no_matter_of_names() {
    let mut scrubber = knowing(&["administrators"]);
    scrubber.lend(&SecretValue::new("customers"));
    assert_eq!(scrubber.name("customers"), Err(Unfit::Secret));
    scrubber.begin_call();
    assert_eq!(scrubber.name("customers").unwrap(), "customers");
    assert_eq!(scrubber.text("table customers"), "table [redacted]");
    assert_eq!(scrubber.name("administrators"), Err(Unfit::Secret), "the administrator's is looked for in every call");
    scrubber.lend(&SecretValue::new("customers"));
    assert_eq!(scrubber.name("customers"), Err(Unfit::Secret), "it was lent again");
    assert_eq!(scrubber.secrets(), 2);
}

#[test]
fn somebodys_password_does_not_change_what_another_holds() {
    let text = str::to_owned;
    let held = || contract::Granted {
        level: text("table"),
        object: vec![text("db"), text("public"), text("customers")],
        privilege: text("SELECT"),
        grantable: false,
        grantor: Some(text("postgres")),
    };
    let mut scrubber = knowing(&["admins password"]);
    for password in ["public", "customers", "SELECT", "db", "table"] {
        scrubber.lend(&SecretValue::new(password));
    }
    scrubber.begin_call();
    assert!(held().scrub(&scrubber).unwrap() == held());
}

#[test]
fn a_mark_is_read_although_its_words_are_passwords_and_nobody_said_them() {
    let text = str::to_owned;
    let mark = || contract::Mark {
        cluster: text("5b1c"),
        operator: text("default"),
        kind: text("User"),
        namespace: text("team-a"),
        name: text("app"),
        nonce: text("0123456789abcdef"),
    };
    let mut scrubber = knowing(&["default"]);
    scrubber.lend(&SecretValue::new("team-a"));
    assert!(mark().scrub(&scrubber).unwrap() == mark());
    scrubber.lend(&SecretValue::new("0123456789abcdef"));
    assert!(matches!(mark().scrub(&scrubber), Err(Unfit::Secret)));
    scrubber.say("0123456789abcdef");
    assert!(mark().scrub(&scrubber).unwrap() == mark());
}

#[test]
fn a_secret_that_is_a_public_word_too_is_no_secret_within_words() {
    let mut scrubber = knowing(&["postgres"]);
    assert_eq!(scrubber.name("postgres_fdw"), Err(Unfit::Secret));
    scrubber.add_public("postgres");
    assert_eq!(scrubber.name("postgres_fdw").unwrap(), "postgres_fdw");
    scrubber.lend(&SecretValue::new("app-owner"));
    scrubber.say("app-owner");
    assert_eq!(scrubber.word("password:app-owner").unwrap(), "password:app-owner");
    scrubber.begin_call();
    scrubber.lend(&SecretValue::new("app-owner"));
    assert_eq!(scrubber.word("password:app-owner"), Err(Unfit::Secret), "nobody said it in this call");
}

#[test]
fn a_word_within_which_a_short_secret_stands_stays() {
    let scrubber = knowing(&["pass"]);
    assert_eq!(scrubber.word("passengers").unwrap(), "passengers");
    assert_eq!(scrubber.text("password pass is wrong"), "[redacted]word [redacted] is wrong");
}

#[test]
fn what_the_host_said_itself_is_public_as_a_word() {
    let mut scrubber = knowing(&["postgres"]);
    scrubber.add_public("postgres");
    assert_eq!(scrubber.word("postgres").unwrap(), "postgres");
    assert_eq!(scrubber.text("the password is postgres"), "the password is [redacted]");
    assert_eq!(scrubber.json(r#"{"owner":"postgres"}"#).unwrap(), r#"{"owner":"postgres"}"#);
}

#[test]
fn an_overlong_text_is_cut_and_no_part_of_a_secret_is_left_at_the_end() {
    let secret = "0123456789abcdef";
    let scrubber = knowing(&[secret]);
    for shift in 0..64 {
        let text = format!("{}{}", "x".repeat(LONGEST_TEXT - 40 + shift), secret.repeat(3000));
        let clean = scrubber.text(&text);
        assert!(clean.len() <= LONGEST_TEXT + '…'.len_utf8());
        assert!(!clean.contains("0123456789"), "{shift}");
    }
}

#[test]
fn an_overlong_word_is_refused_rather_than_cut() {
    assert!(Scrubber::new().word(&"x".repeat(LONGEST_WORD + 1)).is_err());
    assert!(Scrubber::new().json(&format!("\"{}\"", "x".repeat(LONGEST_JSON))).is_err());
}

#[test]
fn control_characters_do_not_reach_a_terminal() {
    let scrubber = Scrubber::new();
    assert_eq!(scrubber.text("a\u{1b}[31mb\nc\0d\u{202e}e"), "a [31mb c d e");
    assert_eq!(scrubber.word("a\nb").unwrap(), "a\u{fffd}b");
    assert_eq!(scrubber.name("a\nb").unwrap(), "a\nb", "a name that is recorded is never another one");
}

#[test]
fn json_stays_json_and_loses_secrets_in_keys_values_and_numbers() {
    let scrubber = knowing(&["secret-1", "12345"]);
    let clean = scrubber.json(r#"{"a secret-1":["secret-1",12345,true,{"b":"x secret-1"}]}"#).unwrap();
    assert_eq!(clean, r#"{"a [redacted]":["[redacted]","[redacted]",true,{"b":"x [redacted]"}]}"#);
    assert_eq!(scrubber.json("no json: secret-1").unwrap(), "null");
}

#[test]
fn an_error_is_scrubbed_in_all_its_parts() {
    let problem = contract::OptionProblem { path: "options.secret-1".to_owned(), problem: "secret-1".to_owned() };
    let error = contract::Error {
        kind: contract::ErrorKind::InvalidOptions(vec![problem]),
        message: "secret-1".to_owned(),
        detail: "ALTER ROLE x PASSWORD 'secret-1'".to_owned(),
    };
    let clean = error.scrub(&knowing(&["secret-1"])).unwrap();
    assert!(!format!("{clean:?}").contains("secret-1"), "{clean:?}");
}

proptest! {
    #[test]
    fn no_secret_survives_in_text(secret in "[ -~]{4,24}", before in ".{0,20}", after in ".{0,20}") {
        let clean = knowing(&[&secret]).text(&format!("{before}{secret}{after}"));
        // The mark itself, or the mark beside a letter, may happen to spell the secret.
        prop_assert!(clean.contains(REDACTED));
        prop_assert!(!clean.replace(REDACTED, "\n").contains(&secret));
    }

    #[test]
    fn no_secret_survives_two_of_them(first in "[a-z]{4,10}", second in "[a-z]{4,10}") {
        let clean = knowing(&[&first, &second]).text(&format!("{first}{second} {second}{first}"));
        let rest = clean.replace(REDACTED, "\n");
        prop_assert!(!rest.contains(&first) && !rest.contains(&second));
    }

    #[test]
    fn any_text_is_survived(text in "\\PC*", secret in ".{0,12}") {
        let scrubber = knowing(&[&secret]);
        let clean = scrubber.text(&text);
        prop_assert!(!clean.chars().any(char::is_control));
        prop_assert!(scrubber.json(&text).is_ok());
    }
}
