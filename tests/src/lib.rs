//! What the tests of this crate share. Each file of `tests/` is a feature or a disaster; here are their stage and props.

pub mod catalogue;
pub mod installation;
pub mod manifests;
pub mod relay;
pub mod scrape;
pub mod signpost;
pub mod stage;
pub mod theatre;
