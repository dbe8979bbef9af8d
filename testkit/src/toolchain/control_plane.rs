//! kube-apiserver, etcd and kubectl: those of `KUBEBUILDER_ASSETS`, or built from their published Go modules.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{announce, find_program, go, is_fresh, lock};
use crate::workspace;

/// The Kubernetes version that `testkit/controlplane/kubernetes/go.mod` names; a build has to be told again.
const VERSION: &str = "v1.36.3";
const MAJOR: &str = "1";
const MINOR: &str = "36";

/// What helps where they cannot be built.
const SPARE: &str = "build the control plane (KUBEBUILDER_ASSETS names a folder with one that was built)";

/// Where the programs of the control plane are.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// kube-apiserver.
    pub api_server: PathBuf,
    /// etcd.
    pub etcd: PathBuf,
    /// kubectl.
    pub kubectl: PathBuf,
}

/// Finds or builds the programs.
pub fn binaries() -> Result<Binaries> {
    if let Some(folder) = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from) {
        let found = within(&folder);
        for path in [&found.api_server, &found.etcd] {
            if !path.is_file() {
                bail!("KUBEBUILDER_ASSETS names {}, which has no {}", folder.display(), path.display());
            }
        }
        // An archive of assets may come without kubectl; any kubectl of the machine shows resources as well.
        let kubectl =
            if found.kubectl.is_file() { found.kubectl } else { find_program("kubectl").unwrap_or(found.kubectl) };
        return Ok(Binaries { kubectl, ..found });
    }

    let folder = workspace::target().join("controlplane");
    std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let found = within(&folder);
    let _lock = lock("controlplane")?;
    let sources = workspace::root().join("testkit/controlplane");

    let kubernetes = sources.join("kubernetes");
    let inputs = ["go.mod", "go.sum", "cmd/kube-apiserver/main.go", "cmd/kubectl/main.go"];
    let inputs: Vec<PathBuf> = inputs.iter().map(|input| kubernetes.join(input)).collect();
    if !is_fresh(&found.api_server, &inputs) || !is_fresh(&found.kubectl, &inputs) {
        announce(&format!("kube-apiserver and kubectl {VERSION} (built with Go, ten minutes of processor time, once)"));
        let package = "k8s.io/component-base/version";
        let flags = format!(
            "-s -w -X {package}.gitVersion={VERSION} -X {package}.gitMajor={MAJOR} -X {package}.gitMinor={MINOR}"
        );
        go::build(&kubernetes, &flags, &folder, "./cmd/...").context(SPARE)?;
    }

    let etcd = sources.join("etcd");
    let inputs: Vec<PathBuf> = ["go.mod", "go.sum", "main.go"].iter().map(|input| etcd.join(input)).collect();
    if !is_fresh(&found.etcd, &inputs) {
        announce("etcd (built with Go, once)");
        go::build(&etcd, "-s -w", &found.etcd, ".").context(SPARE)?;
    }
    Ok(found)
}

fn within(folder: &Path) -> Binaries {
    Binaries { api_server: folder.join("kube-apiserver"), etcd: folder.join("etcd"), kubectl: folder.join("kubectl") }
}
