//! One server of the world and the instance that stands for it, with everything that a scenario asks of both.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Event, Secret};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use testkit::postgres::{Login, PostgresEndpoint, Session};

use super::objects::{Resource, kind};
use super::{Setting, Shared};

const CREDENTIALS: &str = "administrator";

/// A server and its instance.
#[derive(Debug)]
pub struct Site {
    /// The server's major version, which ends every name of a resource.
    pub label: &'static str,
    /// The server.
    pub server: PostgresEndpoint,
    /// The instance.
    pub instance: Resource,
    /// What the sites of the test share.
    pub shared: Arc<Shared>,
    tag: String,
    setting: Setting,
}

impl Site {
    pub(super) async fn open(
        shared: &Arc<Shared>,
        label: &'static str,
        server: PostgresEndpoint,
        setting: &Setting,
    ) -> Result<Self> {
        let namespace = shared.namespace.name();
        let instance = Resource::new(shared, kind::<crds::DatabaseInstance>(), namespace, &format!("pg{label}"));
        let tag = format!("{:06x}", rand::random::<u32>() & 0x00ff_ffff);
        let site = Self { label, server, instance, shared: Arc::clone(shared), tag, setting: setting.clone() };
        site.create_credentials(namespace).await?;
        site.create_instance(&site.instance).await?;
        Ok(site)
    }

    async fn create_credentials(&self, namespace: &str) -> Result<()> {
        let account = if self.setting.as_superuser { &self.server.superuser } else { &self.server.administrator };
        let data = json!({ "username": account.name, "password": account.password });
        self.create_secret_in(namespace, &format!("{CREDENTIALS}{}", self.label), data).await
    }

    async fn create_instance(&self, instance: &Resource) -> Result<()> {
        let secret = format!("{CREDENTIALS}{}", self.label);
        let mut spec = json!({
            "engine": "postgres",
            "deletionProtection": false,
            "connection": {
                "host": self.server.host,
                "port": self.server.port,
                "database": "postgres",
                "secretRef": { "name": secret },
            },
            "healthCheck": { "intervalSeconds": 5 },
        });
        merge(&mut spec, &self.setting.instance);
        instance.create(spec).await
    }

    /// The same server seen from another namespace, by an instance of its own.
    pub async fn elsewhere(&self, namespace: &str) -> Result<Resource> {
        let instance = Resource::new(&self.shared, kind::<crds::DatabaseInstance>(), namespace, &self.instance.name);
        self.create_credentials(namespace).await?;
        self.create_instance(&instance).await?;
        instance.ready().await?;
        Ok(instance)
    }

    /// The same server once more, by an instance of another name.
    pub async fn again(&self, stem: &str) -> Result<Resource> {
        let name = format!("{}-{stem}", self.instance.name);
        let instance =
            Resource::new(&self.shared, kind::<crds::DatabaseInstance>(), self.shared.namespace.name(), &name);
        self.create_instance(&instance).await?;
        instance.ready().await?;
        Ok(instance)
    }

    /// A name on the server that no other test has.
    pub fn name(&self, stem: &str) -> String {
        format!("{stem}{}", self.tag)
    }

    /// The word that tells this site's names on the server from others.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// A `Database` in the test's namespace; it is created by the test.
    pub fn database(&self, stem: &str) -> Resource {
        self.database_in(self.shared.namespace.name(), stem)
    }

    /// A `Database` in any namespace.
    pub fn database_in(&self, namespace: &str, stem: &str) -> Resource {
        Resource::new(&self.shared, kind::<crds::Database>(), namespace, &format!("{stem}{}", self.label))
    }

    /// A `DatabaseUser` in the test's namespace; it is created by the test.
    pub fn user(&self, stem: &str) -> Resource {
        self.user_in(self.shared.namespace.name(), stem)
    }

    /// A `DatabaseUser` in any namespace.
    pub fn user_in(&self, namespace: &str, stem: &str) -> Resource {
        Resource::new(&self.shared, kind::<crds::DatabaseUser>(), namespace, &format!("{stem}{}", self.label))
    }

    /// A `DatabaseGrant` in the test's namespace; it is created by the test.
    pub fn grant(&self, stem: &str) -> Resource {
        let namespace = self.shared.namespace.name();
        Resource::new(&self.shared, kind::<crds::DatabaseGrant>(), namespace, &format!("{stem}{}", self.label))
    }

    /// The spec of a `Database` of this site that may be deleted, with `more` in it.
    #[expect(clippy::needless_pass_by_value, reason = "every caller makes it in place")]
    pub fn database_spec(&self, name: &str, more: Value) -> Value {
        let mut spec =
            json!({ "instanceRef": { "name": self.instance.name }, "name": name, "deletionProtection": false });
        merge(&mut spec, &more);
        spec
    }

