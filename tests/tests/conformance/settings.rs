//! An instance's settings: what the host learns of them, that sessions are opened with them, and what a server is told
//! apart by.

use std::time::Duration;

use sandbox::Lane;

use crate::candidate::{Candidate, settings};
use crate::cases::By;

const PATIENCE: Duration = Duration::from_secs(20);

/// Every setting is examined to what the table says, and a server is reached with it.
pub(crate) async fn act(candidate: &Candidate) {
    let plain = candidate.session(By::Administrator).await.server().await.unwrap();
    for setting in &candidate.table.settings {
        let stated = settings(&*candidate.ground, &candidate.table, &setting.options);
        let examined = candidate.adapter.examine_instance(&stated).await;
        let examined = examined.unwrap_or_else(|error| panic!("{}: {error:?}", setting.options));
        assert_eq!(examined, setting.examined, "{}", setting.options);
        let server = candidate.bound_with(&setting.options);
        let mut session = server.lane(Lane::Work, PATIENCE).await.unwrap();
        let outcome = session.ping().await;
        assert_eq!(outcome.is_ok(), setting.connects, "{}: {outcome:?}", setting.options);
        if setting.connects {
            assert_eq!(session.get_version().await.unwrap(), plain, "{}", setting.options);
        }
        drop(session);
        server.close().await;
    }
}

/// The server says who it is and who is logged in, and says the same of itself to everybody.
pub(crate) async fn tell_the_server(candidate: &Candidate) {
    let administrator = candidate.session(By::Administrator).await.server().await.unwrap();
    let superuser = candidate.session(By::Superuser).await.server().await.unwrap();
    assert_eq!(administrator.administrator, candidate.ground.administrator().name);
    assert_eq!((administrator.superuser, superuser.superuser), (false, true));
    assert!(!administrator.identity.is_empty());
    assert_eq!(administrator.identity, superuser.identity);
    assert_eq!(administrator.version, superuser.version);
}
