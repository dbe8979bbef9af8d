//! `deploy/crds` holds what the types say. With `UPDATE_CRDS=1` in the environment the files are rewritten.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use dbprovision_crds::all_crds;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/crds")
}

#[test]
fn the_committed_crds_are_what_the_types_say() {
    let update = std::env::var_os("UPDATE_CRDS").is_some_and(|value| value == "1");
    let mut expected = BTreeSet::new();
    for crd in all_crds() {
        let name = format!("{}.yaml", crd.spec.names.plural);
        let path = folder().join(&name);
        let yaml = serde_yaml_ng::to_string(&crd).unwrap();
        if update {
            fs::create_dir_all(folder()).unwrap();
            fs::write(&path, &yaml).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == yaml, "{name} is stale: run the tests of this crate with UPDATE_CRDS=1");
        expected.insert(name);
    }
    let present: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(present, expected, "deploy/crds holds exactly one file for each kind");
}

#[test]
fn the_crds_stay_small() {
    for crd in all_crds() {
        let size = serde_json::to_vec(&crd).unwrap().len();
        // Client-side apply stores the whole object in an annotation of at most 256 KiB.
        assert!(size < 64 * 1024, "{} has {size} bytes", crd.spec.names.plural);
    }
}
