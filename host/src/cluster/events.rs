//! Events: one line that a person understands, counted where it repeats.
//!
//! An event that cannot be written is logged and lost: no reconcile fails for it. Deliberately absent: which
//! events there are, and secrets; messages arrive scrubbed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use tokio::sync::mpsc;

use crate::errors::chain;
use crate::telemetry::reconcile::current_id;

/// The API server refuses notes of more bytes.
const NOTE_BYTES: usize = 1024;

/// Longer than the library counts repetitions together.
const REMEMBERED: Duration = Duration::from_mins(10);

/// Events that may wait to be written; beyond them, one is logged and lost.
const WAITING: usize = 4096;

/// Writes events, one after the other and behind the reconciles: nobody waits for one.
#[derive(Clone)]
pub struct Events {
    queue: mpsc::Sender<Waiting>,
}

/// An event that waits to be written.
struct Waiting {
    object: ObjectReference,
    type_: EventType,
    reason: String,
    /// What tells it from another of the same reason.
    text: String,
    note: String,
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
    /// Events of this replica. They are written as long as a clone of this lives.
    pub fn new(client: Client, replica: String) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        let controller = "db-provision-operator".to_owned();
        let reporter = Reporter { controller, instance: Some(replica) };
        tokio::spawn(Writer { client, reporter, series: HashMap::new() }.write(waiting));
        Self { queue }
    }

    /// Something went as it should.
    pub fn normal<K: Resource<DynamicType = ()>>(&self, object: &K, reason: &str, text: &str) {
        tracing::info!(reason, "{text}");
        self.publish(object.object_ref(&()), EventType::Normal, reason, text, None);
    }

    /// Something needs attention.
    pub fn warning<K: Resource<DynamicType = ()>>(&self, object: &K, reason: &str, text: &str) {
        tracing::warn!(reason, "{text}");
        self.publish(object.object_ref(&()), EventType::Warning, reason, text, None);
    }

    /// The same, with the id of the running reconcile before the text, by which the log can be searched: whoever failed
    /// has logged it.
    pub fn warning_with_id<K: Resource<DynamicType = ()>>(&self, object: &K, reason: &str, text: &str) {
        self.publish(object.object_ref(&()), EventType::Warning, reason, text, Some(&current_id()));
    }

    fn publish(&self, object: ObjectReference, type_: EventType, reason: &str, text: &str, id: Option<&str>) {
        let (reason, note) = (reason.to_owned(), note(text, id));
        let event = Waiting { object, type_, reason, text: text.to_owned(), note };
        if let Err(error) = self.queue.try_send(event) {
            let lost = error.into_inner();
            tracing::warn!(reason = lost.reason, "an event is lost, because too many wait: {}", lost.note);
        }
    }
}

struct Writer {
    client: Client,
    reporter: Reporter,
    series: HashMap<SeriesKey, Series>,
}

impl Writer {
    async fn write(mut self, mut waiting: mpsc::Receiver<Waiting>) {
        while let Some(Waiting { object, type_, reason, text, note }) = waiting.recv().await {
            let event = Event {
                type_,
                reason: reason.clone(),
                note: Some(note),
                action: "Reconcile".to_owned(),
                secondary: None,
            };
            // What went well is said once; counting repetitions of it is worth no memory.
            let written = if type_ == EventType::Normal {
                Recorder::new(self.client.clone(), self.reporter.clone()).publish(&event, &object).await
            } else {
                let key = SeriesKey { uid: object.uid.clone().unwrap_or_default(), reason };
                self.recorder(key, text, Instant::now()).publish(&event, &object).await
            };
            if let Err(error) = written {
                tracing::warn!(reason = event.reason, error = chain(&error), "cannot write an event");
            }
        }
    }

    fn recorder(&mut self, key: SeriesKey, text: String, now: Instant) -> Recorder {
        self.series.retain(|_, series| now.saturating_duration_since(series.used) < REMEMBERED);
        if let Some(series) = self.series.get_mut(&key).filter(|series| series.text == text) {
            series.used = now;
            return series.recorder.clone();
        }
        let recorder = Recorder::new(self.client.clone(), self.reporter.clone());
        self.series.insert(key, Series { text, recorder: recorder.clone(), used: now });
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
