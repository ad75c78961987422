//! Log lines, and figures in the Prometheus text format.
//!
//! Source of the format: Prometheus, "Exposition formats", text format version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_subscriber::EnvFilter;

use crate::settings::{Log, LogFormat};

/// Series of one metric at most: labels come from settings and fixed words, so this bounds mistakes only.
const SERIES_MAX: usize = 1000;
/// Upper bounds of a histogram, in seconds: from a page out of memory to a request that runs into its timeout.
const BUCKETS_SECONDS: [f64; 10] = [0.005, 0.02, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0];

/// What a metric does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations in seconds, by size.
    Histogram,
}

/// A metric; all there are stand below.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// The name, with its unit.
    pub name: &'static str,
    /// One line for people.
    pub help: &'static str,
    /// What it does.
    pub kind: Kind,
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $constant:ident = $kind:ident $name:literal $help:literal;)*) => {
        $($(#[$doc])* pub const $constant: Metric = Metric { name: $name, help: $help, kind: Kind::$kind };)*
        const ALL: &[&Metric] = &[$(&$constant),*];
    };
}

metrics! {
    /// By `webhook` and `outcome`: `accepted`, `unwatched`, `repeat`, `handshake`, `unparsable`, `unauthorized`, `too_large`,
    /// `unavailable`.
    DELIVERIES = Counter "lockkeeper_deliveries_total" "Deliveries received by webhooks, by outcome.";
    /// By `route` and `status`.
    REQUESTS = Counter "lockkeeper_http_requests_total" "HTTP requests answered, by route and status.";
    /// By `route`.
    REQUEST_SECONDS = Histogram "lockkeeper_http_request_seconds" "Time to answer an HTTP request.";
    /// By `outcome`: `recorded`, `released`, `lost`.
    RECONCILES = Counter "lockkeeper_reconciles_total" "Pipelines worked on, by outcome.";
    /// Without labels.
    RECONCILE_SECONDS = Histogram "lockkeeper_reconcile_seconds" "Time to observe, plan and apply one pipeline.";
    /// By `to`: `store`, `push`, `forge`, `registry`.
    WRITES = Counter "lockkeeper_writes_total" "Writes to the world, by where.";
    /// By `target` and `outcome`: `told`, `retried`, `refused`, `expired`.
    NOTIFICATIONS = Counter "lockkeeper_notifications_total" "Messages to those whom the settings want told, by outcome.";
    /// By `host` and `kind`: `ping`, `token`, `tags`, `manifest`, `blob`, `referrers`, `write`.
    REGISTRY_REQUESTS = Counter "lockkeeper_registry_requests_total" "Requests to registries, by host and kind.";
    /// Without labels.
    KEYS = Gauge "lockkeeper_keys" "Pipelines and repositories that are looked after.";
    /// Without labels.
    KEYS_DUE = Gauge "lockkeeper_keys_due" "Pipelines and repositories that wait for a worker.";
    /// Without labels.
    KEYS_LEASED = Gauge "lockkeeper_keys_leased" "Pipelines and repositories that a worker has.";
    /// Without labels.
    DELIVERIES_OPEN = Gauge "lockkeeper_deliveries_open" "Deliveries that some pipeline has yet to look at.";
    /// Without labels.
    EVENTS = Gauge "lockkeeper_events" "Events in the history.";
    /// By `answer`: `available`, `missing`, `unknown`, `unprobed`.
    IMAGES_PROBED = Gauge "lockkeeper_images_probed" "Images that are live or would be gone back to, by what the registry says.";
    /// Without labels.
    TAGS_REFUSED = Gauge "lockkeeper_tags_refused" "Channels and anchors that could not be set when they were tried last.";
    /// By `repository`.
    REPOSITORY_READ = Gauge "lockkeeper_repository_read_timestamp_seconds" "When a repository was last read well.";
}

/// The figures of this process; share it behind an `Arc`.
#[derive(Debug, Default)]
pub struct Metrics {
    series: Mutex<BTreeMap<&'static str, BTreeMap<String, Series>>>,
}

#[derive(Debug, Clone, Default)]
struct Series {
    /// The value, or the sum of a histogram.
    value: f64,
    /// Of a histogram: how many fell at or below each bound, not added up.
    buckets: [u64; BUCKETS_SECONDS.len()],
    count: u64,
}

impl Metrics {
    /// Adds to a counter.
    pub fn add(&self, metric: &Metric, labels: &[(&str, &str)], amount: u32) {
        self.update(metric, labels, |series| series.value += f64::from(amount));
    }

    /// Sets a gauge.
    pub fn set(&self, metric: &Metric, labels: &[(&str, &str)], value: f64) {
        self.update(metric, labels, |series| series.value = value);
    }

    /// Counts a duration in a histogram.
    pub fn observe(&self, metric: &Metric, labels: &[(&str, &str)], seconds: f64) {
        self.update(metric, labels, |series| {
            series.value += seconds;
            series.count += 1;
            let bounds = BUCKETS_SECONDS.iter().zip(series.buckets.iter_mut());
            if let Some((_, bucket)) = bounds.into_iter().find(|(bound, _)| seconds <= **bound) {
                *bucket += 1;
            }
        });
    }

    /// All figures as text; a metric without a value yet is left out.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        let all = self.lock();
        for metric in ALL {
            let Some(series) = all.get(metric.name) else { continue };
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            let _ = writeln!(text, "# HELP {0} {1}\n# TYPE {0} {kind}", metric.name, metric.help);
            for (labels, series) in series {
                render_series(&mut text, metric, labels, series);
            }
        }
        text
    }

    fn update(&self, metric: &Metric, labels: &[(&str, &str)], update: impl FnOnce(&mut Series)) {
        let labels = render_labels(labels);
        let mut all = self.lock();
        let series = all.entry(metric.name).or_default();
        if series.len() < SERIES_MAX || series.contains_key(&labels) {
            update(series.entry(labels).or_default());
        }
    }

    /// The figures stay usable whatever happened to another thread.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, BTreeMap<String, Series>>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn render_series(text: &mut String, metric: &Metric, labels: &str, series: &Series) {
    let name = metric.name;
    let braces = |inner: String| if inner.is_empty() { inner } else { format!("{{{inner}}}") };
    if metric.kind != Kind::Histogram {
        let _ = writeln!(text, "{name}{} {}", braces(labels.to_owned()), series.value);
        return;
    }
    let comma = if labels.is_empty() { "" } else { "," };
    let mut below = 0;
    for (bound, bucket) in BUCKETS_SECONDS.iter().zip(series.buckets) {
        below += bucket;
        let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {below}");
    }
    let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {}", series.count);
    let _ = writeln!(text, "{name}_sum{} {}", braces(labels.to_owned()), series.value);
    let _ = writeln!(text, "{name}_count{} {}", braces(labels.to_owned()), series.count);
}

