//! What a grant states, as single rights.

use super::right::Right;

/// A right that should be there, or should not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each says something of its own, and they combine")]
pub(crate) struct Wish {
    pub(crate) right: Right,
    pub(crate) grantable: bool,
    /// The field that states it.
    pub(crate) path: String,
    /// Whose rights giving it takes: the owner's, and the schema's owner's, which opens the way.
    pub(crate) acts_as: Vec<String>,
    pub(crate) arguments: Option<String>,
    /// It must not be there.
    pub(crate) denied: bool,
    /// It must be there without the option to give it on.
    pub(crate) denies_option: bool,
    /// The owner is a superuser and the administrator is none: nobody here can give it. What everyone has suffices.
    pub(crate) out_of_reach: bool,
    /// What must be there before it can be given.
    pub(crate) lacking: Option<String>,
    /// No such right is stated: it says what is lacking for rights whose objects are not known yet.
    pub(crate) stands_in: bool,
}

impl Wish {
    pub(super) fn new(right: Right, path: &str) -> Self {
        Self {
            right,
            grantable: false,
            path: path.to_owned(),
            acts_as: Vec::new(),
            arguments: None,
            denied: false,
            denies_option: false,
            out_of_reach: false,
            lacking: None,
            stands_in: false,
        }
    }

    pub(super) fn lacking(mut self, what: String) -> Self {
        self.lacking = Some(what);
        self
    }
    /// In the place of rights on objects that are inside of what is not there.
    pub(super) fn standing_in(self, what: String) -> Self {
        Self { stands_in: true, ..self.lacking(what) }
    }

    /// Whether the spec states that it should be there.
    pub(super) fn is_stated(&self) -> bool {
        !self.denied && !self.stands_in
    }
}
