//! Keys, certificates and the administrator's token of a control plane, new for each start.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use crate::certificates::{Algorithm, Authority, Leaf, key};
use crate::scratch::write_private;

/// Where the files are that kube-apiserver reads.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) tokens: PathBuf,
    pub(super) signing_key: PathBuf,
    pub(super) verifying_key: PathBuf,
    authority: String,
    token: String,
}

impl Credentials {
    /// Makes them all.
    pub(super) fn write(folder: &Path) -> Result<Self> {
        let authority = Authority::new("dbprovision test control plane", Algorithm::Ecdsa)?;
        let server = authority.sign(&Leaf::loopback())?;
        // A token and not a certificate, because a token passes through an HTTP proxy.
        let token = format!("{:032x}", rand::random::<u128>());
        let credentials = Self {
            certificate: folder.join("server.crt"),
            key: folder.join("server.key"),
            tokens: folder.join("tokens.csv"),
            signing_key: folder.join("service-accounts.key"),
            verifying_key: folder.join("service-accounts.pub"),
            authority: authority.certificate(),
            token,
        };
        write_private(&credentials.certificate, &server.certificate)?;
        write_private(&credentials.key, &server.key)?;
        write_private(
            &credentials.tokens,
            format!("{},administrator,administrator,system:masters\n", credentials.token),
        )?;
        let service_accounts = key(Algorithm::Ecdsa)?;
        write_private(&credentials.signing_key, service_accounts.serialize_pem())?;
        write_private(&credentials.verifying_key, service_accounts.public_key_pem())?;
        Ok(credentials)
    }

    /// Writes the administrator's kubeconfig.
    pub(super) fn write_kubeconfig(&self, folder: &Path, port: u16) -> Result<PathBuf> {
        // Written out because a file of its own is what any other program could use as well.
        let authority = folder.join("authority.crt");
        write_private(&authority, &self.authority)?;
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{
                "name": "dbprovision",
                "cluster": {
                    "server": format!("https://127.0.0.1:{port}"),
                    "certificate-authority": authority,
                },
            }],
            "users": [{ "name": "administrator", "user": { "token": self.token } }],
            "contexts": [{ "name": "dbprovision", "context": { "cluster": "dbprovision", "user": "administrator" } }],
            "current-context": "dbprovision",
        });
        let path = folder.join("kubeconfig");
        write_private(&path, serde_yaml_ng::to_string(&kubeconfig).context("write the kubeconfig")?)?;
        Ok(path)
    }
}
