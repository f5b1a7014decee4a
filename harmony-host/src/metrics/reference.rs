//! The reference of the metrics as Markdown: docs/METRICS.md.

use std::fmt::Write as _;

use crate::metrics::catalogue::ALL;
use crate::metrics::definition::{Definition, Side};
use crate::metrics::fault::Fault;
use crate::metrics::histogram::BOUNDS;
use crate::metrics::listener::Ending;
use crate::metrics::reason::Reason;

/// The text before the tables.
const INTRODUCTION: &str = "\
# Metrics

This page is written by `harmony-host metrics-reference`; a test checks that it is current. [alerts.yml](alerts.yml) has alert
rules for Prometheus, and [grafana.json](grafana.json) a dashboard for Grafana.

`GET /admin/metrics` on the network of the management API returns the metrics in the text format of Prometheus, with another
`management.base_path` below that one. On a network that the management API has for itself, `GET /metrics` does too. The guard is
that of the rest of the API: the loopback, or `management.token` as a bearer token:

```yaml
scrape_configs:
  - job_name: harmony
    authorization: { credentials_file: /etc/prometheus/harmony.token }
    static_configs: [{ targets: [\"gateway.example:9090\"] }]
```

No label has text of a request. The values of `network`, `pipeline`, `route`, `backend`, `mesh`, `listener` and `file` are names of
the served configuration: the series of a pipeline go away with it, and come with its first request. Counters begin at 0 with the
process; a reload of the configuration keeps those of every pipeline that is still there.
";

/// Returns the whole reference.
pub(crate) fn reference() -> String {
    let mut text = INTRODUCTION.to_owned();
    for (side, title) in
        [(Side::Requests, "Requests and connections"), (Side::Control, "Configuration, sync and process")]
    {
        let _ = write!(text, "\n## {title}\n\n");
        if side == Side::Control {
            text.push_str(
                "An application that embeds the host without the built-in gateway has these as well.\n\n",
            );
        }
        text.push_str("| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n");
        ALL.iter().filter(|metric| metric.side == side).for_each(|metric| write_metric(metric, &mut text));
    }
    let bounds: Vec<String> = BOUNDS.iter().map(ToString::to_string).collect();
    let _ = write!(text, "\nThe buckets of all histograms, in seconds: {}.\n", bounds.join(", "));
    let reasons = Reason::ALL.map(|reason| (reason.as_str(), reason.meaning()));
    write_values("The reasons of `harmony_refusals_total`", &reasons, &mut text);
    let faults = Fault::ALL.map(|fault| (fault.as_str(), fault.meaning()));
    write_values("The kinds of `harmony_backend_failures_total`", &faults, &mut text);
    let endings = Ending::ALL.map(|ending| (ending.as_str(), ending.meaning()));
    write_values("The reasons of `harmony_connections_ended_total`", &endings, &mut text);
    text
}

fn write_metric(metric: &Definition, text: &mut String) {
    let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    let (name, kind) = (metric.full_name(), metric.kind.as_str());
    let _ = writeln!(text, "| `{name}` | {kind} | {} | {} |", labels.join(", "), metric.help);
}

fn write_values(title: &str, values: &[(&str, &str)], text: &mut String) {
    let _ = write!(text, "\n## {title}\n\n| value | meaning |\n| --- | --- |\n");
    for (value, meaning) in values {
        let _ = writeln!(text, "| `{value}` | {meaning} |");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The rules of Prometheus for names: https://prometheus.io/docs/practices/naming.
    #[test]
    fn names_keep_the_rules() {
        let names: BTreeSet<String> = ALL.iter().map(|metric| metric.full_name()).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            let is_word = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(is_word(metric.name) && metric.labels.iter().all(|label| is_word(label)), "{metric:?}");
            assert!(metric.name.starts_with("harmony_") || metric.name.starts_with("process_"), "{metric:?}");
            assert!(metric.help.ends_with('.') && !metric.help.contains('|'), "{metric:?}");
        }
    }
}
