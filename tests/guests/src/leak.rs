//! The password in the shapes in which it turns up in messages.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// A sentence with the secret as it is, in base64 alone and behind a user's name, in a URL, in hexadecimal, quoted.
pub(crate) fn sentence(secret: &[u8]) -> String {
    let raw = String::from_utf8_lossy(secret);
    let after_user = [b"admin:", secret].concat();
    [
        format!("raw={raw}"),
        format!("base64={}", STANDARD.encode(secret)),
        format!("basic={}", STANDARD.encode(&after_user)),
        format!("url-safe={}", URL_SAFE_NO_PAD.encode(&after_user)),
        format!("url=toy://admin:{}@server/", percent(secret)),
        format!("hex={}", hex::encode(secret)),
        format!("sql='{}'", raw.replace('\'', "''")),
        format!("rust={raw:?}"),
    ]
    .join(" ")
}

fn percent(secret: &[u8]) -> String {
    secret.iter().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() {
            text.push(char::from(*byte));
        } else {
            // Writing to a String cannot fail.
            _ = write!(text, "%{byte:02X}");
        }
        text
    })
}
