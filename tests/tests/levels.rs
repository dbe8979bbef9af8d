//! Every level on which rights are given, on every engine: a real client logs in with the generated Secret and may do
//! exactly what the spec says, before and after the grant is narrowed, widened and deleted. The right that stays is
//! used all the time by another client, which must never be refused.

#[path = "levels/future.rs"]
mod future;
#[path = "levels/mysql.rs"]
mod mysql;
#[path = "levels/postgres.rs"]
mod postgres;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use dbprovision_tests::manifests::{access_grant, user, with};
use dbprovision_tests::stage::{Stage, Subject, ready};
use serde_json::{Value, json};
use testkit::world::Operator;

/// What one level's grant states, one after the other, and what is allowed with each.
struct Story {
    level: &'static str,
    /// The engine's block: as given first, narrowed, widened.
    stated: [Value; 3],
    /// Allowed with each of the three.
    stays: &'static str,
    /// Allowed with the first only.
    goes: &'static str,
    /// Allowed with the last only.
    comes: &'static str,
}

/// Says whether a client who logs in with this password may run a statement.
trait Client: Send + Sync + 'static {
    /// The answer to a statement in a session of its own.
    fn run(&self, password: &str, statement: &str) -> impl Future<Output = Result<()>> + Send;
}

/// Between two uses of the right that stays.
const PAUSE: Duration = Duration::from_millis(5);

/// How often two resources give up the same right at the same moment.
const TOGETHER: usize = 8;

/// A client who uses the right that stays again and again, from now on.
struct Probe {
    stop: Arc<AtomicBool>,
    uses: Arc<AtomicU32>,
    running: tokio::task::JoinHandle<Result<()>>,
}

impl Probe {
    fn start<C: Client>(client: &Arc<C>, password: &str, statement: &'static str) -> Self {
        let (stop, uses) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (client, password) = (Arc::clone(client), password.to_owned());
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&uses));
        let running = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                client.run(&password, statement).await.context("the right that stays was refused")?;
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        });
        Self { stop, uses, running }
    }

    fn uses(&self) -> u32 {
        self.uses.load(Ordering::Relaxed)
    }

    async fn end(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.running.await.context("the probe panicked")?
    }
}

/// Plays the stories, each with a user and a grant of its own, all on the instance `main` of the stage.
async fn play<C: Client>(
    stage: &Stage,
    operator: &Operator,
    block: &str,
    stories: Vec<Story>,
    client: impl Fn(&str) -> C,
) -> Result<()> {
    for story in stories {
        let level = story.level;
        let account = format!("{}_{level}", stage.word("l"));
        let client = Arc::new(client(&account));
        tell(stage, operator, block, story, &account, &client).await.with_context(|| format!("level {level}"))?;
    }
    Ok(())
}

async fn tell<C: Client>(
    stage: &Stage,
    operator: &Operator,
    block: &str,
    story: Story,
    account: &str,
    client: &Arc<C>,
) -> Result<()> {
    let Story { level, stated: [first, narrowed, widened], stays, goes, comes } = story;
    stage.put(user(level, account)).await?;
    stage.until(operator, &Subject::user(level), ready()).await?;
    let password = stage.secret_value(&Subject::secret(level), "password").await?;
    let check = async |when: &str, allowed: &[&str], denied: &[&str]| {
        for statement in allowed {
            client.run(&password, statement).await.with_context(|| format!("{when}, {statement} is refused"))?;
        }
        for statement in denied {
            ensure!(client.run(&password, statement).await.is_err(), "{when}, {statement} is allowed");
        }
        Ok(())
    };
    check("before the grant", &[], &[stays, goes, comes]).await?;

    let grant = Subject::access_grant(level);
    let spec = |stated: Value| {
        let spec = json!({ "userRef": { "name": level }, "deletionProtection": false, block: stated });
        with(access_grant(level), json!({ "spec": spec }))
    };
    stage.put(spec(first)).await?;
    stage.until(operator, &grant, ready()).await?;
    check("as given first", &[stays, goes], &[comes]).await?;

    let probe = Probe::start(client, &password, stays);
    for (when, stated, allowed, denied) in
        [("narrowed", narrowed, &[stays][..], &[goes, comes][..]), ("widened", widened, &[stays, comes], &[goes])]
    {
        let before = probe.uses();
        stage.put(spec(stated)).await?;
        stage.until(operator, &grant, ready()).await?;
        check(when, allowed, denied).await?;
        ensure!(probe.uses() > before || probe.running.is_finished(), "{when}: the right was not used meanwhile");
    }
    probe.end().await?;

    stage.delete(&grant).await?;
    stage.until_gone(operator, &grant).await?;
    check("after the grant", &[], &[stays, goes, comes]).await?;
    stage.delete(&Subject::user(level)).await?;
    stage.until_gone(operator, &Subject::user(level)).await
}

