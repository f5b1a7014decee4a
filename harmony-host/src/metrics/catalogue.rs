//! The catalogue: all metrics of a gateway.

use crate::metrics::definition::{Definition, Kind, Side};

/// All metrics, in the order of the exposition.
pub(crate) const ALL: [&Definition; 45] = [
    &REQUESTS,
    &REQUEST_DURATION,
    &BACKEND_DURATION,
    &BACKEND_FAILURES,
    &BACKEND_RETRIES,
    &REFUSALS,
    &IN_FLIGHT,
    &CONNECTIONS,
    &ACCEPTED,
    &ENDED,
    &FAILED_ACCEPTS,
    &RECEIVED,
    &SENT,
    &LOST_LINES,
    &DROPPED_SPANS,
    &BUILD,
    &START,
    &GENERATION,
    &SERVED_SINCE,
    &PIPELINES,
    &WARNINGS,
    &IN_SYNC,
    &ATTEMPT_TIME,
    &ATTEMPT_SUCCESS,
    &ATTEMPT_CLASS,
    &APPLIED,
    &REJECTED,
    &RELOADS,
    &LAST_GOOD,
    &SYNC_CONTACT,
    &SYNC_FAILURES,
    &SYNC_PASSES,
    &SYNC_CHANGES,
    &SYNC_PENDING,
    &SYNC_HELD,
    &SYNC_NOT_TAKEN,
    &SYNC_QUARANTINED,
    &SYNC_OUTBOX,
    &JOURNAL,
    &AUTHORIZED,
    &AUTHORIZED_UNTIL,
    &CERTIFICATE,
    &CACHE_LOOKUPS,
    &CACHE_FETCHES,
    &CACHE_FAILURES,
];

pub(crate) const REQUESTS: Definition = Definition {
    name: "harmony_requests",
    kind: Kind::Counter,
    side: Side::Requests,
    help: "Requests by the class of their response. The route is the ingress or the endpoint. The pipeline is `(none)` where no route matches and `(management)` for the management API; the class is `none` if the client left before a response.",
    labels: &["network", "pipeline", "route", "class"],
};

pub(crate) const REQUEST_DURATION: Definition = Definition {
    name: "harmony_request_duration_seconds",
    kind: Kind::Histogram,
    side: Side::Requests,
    help: "Time from the head of a request to the end of its response.",
    labels: &["pipeline"],
};

pub(crate) const BACKEND_DURATION: Definition = Definition {
    name: "harmony_backend_duration_seconds",
    kind: Kind::Histogram,
    side: Side::Requests,
    help: "Time from sending a request to the head of the backend's response, of the last attempt.",
    labels: &["pipeline"],
};

pub(crate) const BACKEND_FAILURES: Definition = Definition {
    name: "harmony_backend_failures",
    kind: Kind::Counter,
    side: Side::Requests,
    help: "Attempts to send a request to a backend that failed. A request that was repeated and then answered counts here too.",
    labels: &["pipeline", "backend", "kind"],
};

pub(crate) const BACKEND_RETRIES: Definition = Definition {
    name: "harmony_backend_retries",
    kind: Kind::Counter,
    side: Side::Requests,
    help: "Further attempts of requests whose first one failed.",
    labels: &["pipeline", "backend"],
};

pub(crate) const REFUSALS: Definition = Definition {
    name: "harmony_refusals",
    kind: Kind::Counter,
    side: Side::Requests,
    help: "Requests that the gateway answered itself with a redirect or an error.",
    labels: &["reason"],
};

pub(crate) const IN_FLIGHT: Definition = Definition {
    name: "harmony_requests_in_flight",
    kind: Kind::Gauge,
    side: Side::Requests,
    help: "Requests and tunnels whose response is not over.",
    labels: &["network", "listener"],
};

pub(crate) const CONNECTIONS: Definition = Definition {
    name: "harmony_connections_open",
    kind: Kind::Gauge,
    side: Side::Requests,
    help: "Open connections of clients.",
    labels: &["network", "listener"],
};

pub(crate) const ACCEPTED: Definition = Definition {
    name: "harmony_connections_accepted",
    kind: Kind::Counter,
    side: Side::Requests,
    help: "Connections of clients that were accepted, probes of the gateway itself included.",
    labels: &["network", "listener"],
};

