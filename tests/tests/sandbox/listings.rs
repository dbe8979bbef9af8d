//! Guests that list more than there is. Each page is bounded here; that there is a last one is for the host to see to.

use sandbox::contract::{Listing, Page};
use sandbox::{CallClass, CallError, Lane};

use crate::trial::{TURN, Trial, assert_kept};

const LIMIT: u32 = 100;

pub(crate) async fn a_listing_without_an_end_comes_in_pages_that_have_one(trial: &Trial) {
    let server = trial.server().await;
    let mut session = server.lane(Lane::Work, TURN).await.unwrap();
    for kind in 0..3 {
        let mut page = Page { after: None, limit: LIMIT };
        for number in 0..20 {
            let listing = match kind {
                0 => session.list_databases(&page).await,
                1 => session.list_users(&page).await,
                _ => session.list_roles(&page).await,
            };
            let Listing { items, next } = listing.unwrap();
            assert_eq!((items.len(), items[0].name.as_str()), (100, format!("object-{:010}", number * 100).as_str()));
            assert!(next > page.after, "{next:?} does not come after {:?}", page.after);
            page.after = next;
        }
    }
    drop(session);
    assert_kept(&server).await;
}

pub(crate) async fn a_page_of_more_than_was_asked_for_is_refused(trial: &Trial) {
    let server = trial.server().await;
    let mut session = server.lane(Lane::Work, TURN).await.unwrap();
    let page = Page { after: None, limit: LIMIT };
    let refused = [
        session.list_databases(&page).await.map(drop),
        session.list_users(&page).await.map(drop),
        session.list_roles(&page).await.map(drop),
    ];
    for error in refused.map(Result::unwrap_err) {
        assert!(matches!(&error, CallError::TooMuchData(what) if what == "101 objects on a page of 100"), "{error:?}");
        assert_eq!(error.class(), CallClass::Guest);
    }
    // Each time it is another guest that answers.
    assert_eq!((server.counters().traps, server.counters().guests_started), (3, 3));
}