/// A role that both a user's own resource and a grant name, and that only the grant names later: what the role may is
/// never refused to the user until the grant goes too.
async fn hand_over<C: Client>(
    stage: &Stage,
    operator: &Operator,
    block: &str,
    [role, other]: [&str; 2],
    client: impl Fn(&str) -> C,
    stays: &'static str,
) -> Result<()> {
    let (account, subject, grant) = (stage.word("heir"), Subject::user("heir"), Subject::access_grant("heir"));
    let client = Arc::new(client(&account));
    let of_roles = |roles: Value| with(user("heir", &account), json!({ "spec": { "roles": roles } }));
    stage.put(of_roles(json!([role]))).await?;
    stage.until(operator, &subject, ready()).await?;
    let password = stage.secret_value(&Subject::secret("heir"), "password").await?;
    let grant_of = |roles: Value| {
        let spec = json!({ "userRef": { "name": "heir" }, "deletionProtection": false, block: { "roles": roles } });
        with(access_grant("heir"), json!({ "spec": spec }))
    };
    stage.put(grant_of(json!([role, other]))).await?;
    stage.until(operator, &grant, ready()).await?;

    let probe = Probe::start(&client, &password, stays);
    let before = probe.uses();
    stage.put(of_roles(json!([]))).await?;
    stage.until(operator, &subject, ready()).await?;
    client.run(&password, stays).await.context("what the grant states is refused")?;
    ensure!(probe.uses() > before || probe.running.is_finished(), "the right was not used meanwhile");
    probe.end().await?;

    // Two that give it up together: neither leaves it to the other.
    for round in 0..TOGETHER {
        stage.put(of_roles(json!([role]))).await?;
        stage.put(grant_of(json!([role, other]))).await?;
        stage.until(operator, &subject, ready()).await?;
        stage.until(operator, &grant, ready()).await?;
        client.run(&password, stays).await.context("what both state is refused")?;
        let [first, second] = [of_roles(json!([])), grant_of(json!([other]))];
        let [first, second] = if round % 2 == 0 { [first, second] } else { [second, first] };
        tokio::try_join!(stage.put(first), stage.put(second))?;
        stage.until(operator, &subject, ready()).await?;
        stage.until(operator, &grant, ready()).await?;
        ensure!(client.run(&password, stays).await.is_err(), "round {round}: both gave it up, and it is allowed");
    }

    let second = Subject::access_grant("second");
    let second_of = |roles: Value| with(grant_of(roles), json!({ "metadata": { "name": "second" } }));
    for round in 0..TOGETHER {
        let both = || json!([role, other]);
        tokio::try_join!(stage.put(grant_of(both())), stage.put(second_of(both())))?;
        stage.until(operator, &grant, ready()).await?;
        stage.until(operator, &second, ready()).await?;
        client.run(&password, stays).await.context("what both grants state is refused")?;
        tokio::try_join!(stage.put(grant_of(json!([other]))), stage.put(second_of(json!([other]))))?;
        stage.until(operator, &grant, ready()).await?;
        stage.until(operator, &second, ready()).await?;
        ensure!(
            client.run(&password, stays).await.is_err(),
            "round {round}: both grants gave it up, and it is allowed"
        );
    }
    stage.delete(&second).await?;
    stage.until_gone(operator, &second).await?;

    stage.put(grant_of(json!([role, other]))).await?;
    stage.until(operator, &grant, ready()).await?;
    client.run(&password, stays).await.context("what the grant states is refused")?;
    stage.delete(&grant).await?;
    stage.until_gone(operator, &grant).await?;
    ensure!(client.run(&password, stays).await.is_err(), "nobody states it any more, and it is allowed");
    stage.delete(&subject).await?;
    stage.until_gone(operator, &subject).await
}
