//! Events: one line that a person understands, counted where it repeats.
//!
//! An event that cannot be written is logged and lost: no reconcile fails for it. Deliberately absent: which
//! events there are, and secrets; messages arrive scrubbed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};

use crate::errors::chain;
use crate::telemetry::reconcile::current_id;

/// The API server refuses notes of more bytes.
const NOTE_BYTES: usize = 1024;

/// Longer than the library counts repetitions together.
const REMEMBERED: Duration = Duration::from_mins(10);

/// Writes events.
#[derive(Clone)]
pub struct Events {
    client: Client,
    reporter: Reporter,
    series: Arc<Mutex<HashMap<SeriesKey, Series>>>,
}

/// What repeats, or does not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct SeriesKey {
    uid: String,
    reason: String,
}

/// One text of an object and reason. The library's recorder tells events apart without looking at their text,
/// so another text gets another recorder; otherwise the first message would stand for all that follow.
struct Series {
    text: String,
    recorder: Recorder,
    used: Instant,
}

impl Events {
    /// Events of this replica.
    pub fn new(client: Client, replica: String) -> Self {
        let controller = "db-provision-operator".to_owned();
        Self { client, reporter: Reporter { controller, instance: Some(replica) }, series: Arc::default() }
    }

    /// Something went as it should.
    pub async fn normal<K: Resource<DynamicType = ()>>(&self, object: &K, reason: &str, text: &str) {
        self.publish(&object.object_ref(&()), EventType::Normal, reason, text, None).await;
    }

    /// Something needs attention.
    pub async fn warning<K: Resource<DynamicType = ()>>(&self, object: &K, reason: &str, text: &str) {
        self.publish(&object.object_ref(&()), EventType::Warning, reason, text, None).await;
    }

    /// The same, with the id of the running reconcile before the text, by which the log can be searched.
    pub async fn warning_with_id<K: Resource<DynamicType = ()>>(&self, object: &K, reason: &str, text: &str) {
        self.publish(&object.object_ref(&()), EventType::Warning, reason, text, Some(&current_id())).await;
    }

    async fn publish(&self, object: &ObjectReference, type_: EventType, reason: &str, text: &str, id: Option<&str>) {
        let key = SeriesKey { uid: object.uid.clone().unwrap_or_default(), reason: reason.to_owned() };
        let recorder = self.recorder(key, text, Instant::now());
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note(text, id)),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if let Err(error) = recorder.publish(&event, object).await {
            tracing::warn!(reason, error = chain(&error), "cannot write an event");
        }
    }

    fn recorder(&self, key: SeriesKey, text: &str, now: Instant) -> Recorder {
        let mut all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, series| now.saturating_duration_since(series.used) < REMEMBERED);
        if let Some(series) = all.get_mut(&key).filter(|series| series.text == text) {
            series.used = now;
            return series.recorder.clone();
        }
        let recorder = Recorder::new(self.client.clone(), self.reporter.clone());
        all.insert(key, Series { text: text.to_owned(), recorder: recorder.clone(), used: now });
        recorder
    }
}

/// The text on one line, within the limit.
fn note(text: &str, id: Option<&str>) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut note = id.map_or_else(String::new, |id| format!("[{id}] "));
    note.push_str(&line);
    if note.len() > NOTE_BYTES {
        const CUT: &str = "...";
        let end = note.floor_char_boundary(NOTE_BYTES - CUT.len());
        note.truncate(end);
        note.push_str(CUT);
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_one_line_and_may_begin_with_the_reconciles_id() {
        assert_eq!(note("cannot connect:\n  refused", Some("0123abcd")), "[0123abcd] cannot connect: refused");
        assert_eq!(note("created", None), "created");
    }

    #[test]
    fn a_note_is_cut_between_characters() {
        let note = note(&"ü".repeat(600), None);
        assert!(note.len() <= NOTE_BYTES && note.ends_with("ü..."));
    }
}