    /// The spec of a `DatabaseUser` of this site, with `more` in it.
    #[expect(clippy::needless_pass_by_value, reason = "every caller makes it in place")]
    pub fn user_spec(&self, username: &str, more: Value) -> Value {
        let mut spec = json!({ "instanceRef": { "name": self.instance.name }, "username": username });
        merge(&mut spec, &more);
        spec
    }

    /// Creates a `Database` and waits until it is Ready.
    pub async fn ready_database(&self, stem: &str, more: Value) -> Result<(Resource, String)> {
        let (database, name) = (self.database(stem), self.name(stem));
        database.create(self.database_spec(&name, more)).await?;
        database.ready().await?;
        Ok((database, name))
    }

    /// Creates a `DatabaseUser` and waits until it is Ready; its Secret is `<resource>-login`.
    pub async fn ready_user(&self, stem: &str, more: Value) -> Result<(Resource, String)> {
        let (user, name) = (self.user(stem), self.name(stem));
        let mut spec = self.user_spec(&name, json!({ "passwordSecret": { "secretName": self.login_secret(stem) } }));
        merge(&mut spec, &more);
        user.create(spec).await?;
        user.ready().await?;
        Ok((user, name))
    }

    /// The Secret's name of a user made by `ready_user`.
    pub fn login_secret(&self, stem: &str) -> String {
        format!("{stem}{}-login", self.label)
    }

    /// Rows that the superuser sees.
    pub async fn rows(&self, database: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        self.server.query(database, sql).await
    }

    /// The one cell that the superuser sees; empty where there is none.
    pub async fn cell(&self, database: &str, sql: &str) -> Result<String> {
        Ok(self.server.query_cell(database, sql).await?.unwrap_or_default())
    }

    /// Fails unless the superuser sees this one cell.
    pub async fn sees(&self, database: &str, sql: &str, expected: &str) -> Result<()> {
        let found = self.cell(database, sql).await?;
        ensure!(found == expected, "`{sql}` answers {found:?}, not {expected:?}");
        Ok(())
    }

    /// Whether there is a database of this name.
    pub async fn has_database(&self, name: &str) -> Result<bool> {
        let sql = format!("SELECT count(*) FROM pg_database WHERE datname = {}", literal(name));
        Ok(self.cell("postgres", &sql).await? == "1")
    }

    /// Whether there is a role of this name.
    pub async fn has_role(&self, name: &str) -> Result<bool> {
        let sql = format!("SELECT count(*) FROM pg_roles WHERE rolname = {}", literal(name));
        Ok(self.cell("postgres", &sql).await? == "1")
    }

    /// The comment on a database, with the mark in it.
    pub async fn database_comment(&self, name: &str) -> Result<String> {
        let sql =
            format!("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = {}", literal(name));
        self.cell("postgres", &sql).await
    }

