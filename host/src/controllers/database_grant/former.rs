//! A grant that names somebody else now: what the former user or role was given is taken back first.

use crds::DatabaseGrantStatus;

use super::super::managed::{Bound, Lease, Reported};
use super::super::rights::{self, Account};
use super::super::run::Run;
use super::super::trouble::Stop;
use super::{GrantResource, delete};

/// Takes back what is recorded of another account than this one; then nothing is recorded.
pub(super) async fn leave<G>(
    run: &Run<G>,
    draft: &mut DatabaseGrantStatus,
    bound: &Bound,
    account: &Account,
    lease: &mut Lease<'_>,
) -> Result<(), Stop>
where
    G: GrantResource + Reported<Status = DatabaseGrantStatus>,
{
    let Some(recorded) = draft.ownership.clone() else { return Ok(()) };
    let former = delete::account(draft, &recorded);
    if former == *account {
        return Ok(());
    }
    let concerns_everyone = rights::concern_everyone(draft.held.iter().map(|right| &right.level));
    let turn = rights::turn_at(&run.ctx, &former, concerns_everyone, lease).await;
    delete::revoke(run, draft, &recorded, &former, lease.session().await?, bound.paths()).await?;
    drop(turn);
    draft.held.clear();
    draft.databases.clear();
    draft.ownership = None;
    Ok(())
}