pub(crate) const ENDED: Definition = Definition {
    name: "harmony_connections_ended",
    kind: Kind::Counter,
    side: Side::Requests,
    help: "Connections of clients that have ended. `displaced` and `slow` gave their place to others.",
    labels: &["network", "listener", "reason"],
};

pub(crate) const FAILED_ACCEPTS: Definition = Definition {
    name: "harmony_connections_refused",
    kind: Kind::Counter,
    side: Side::Requests,
    help: "Failures to accept a connection, such as for want of file descriptors.",
    labels: &["network", "listener"],
};

pub(crate) const RECEIVED: Definition = Definition {
    name: "harmony_received_bytes",
    kind: Kind::Counter,
    side: Side::Requests,
    help: "Bytes that were read from clients, TLS included.",
    labels: &["network", "listener"],
};

pub(crate) const SENT: Definition = Definition {
    name: "harmony_sent_bytes",
    kind: Kind::Counter,
    side: Side::Requests,
    help: "Bytes that were written to clients, TLS included.",
    labels: &["network", "listener"],
};

pub(crate) const LOST_LINES: Definition = Definition {
    name: "harmony_access_log_lost",
    kind: Kind::Counter,
    side: Side::Requests,
    help: "Lines of the access log that were dropped or could not be written.",
    labels: &[],
};

pub(crate) const DROPPED_SPANS: Definition = Definition {
    name: "harmony_otlp_dropped_spans",
    kind: Kind::Counter,
    side: Side::Requests,
    help: "Spans that were dropped, or that the collector did not take. Only with `--otlp-endpoint`.",
    labels: &[],
};

pub(crate) const BUILD: Definition = Definition {
    name: "harmony_build_info",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "The build of the gateway; the value is 1.",
    labels: &["version", "os", "arch"],
};

pub(crate) const START: Definition = Definition {
    name: "process_start_time_seconds",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "Start of the host, in seconds since 1970.",
    labels: &[],
};

pub(crate) const GENERATION: Definition = Definition {
    name: "harmony_configuration_generation",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "The number of the served configuration; 0 without one.",
    labels: &[],
};

pub(crate) const SERVED_SINCE: Definition = Definition {
    name: "harmony_configuration_applied_timestamp_seconds",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "Time at which the served configuration was applied.",
    labels: &[],
};

pub(crate) const PIPELINES: Definition = Definition {
    name: "harmony_configuration_pipelines",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "Pipelines of the served configuration.",
    labels: &[],
};

pub(crate) const WARNINGS: Definition = Definition {
    name: "harmony_configuration_warnings",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "Warnings about the served configuration.",
    labels: &[],
};

pub(crate) const IN_SYNC: Definition = Definition {
    name: "harmony_in_sync",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "1 when the gateway serves the files and the provider has no change that is not live.",
    labels: &[],
};

pub(crate) const ATTEMPT_TIME: Definition = Definition {
    name: "harmony_configuration_last_attempt_timestamp_seconds",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "Time at which a configuration was tried last.",
    labels: &[],
};

pub(crate) const ATTEMPT_SUCCESS: Definition = Definition {
    name: "harmony_configuration_last_attempt_success",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "1 when the configuration that was tried last was applied, 0 when it was rejected.",
    labels: &[],
};

pub(crate) const ATTEMPT_CLASS: Definition = Definition {
    name: "harmony_configuration_last_rejection",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "1 for the class of the rejection while the configuration that was tried last is a rejected one; no series otherwise.",
    labels: &["class"],
};

pub(crate) const APPLIED: Definition = Definition {
    name: "harmony_configurations_applied",
    kind: Kind::Counter,
    side: Side::Control,
    help: "Configurations that were applied, that of the start included.",
    labels: &[],
};

pub(crate) const REJECTED: Definition = Definition {
    name: "harmony_configurations_rejected",
    kind: Kind::Counter,
    side: Side::Control,
    help: "Configurations that were rejected, by the class of their rejection.",
    labels: &["class"],
};