    /// The comment on a role, with the mark in it.
    pub async fn role_comment(&self, name: &str) -> Result<String> {
        let sql = format!("SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = {}", literal(name));
        self.cell("postgres", &sql).await
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.shared.client.clone(), self.shared.namespace.name())
    }

    /// Creates a Secret of somebody's own.
    pub async fn create_secret(&self, name: &str, data: Value) -> Result<()> {
        self.create_secret_in(self.shared.namespace.name(), name, data).await
    }

    async fn create_secret_in(&self, namespace: &str, name: &str, data: Value) -> Result<()> {
        let secret: Secret = serde_json::from_value(json!({ "metadata": { "name": name }, "stringData": data }))
            .context("compose a Secret")?;
        let api: Api<Secret> = Api::namespaced(self.shared.client.clone(), namespace);
        api.create(&PostParams::default(), &secret).await.with_context(|| format!("create the Secret {name}"))?;
        Ok(())
    }

    /// Merges into a Secret's data, as text; null removes a key.
    pub async fn change_secret(&self, name: &str, data: BTreeMap<&str, Option<&str>>) -> Result<()> {
        let encoded: BTreeMap<&str, Value> = data
            .into_iter()
            .map(|(key, value)| {
                let bytes = value.map(|value| k8s_openapi::ByteString(value.as_bytes().to_vec()));
                (key, bytes.map_or(Value::Null, |bytes| json!(bytes)))
            })
            .collect();
        let patch = Patch::Merge(json!({ "data": encoded }));
        self.secrets().patch(name, &PatchParams::default(), &patch).await.context("change a Secret")?;
        Ok(())
    }

    /// Puts a label on a Secret, as a person would.
    pub async fn label_secret(&self, name: &str, key: &str, value: &str) -> Result<()> {
        let patch = Patch::Merge(json!({ "metadata": { "labels": { key: value } } }));
        let parameters = PatchParams { field_manager: Some("person".to_owned()), ..PatchParams::default() };
        self.secrets().patch(name, &parameters, &patch).await.context("label a Secret")?;
        Ok(())
    }

    /// Deletes a Secret.
    pub async fn delete_secret(&self, name: &str) -> Result<()> {
        self.secrets().delete(name, &DeleteParams::default()).await.context("delete a Secret")?;
        Ok(())
    }

    /// A Secret.
    pub async fn secret(&self, name: &str) -> Result<Secret> {
        self.secrets().get(name).await.with_context(|| format!("read the Secret {name}"))
    }

    /// Whether there is such a Secret.
    pub async fn has_secret(&self, name: &str) -> Result<bool> {
        Ok(self.secrets().get_opt(name).await.context("look for a Secret")?.is_some())
    }

    /// What is in a Secret, as text.
    pub async fn secret_data(&self, name: &str) -> Result<BTreeMap<String, String>> {
        let data = self.secret(name).await?.data.unwrap_or_default();
        data.into_iter()
            .map(|(key, value)| Ok((key, String::from_utf8(value.0).context("read a Secret's value as text")?)))
            .collect()
    }

    /// The password in a Secret.
    pub async fn password(&self, name: &str) -> Result<String> {
        self.secret_data(name).await?.remove("password").context("the Secret has no password")
    }

    /// A session by what a Secret says alone: name, password, host and port.
    pub async fn login(&self, secret: &str, database: &str) -> Result<Session> {
        let data = self.secret_data(secret).await?;
        let value = |key: &str| data.get(key).with_context(|| format!("the Secret {secret} has no {key}"));
        let mut server = self.server.clone();
        server.host.clone_from(value("host")?);
        server.port = value("port")?.parse().context("read the port")?;
        server.login(value("username")?, value("password")?, database).await
    }

    /// Whether the server takes a name and a password.
    pub async fn takes(&self, username: &str, password: &str, database: &str) -> Result<bool> {
        match self.server.try_login(username, password, database).await? {
            Login::Accepted => Ok(true),
            Login::Refused { code, message: _ } if code.starts_with("28") => Ok(false),
            Login::Refused { code, message } => bail!("the server answered {code}: {message}"),
        }
    }

    /// Creates a `ConfigMap`.
    pub async fn create_config_map(&self, name: &str, data: Value) -> Result<()> {
        let object: ConfigMap = serde_json::from_value(json!({ "metadata": { "name": name }, "data": data }))
            .context("compose a ConfigMap")?;
        let api: Api<ConfigMap> = Api::namespaced(self.shared.client.clone(), self.shared.namespace.name());
        api.create(&PostParams::default(), &object).await.context("create a ConfigMap")?;
        Ok(())
    }

    /// Waits for an event about a resource whose text has `words`.
    pub async fn event(&self, about: &Resource, reason: &str, words: &str) -> Result<()> {
        let events: Api<Event> = Api::namespaced(self.shared.client.clone(), &about.namespace);
        about
            .eventually(&format!("an event {reason} about {about} with {words:?}"), async || {
                let all = events.list(&ListParams::default()).await.context("list the events")?;
                let found = all.iter().any(|event| {
                    event.involved_object.name.as_deref() == Some(&about.name)
                        && event.reason.as_deref() == Some(reason)
                        && event.message.as_deref().is_some_and(|message| message.contains(words))
                });
                ensure!(found, "there is none among {}", all.items.len());
                Ok(())
            })
            .await
    }

    /// Waits until the operator compared a resource with the server after it was applied, and answers whether it
    /// found a difference the last time.
    pub async fn compared(&self, resource: &Resource) -> Result<bool> {
        let label = format!("name=\"{}\"", resource.name);
        let place = format!("namespace=\"{}\"", resource.namespace);
        resource
            .eventually(&format!("{resource} is compared with the server"), async || {
                let metrics = self.shared.operator.read().await.metrics().await?;
                let line = metrics.lines().find(|line| {
                    line.starts_with("dbops_drift_detected{") && line.contains(&label) && line.contains(&place)
                });
                let Some(value) = line.and_then(|line| line.rsplit(' ').next()) else { bail!("it was not") };
                Ok(value != "0")
            })
            .await
    }

    /// Fails where one of these values stands in the server's log, the operator's, a resource or an event.
    pub async fn keeps_quiet_about(&self, values: &[&str]) -> Result<()> {
        let places = [
            ("the server's log", self.server.log_text()),
            ("the operator's log", self.shared.operator.read().await.log_text()),
            ("the resources and events", self.shared.namespace.state().await?),
        ];
        for value in values {
            for (place, text) in &places {
                ensure!(!text.contains(value), "{place} has a password");
            }
        }
        Ok(())
    }
}

/// A text in single quotes, by the server's own rules.
pub fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Merges `more` into `into`: objects by their members, everything else as it is.
fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more.clone(),
    }
}
