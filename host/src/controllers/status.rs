//! The fields that the status of every managed kind has, so that one report serves them all.

use crds::{
    Condition, DatabaseGrantStatus, DatabaseRoleStatus, DatabaseStatus, DatabaseUserStatus, DeletionConfirmation,
    DriftStatus, Ownership, ResourcePhase, Time, Word,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The common fields of a status.
pub(crate) trait StatusFields:
    Clone + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    fn phase(&mut self) -> &mut Option<ResourcePhase>;
    fn message(&mut self) -> &mut Option<Word>;
    fn observed_generation(&mut self) -> &mut Option<i64>;
    fn reconcile_id(&mut self) -> &mut Option<String>;
    fn last_reconcile_time(&mut self) -> &mut Option<Time>;
    fn ownership(&mut self) -> &mut Option<Ownership>;
    fn drift(&mut self) -> &mut Option<DriftStatus>;
    /// What a person must confirm, where the kind has anything to confirm.
    fn confirm(&mut self, confirmation: Option<Box<DeletionConfirmation>>);
    fn conditions(&mut self) -> &mut Vec<Condition>;
}

macro_rules! status_fields {
    ($status:ty, $confirm:expr) => {
        impl StatusFields for $status {
            fn phase(&mut self) -> &mut Option<ResourcePhase> {
                &mut self.phase
            }

            fn message(&mut self) -> &mut Option<Word> {
                &mut self.message
            }

            fn observed_generation(&mut self) -> &mut Option<i64> {
                &mut self.observed_generation
            }

            fn reconcile_id(&mut self) -> &mut Option<String> {
                &mut self.reconcile_id
            }

            fn last_reconcile_time(&mut self) -> &mut Option<Time> {
                &mut self.last_reconcile_time
            }

            fn ownership(&mut self) -> &mut Option<Ownership> {
                &mut self.ownership
            }

            fn drift(&mut self) -> &mut Option<DriftStatus> {
                &mut self.drift
            }

            fn confirm(&mut self, confirmation: Option<Box<DeletionConfirmation>>) {
                let confirm: fn(&mut Self, Option<Box<DeletionConfirmation>>) = $confirm;
                confirm(self, confirmation);
            }

            fn conditions(&mut self) -> &mut Vec<Condition> {
                &mut self.conditions
            }
        }
    };
}

status_fields!(DatabaseStatus, |status, confirmation| status.deletion_confirmation = confirmation);
status_fields!(DatabaseUserStatus, |status, confirmation| status.deletion_confirmation = confirmation);
status_fields!(DatabaseRoleStatus, |status, confirmation| status.deletion_confirmation = confirmation);
// Nothing depends on a grant.
status_fields!(DatabaseGrantStatus, |_, _| {});
