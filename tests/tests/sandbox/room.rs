//! More servers than there is room for guests: who makes way, and for whom there is always room.
//!
//! The sandboxes here have room for five: one for calls without a server, and four that are bound to servers.

use std::sync::Arc;

use hostile_guests::Behaviour;
use sandbox::{Adapter, CallClass, CallError, Lane, Sandbox, Server};

use crate::limits::named;
use crate::toy::{Offer, Toy};
use crate::trial::{TURN, binding, load, sandbox_for};

async fn small() -> (Sandbox, Adapter, Toy) {
    let sandbox = sandbox_for(5);
    let adapter = load(&sandbox, Behaviour::Honest).await;
    (sandbox, adapter, Toy::start(Offer::default()).await)
}

fn bind(adapter: &Adapter, toy: &Toy, count: usize) -> Vec<Arc<Server>> {
    (0..count).map(|number| adapter.bind(binding(&format!("server {number}"), toy)).unwrap()).collect()
}

async fn ping(server: &Arc<Server>) -> Result<(), CallError> {
    server.lane(Lane::Reserved, TURN).await?.ping().await
}

#[tokio::test(flavor = "multi_thread")]
async fn more_servers_than_guests_are_all_served_and_specs_are_examined() {
    let (sandbox, adapter, toy) = small().await;
    let servers = bind(&adapter, &toy, 10);
    for _ in 0..2 {
        for server in &servers {
            ping(server).await.unwrap();
            adapter.examine_database(&named("app")).await.unwrap();
            assert!(sandbox.counters().sessions_open <= 4, "{:?}", sandbox.counters());
        }
    }
    assert_eq!(sandbox.counters().sessions_open, 4, "no more make way than have to");
    assert_eq!(sandbox.counters().sessions_opened, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guest_that_rested_longest_makes_way() {
    let (_sandbox, adapter, toy) = small().await;
    let servers = bind(&adapter, &toy, 5);
    for number in [0, 1, 2, 3, 0, 4] {
        ping(&servers[number]).await.unwrap();
    }
    let open: Vec<u64> = servers.iter().map(|server| server.counters().sessions_open).collect();
    assert_eq!(open, [1, 0, 1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_work_makes_way_and_a_spec_is_examined_all_the_same() {
    let (sandbox, adapter, toy) = small().await;
    let servers = bind(&adapter, &toy, 5);
    let mut working = Vec::new();
    for server in &servers[..4] {
        let mut session = server.lane(Lane::Work, TURN).await.unwrap();
        session.ping().await.unwrap();
        working.push(session);
    }
    let error = ping(&servers[4]).await.unwrap_err();
    assert!(matches!(error, CallError::NoRoom(_)), "{error:?}");
    assert_eq!(error.class(), CallClass::Host);
    adapter.examine_database(&named("app")).await.unwrap();
    for session in &mut working {
        session.ping().await.unwrap();
    }
    assert_eq!(sandbox.counters().sessions_opened, 4);
    drop(working.pop());
    ping(&servers[4]).await.unwrap();
    assert_eq!(servers[3].counters().sessions_open, 0);
}
