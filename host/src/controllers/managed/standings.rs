//! Who stands behind every name on one server, for whoever asks about many of them.
//!
//! It lives as long as a sweep of thousands of objects, so it is an index into the caches and no copy of what they say.

use std::hash::{BuildHasher as _, RandomState};

use crds::InstanceId;
use planning::references::NamedKind;

use super::ownership::{Candidate, Holding, Standing, among, each_candidate};
use crate::context::Context;

/// Who stands behind which name.
pub(crate) struct Standings {
    identity: String,
    databases: Index,
    accounts: Index,
}

impl Standings {
    /// On the server with this identity.
    pub(crate) fn on(ctx: &Context, identity: &str) -> Self {
        let index = |kind| {
            let mut all = Vec::new();
            each_candidate(&ctx.stores, kind, |candidate| all.push(candidate));
            Index::of(all)
        };
        let (databases, accounts) = (index(NamedKind::Database), index(NamedKind::Role));
        Self { identity: identity.to_owned(), databases, accounts }
    }

    /// As [`super::ownership::holding`] tells it.
    pub(super) fn holding(
        &self,
        ctx: &Context,
        kind: NamedKind,
        name: &str,
        through: &InstanceId,
        asking: &str,
    ) -> Holding {
        let of_kind = match kind {
            NamedKind::Database => &self.databases,
            NamedKind::User | NamedKind::Role => &self.accounts,
        };
        let known: Vec<Standing> =
            of_kind.named(name).filter_map(|candidate| candidate.standing(ctx, &self.identity, name)).collect();
        among(&known, through, asking)
    }
}

/// Candidates by the hashes of their names. Two names of one hash do no harm: a candidate is asked what it says of the
/// name.
struct Index {
    candidates: Vec<Candidate>,
    places: Vec<(u64, u32)>,
    hasher: RandomState,
}

impl Index {
    fn of(candidates: Vec<Candidate>) -> Self {
        let hasher = RandomState::new();
        let mut places = Vec::with_capacity(candidates.len());
        for (place, candidate) in (0..).zip(&candidates) {
            candidate.each_name(|name| places.push((hasher.hash_one(name), place)));
        }
        places.sort_unstable();
        places.dedup();
        Self { candidates, places, hasher }
    }

    /// In the order of the candidates.
    fn named(&self, name: &str) -> impl Iterator<Item = &Candidate> {
        let hash = self.hasher.hash_one(name);
        let from = self.places.partition_point(|(known, _)| *known < hash);
        let alike = self.places.iter().skip(from).take_while(move |(known, _)| *known == hash);
        alike.filter_map(|(_, place)| self.candidates.get(usize::try_from(*place).ok()?))
    }
}
