//! Where the operator is killed, and how many such places an undisturbed run has.

use std::fmt;

use anyhow::Result;
use dbprovision_tests::catalogue::Catalogue;
use testkit::proxy::Moment;

/// On which side the effect is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Api,
    Database,
}

/// Before or after the k-th effect on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) side: Side,
    pub(crate) k: u64,
    pub(crate) moment: Moment,
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = if self.moment == Moment::Before { "before" } else { "after" };
        let side = if self.side == Side::Api { "write to the API server" } else { "statement" };
        write!(formatter, "{moment} {side} {}", self.k)
    }
}

/// What an undisturbed run did and where it ended.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) writes: Vec<String>,
    pub(crate) statements: Vec<String>,
    pub(crate) end: End,
}

/// Where a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    /// Phase, conditions and finalizers of every resource.
    pub(crate) objects: Vec<String>,
    /// The names of the Secrets.
    pub(crate) secrets: Vec<String>,
    pub(crate) catalogue: Catalogue,
}

impl Survey {
    /// Every point.
    pub(crate) fn points(&self) -> Vec<Point> {
        let side = |side: Side, count: usize| {
            (1..=count as u64)
                .flat_map(move |k| [Moment::Before, Moment::After].map(|moment| Point { side, k, moment }))
        };
        side(Side::Api, self.writes.len()).chain(side(Side::Database, self.statements.len())).collect()
    }

    /// What stands at a point, for whoever reads a failure.
    pub(crate) fn describe(&self, point: Point) -> Result<&str> {
        let texts = if point.side == Side::Api { &self.writes } else { &self.statements };
        let index = usize::try_from(point.k.saturating_sub(1))?;
        Ok(texts.get(index).map_or("beyond the undisturbed run", String::as_str))
    }
}

impl fmt::Display for Survey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} writes and {} statements, before and after each",
            self.writes.len(),
            self.statements.len()
        )
    }
}