pub(crate) const RELOADS: Definition = Definition {
    name: "harmony_reloads",
    kind: Kind::Counter,
    side: Side::Control,
    help: "Reloads that an operator has asked for, by SIGHUP or the management API.",
    labels: &["verdict"],
};

pub(crate) const LAST_GOOD: Definition = Definition {
    name: "harmony_last_good_saved",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "1 while the served configuration is saved for the next start, 0 while it could not be.",
    labels: &[],
};

pub(crate) const SYNC_CONTACT: Definition = Definition {
    name: "harmony_sync_last_contact_timestamp_seconds",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "Time of the provider's last response; no series before the first.",
    labels: &["provider"],
};

pub(crate) const SYNC_FAILURES: Definition = Definition {
    name: "harmony_sync_consecutive_failures",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "Failures of the sync in a row.",
    labels: &["provider"],
};

pub(crate) const SYNC_PASSES: Definition = Definition {
    name: "harmony_sync_passes",
    kind: Kind::Counter,
    side: Side::Control,
    help: "Ends of sync passes: `done` or `failed`.",
    labels: &["outcome"],
};

pub(crate) const SYNC_CHANGES: Definition = Definition {
    name: "harmony_sync_changes",
    kind: Kind::Counter,
    side: Side::Control,
    help: "Changes of the provider that were `applied`, `rejected` or `held`.",
    labels: &["outcome"],
};

pub(crate) const SYNC_PENDING: Definition = Definition {
    name: "harmony_sync_pending_changes",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "Changes without a verdict.",
    labels: &["provider"],
};

pub(crate) const SYNC_HELD: Definition = Definition {
    name: "harmony_sync_held_changes",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "Changes that are deferred until another one comes.",
    labels: &["provider"],
};

pub(crate) const SYNC_NOT_TAKEN: Definition = Definition {
    name: "harmony_sync_not_taken_changes",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "Changes that the provider lists and this gateway does not take.",
    labels: &["provider"],
};

pub(crate) const SYNC_QUARANTINED: Definition = Definition {
    name: "harmony_sync_quarantined_changes",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "Rejected changes that are tried again.",
    labels: &["provider"],
};

pub(crate) const SYNC_OUTBOX: Definition = Definition {
    name: "harmony_sync_undelivered_verdicts",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "Verdicts that the provider has not received.",
    labels: &["provider"],
};

pub(crate) const JOURNAL: Definition = Definition {
    name: "harmony_journal_bytes",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "Size of the journal of changes; no series before it is opened.",
    labels: &["provider"],
};

pub(crate) const AUTHORIZED: Definition = Definition {
    name: "harmony_authorization_valid",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "1 while the gateway has a credential that was not refused, or needs none.",
    labels: &["provider"],
};

pub(crate) const AUTHORIZED_UNTIL: Definition = Definition {
    name: "harmony_authorization_expiry_timestamp_seconds",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "Time at which the credential of the gateway expires or has expired; no series for one that does not.",
    labels: &["provider"],
};

pub(crate) const CERTIFICATE: Definition = Definition {
    name: "harmony_certificate_expiry_timestamp_seconds",
    kind: Kind::Gauge,
    side: Side::Control,
    help: "Time at which the first certificate of a configured file expires.",
    labels: &["file"],
};

pub(crate) const CACHE_LOOKUPS: Definition = Definition {
    name: "harmony_cache_lookups",
    kind: Kind::Counter,
    side: Side::Control,
    help: "Questions for a cached answer of a provider: `references`, `verified_tokens` and `issued_tokens`, the last two by mesh.",
    labels: &["cache", "mesh"],
};

pub(crate) const CACHE_FETCHES: Definition = Definition {
    name: "harmony_cache_fetches",
    kind: Kind::Counter,
    side: Side::Control,
    help: "Calls of the provider for what was not cached, or to refresh it. The misses: lookups that are no fetches are hits.",
    labels: &["cache", "mesh"],
};

pub(crate) const CACHE_FAILURES: Definition = Definition {
    name: "harmony_cache_fetch_failures",
    kind: Kind::Counter,
    side: Side::Control,
    help: "Those that failed since the provider could not answer. For `verified_tokens`: its keys (JWKS) could not be fetched.",
    labels: &["cache", "mesh"],
};
