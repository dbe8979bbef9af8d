//! The list of behaviours, and the place in a component's bytes that says which one it has.

use std::hint::black_box;

macro_rules! behaviours {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a guest does wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Behaviour {$(
            $(#[$doc])*
            $name,
        )*}

        impl Behaviour {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name in the bytes of the component.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

behaviours! {
    /// Nothing: it is what others are compared with.
    Honest,

    // While it describes itself.
    /// Loops.
    LoopsWhileDescribing,
    /// Panics.
    PanicsWhileDescribing,
    /// Takes memory without an end.
    GrowsWhileDescribing,
    /// Writes a line to the log.
    LogsWhileDescribing,
    /// Asks for the credentials, to put them into its description.
    AsksForSecretsWhileDescribing,
    /// Answers with ten megabytes.
    DescribesAtLength,
    /// Answers with more engines than there are.
    DescribesTooMany,
    /// Answers with a schema that is no JSON.
    DescribesABrokenSchema,
    /// Claims the same name twice.
    ClaimsANameTwice,

    // In a pure function.
    /// Loops.
    LoopsInAnExamination,
    /// Traps.
    TrapsInAnExamination,
    /// Dials, and asks for the credentials.
    DialsInAnExamination,

    // While it logs in or out.
    /// Loops instead of logging in.
    LoopsWhileConnecting,
    /// Loops instead of logging out.
    LoopsWhileClosing,
    /// Waits for the server instead of logging out.
    ParksWhileClosing,

    // In a call: time.
    /// Loops.
    Loops,
    /// Waits in the host for an hour, again and again.
    ParksForHours,
    /// Reads once from a server that never answers, with the longest timeout there is.
    ReadsFromSilence,

    // In a call: space.
    /// Calls itself without an end.
    Recurses,
    /// Asks for more memory than it may have, at once.
    GrowsAtOnce,
    /// The same in small steps.
    GrowsInSteps,
    /// Dials, closes, and keeps the handles, as often as the host lets it.
    HoardsConnections,
    /// Asks for the credentials and keeps the handles.
    HoardsSecrets,

    // In a call: amounts.
    /// Answers with an error of ten megabytes.
    AnswersAtLength,
    /// Writes exactly as much as one call may carry.
    WritesTheMost,
    /// Writes two megabytes in one call.
    WritesTooMuch,
    /// Writes more than the host takes over in any call.
    WritesFarTooMuch,
    /// Asks for more random bytes than one call gives.
    AsksForTooMuchRandomness,
    /// Writes thousands of lines to the log, and a very long one.
    FloodsTheLog,
    /// Reports progress without a pause.
    FloodsProgress,
    /// Reads and waits with the largest numbers there are.
    AsksForTheMost,

    /// Says again and again that it is done.
    FloodsTheEnd,
    /// Writes lines to the log that are as long as they may be.
    FloodsTheLogWithLongLines,
    /// Answers every page of a listing with as many names as were asked for, and a next page.
    ListsWithoutAnEnd,
    /// Answers a page of a listing with one name more than was asked for.
    ListsMoreThanAPage,

    // In a call: breaking off.
    /// Traps with two sessions open, in the middle of a request.
    TrapsInTheMiddle,
    /// Panics, with the password in the message.
    Panics,
    /// Traps.
    Traps,
    /// Closes its session and says that all is well.
    ClosesItsSession,
    /// Loops until nobody waits for it any more.
    LoopsUntilItsCallerLeaves,
    /// Waits in the host until nobody waits for it any more.
    ParksUntilItsCallerLeaves,

    // In a call: reaching out.
    /// Dials what is not its server.
    DialsAnotherRole,
    /// Opens more sessions than it may have.
    OpensManySessions,
    /// Asks for the password before the stream is encrypted.
    RevealsBeforeTls,
    /// Talks on before the stream is encrypted.
    TalksBeforeTls,
    /// Encrypts what is encrypted.
    EncryptsTwice,

    // In a call: the password in what it says.
    /// In an error: message, detail, path and problem.
    LeaksInAnError,
    /// In lines of the log.
    LeaksInTheLog,
    /// In a progress report.
    LeaksInProgress,
    /// In a report of changes: texts and a document.
    LeaksInAReport,
    /// In names and ids.
    LeaksInAnAnswer,
}

const BEFORE: &[u8] = b"the behaviour of this guest is: ";
const LONGEST: usize = 40;
const FILLER: u8 = b'_';

/// What the component is told by whoever made this copy of it.
static CHOSEN: [u8; BEFORE.len() + LONGEST] = {
    let mut bytes = [FILLER; BEFORE.len() + LONGEST];
    let (start, _) = bytes.split_at_mut(BEFORE.len());
    start.copy_from_slice(BEFORE);
    bytes
};

impl Behaviour {
    /// The behaviour of the component that this code runs in.
    pub(crate) fn chosen() -> Self {
        // The compiler must not know what stands there: it is another text in every copy.
        let (_, name) = black_box(&CHOSEN).split_at(BEFORE.len());
        let is_chosen = |behaviour: &Self| name.strip_prefix(behaviour.name().as_bytes()).is_some_and(is_filler);
        Self::ALL.iter().copied().find(is_chosen).unwrap_or(Self::Honest)
    }
}

fn is_filler(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == FILLER)
}

/// A copy of the component that behaves so; none if the bytes are not this crate's component.
pub fn choose(component: &[u8], behaviour: Behaviour) -> Option<Vec<u8>> {
    let start = component.windows(BEFORE.len()).position(|window| window == BEFORE)?.checked_add(BEFORE.len())?;
    let mut copy = component.to_vec();
    let place = copy.get_mut(start..start.checked_add(LONGEST)?)?;
    if !is_filler(place) {
        return None;
    }
    let (name, _) = place.split_at_mut_checked(behaviour.name().len())?;
    name.copy_from_slice(behaviour.name().as_bytes());
    Some(copy)
}
