//! Certificates as people make them with openssl's command: RSA, keys in the old formats, version 1, old authorities.

use std::path::Path;
use std::process::Command;

use super::*;

fn run(directory: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

fn text(directory: &Path, name: &str) -> String {
    std::fs::read_to_string(directory.join(name)).unwrap()
}

fn identity(directory: &Path, certificate: &str, key: &str) -> Identity {
    let (pem, key_pem) = (text(directory, certificate), text(directory, key));
    run(directory, &format!("pkcs8 -topk8 -nocrypt -in {key} -outform DER -out key.der"));
    let key = std::fs::read(directory.join("key.der")).unwrap();
    Identity { chain: certificates(pem.as_bytes()).unwrap(), key, pem, key_pem }
}

#[tokio::test]
async fn rsa_and_a_certificate_of_version_1_are_accepted_like_any_other() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    run(at, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=root");
    run(at, "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=db.example.com");
    std::fs::write(at.join("v3"), "subjectAltName=DNS:db.example.com\n").unwrap();
    run(at, "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out v1.pem");
    run(at, "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile v3 -out v3.pem");
    let authority = text(at, "ca.pem");
    for certificate in ["v1.pem", "v3.pem"] {
        let server = identity(at, certificate, "server.key");
        assert_eq!(accepting(&authority, "db.example.com", &server).await, [true; 5], "{certificate}");
        assert_eq!(
            accepting(&authority, "x.example.com", &server).await,
            [true, true, true, true, false],
            "{certificate}"
        );
    }
    run(at, "req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -days 2 -subj /CN=root");
    let other = text(at, "other.pem");
    for certificate in ["v1.pem", "v3.pem"] {
        let server = identity(at, certificate, "server.key");
        assert_eq!(
            accepting(&other, "db.example.com", &server).await,
            [true, true, false, false, false],
            "{certificate}"
        );
    }
}

#[tokio::test]
async fn an_authority_that_is_not_valid_now_vouches_for_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let key = KeyPair::generate().unwrap();
    let authority = |from: i32, to: i32| {
        let mut parameters = named("root", &[]);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.not_before = rcgen::date_time_ymd(from, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(to, 1, 1);
        parameters.self_signed(&key).unwrap().pem()
    };
    let (expired, early, valid) = (authority(2019, 2020), authority(2999, 3000), authority(2019, 2999));
    std::fs::write(at.join("ca.pem"), &valid).unwrap();
    std::fs::write(at.join("ca.key"), key.serialize_pem()).unwrap();
    std::fs::write(at.join("v3"), "subjectAltName=DNS:db.example.com\n").unwrap();
    run(at, "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=db.example.com");
    run(at, "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out v1.pem");
    run(at, "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile v3 -out v3.pem");
    for certificate in ["v1.pem", "v3.pem"] {
        let server = identity(at, certificate, "server.key");
        let host = "db.example.com";
        assert_eq!(accepting(&valid, host, &server).await, [true; 5], "{certificate}");
        for (authority, words) in [(&expired, "expired on"), (&early, "is not valid before")] {
            let accepted = accepting(authority, host, &server).await;
            assert_eq!(accepted, [true, true, false, false, false], "{certificate}, {words}");
            let refused = shake(&settings(TlsMode::VerifyCa, Some(authority)), host, &server).await.unwrap_err();
            let words = format!("its authority {words}");
            assert!(refused.to_string().contains(&words), "{certificate}: {refused}");
            // It was renewed with its key, and both are given.
            assert_eq!(accepting(&format!("{authority}{valid}"), host, &server).await, [true; 5], "{certificate}");
        }
    }
}

#[tokio::test]
async fn a_clients_key_may_be_in_any_of_the_three_formats() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    run(at, "req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -out rsa.pem -days 2 -subj /CN=admin");
    run(at, "rsa -in rsa.key -traditional -out rsa.pkcs1");
    run(at, "ecparam -name prime256v1 -genkey -noout -out ec.sec1");
    run(at, "req -x509 -key ec.sec1 -out ec.pem -days 2 -subj /CN=admin");
    for (certificate, key, begins) in [
        ("rsa.pem", "rsa.key", "BEGIN PRIVATE"),
        ("rsa.pem", "rsa.pkcs1", "BEGIN RSA PRIVATE"),
        ("ec.pem", "ec.sec1", "BEGIN EC PRIVATE"),
    ] {
        assert!(text(at, key).contains(begins));
        let mut settings = settings(TlsMode::Require, None);
        settings.client = Some((text(at, certificate).into_bytes(), SecretValue::new(text(at, key))));
        assert!(TlsContext::new(&settings, "db", no_roots).is_ok(), "{key}");
    }
}
