//! The schema defaults that serde and the CRD schema share, where `Default` of the type is not the answer.

/// For switches that are on unless somebody turns them off.
pub(crate) fn on() -> bool {
    true
}