fn render_labels(labels: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (place, (name, value)) in labels.iter().enumerate() {
        text.push_str(if place == 0 { "" } else { "," });
        text.push_str(name);
        text.push_str("=\"");
        for char in value.chars() {
            match char {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                _ => text.push(char),
            }
        }
        text.push('"');
    }
    text
}

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is no list of directives.
    #[error("log filter {filter:?} is not understood: {reason}")]
    Filter {
        /// The setting.
        filter: String,
        /// Why.
        reason: String,
    },
    /// Something in this process logs already.
    #[error("logging is set up already")]
    Twice,
}

/// Sends log lines to standard error: as text on a terminal, else as JSON, unless the settings say otherwise.
/// `NO_COLOR` is heeded.
///
/// # Errors
/// [`TelemetryError`] if the filter is not understood, or this was called before.
pub fn init(log: &Log) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&log.filter)
        .map_err(|error| TelemetryError::Filter { filter: log.filter.clone(), reason: error.to_string() })?;
    let is_terminal = std::io::stderr().is_terminal();
    let is_text = match log.format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let result = if is_text {
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        lines.with_ansi(is_terminal && !is_plain).with_target(false).try_init()
    } else {
        lines.json().flatten_event(true).try_init()
    };
    result.map_err(|_| TelemetryError::Twice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_rendered_by_kind_with_escaped_labels() {
        let metrics = Metrics::default();
        assert_eq!(metrics.render(), "");
        metrics.add(&DELIVERIES, &[("webhook", "a\"b\\"), ("outcome", "accepted")], 1);
        metrics.add(&DELIVERIES, &[("webhook", "a\"b\\"), ("outcome", "accepted")], 2);
        metrics.set(&KEYS, &[], 7.0);
        metrics.set(&KEYS, &[], 6.0);
        let want = "# HELP lockkeeper_deliveries_total Deliveries received by webhooks, by outcome.\n\
            # TYPE lockkeeper_deliveries_total counter\n\
            lockkeeper_deliveries_total{webhook=\"a\\\"b\\\\\",outcome=\"accepted\"} 3\n\
            # HELP lockkeeper_keys Pipelines and repositories that are looked after.\n\
            # TYPE lockkeeper_keys gauge\n\
            lockkeeper_keys 6\n";
        assert_eq!(metrics.render(), want);
    }

    #[test]
    fn buckets_add_up_and_a_bound_belongs_to_its_bucket() {
        let metrics = Metrics::default();
        for seconds in [0.005, 0.006, 500.0] {
            metrics.observe(&REQUEST_SECONDS, &[("route", "/")], seconds);
        }
        let text = metrics.render();
        for line in [
            "lockkeeper_http_request_seconds_bucket{route=\"/\",le=\"0.005\"} 1",
            "lockkeeper_http_request_seconds_bucket{route=\"/\",le=\"0.02\"} 2",
            "lockkeeper_http_request_seconds_bucket{route=\"/\",le=\"120\"} 2",
            "lockkeeper_http_request_seconds_bucket{route=\"/\",le=\"+Inf\"} 3",
            "lockkeeper_http_request_seconds_sum{route=\"/\"} 500.011",
            "lockkeeper_http_request_seconds_count{route=\"/\"} 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn series_are_bounded() {
        let metrics = Metrics::default();
        for number in 0..=SERIES_MAX {
            metrics.add(&WRITES, &[("to", &number.to_string())], 1);
        }
        assert_eq!(metrics.render().lines().count(), 2 + SERIES_MAX);
    }
}
