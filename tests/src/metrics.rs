//! The metrics of a gateway, as a scrape returns them.

use std::collections::BTreeMap;

use crate::{client, eventually};

/// The series of one scrape.
#[derive(Clone, Debug)]
pub struct Metrics {
    text: String,
    series: Vec<Series>,
}

#[derive(Clone, Debug)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Metrics {
    /// Scrapes the management API on `port`.
    ///
    /// # Panics
    /// Panics if there is no response with metrics.
    pub async fn of(port: u16) -> Self {
        let url = format!("http://127.0.0.1:{port}/metrics");
        let response = client().get(&url).send().await.unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!(response.status(), 200, "{url}");
        assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        Self::parse(response.text().await.expect("a text"))
    }

    /// Scrapes until `check` returns true, and returns that scrape.
    ///
    /// # Panics
    /// Panics with the last scrape if that takes too long.
    pub async fn until(port: u16, what: &str, check: impl Fn(&Self) -> bool) -> Self {
        eventually(what, || async {
            let metrics = Self::of(port).await;
            if check(&metrics) { Ok(metrics) } else { Err(metrics.text) }
        })
        .await
    }

    fn parse(text: String) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let series = lines.map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            // No value of a label in the tests has a comma or a quotation mark.
            let labels = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty());
            let label = |label: &str| {
                let (name, value) = label.split_once('=').expect("a label");
                (name.to_owned(), value.trim_matches('"').to_owned())
            };
            let value = value.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
            Series { name: name.to_owned(), labels: labels.map(label).collect(), value }
        });
        let series = series.collect();
        Self { text, series }
    }

    /// The text of the scrape.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The sum of the series of a metric that have these labels; `None` if there is none.
    pub fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |series: &&Series| {
            series.name == name
                && labels
                    .iter()
                    .all(|(name, value)| series.labels.get(*name).is_some_and(|found| found == value))
        };
        let found: Vec<f64> = self.series.iter().filter(has).map(|series| series.value).collect();
        (!found.is_empty()).then(|| found.iter().sum())
    }

    /// The sum of the series of a metric that have these labels; 0 if there is none.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels).unwrap_or_default()
    }

    /// The number of requests that were refused for a reason.
    pub fn refused(&self, reason: &str) -> f64 {
        self.find("harmony_refusals_total", &[("reason", reason)]).expect("a known reason")
    }

    /// Returns each series that satisfies `is_meant`, given its name and its labels.
    pub fn each(
        &self,
        is_meant: impl Fn(&str, &BTreeMap<String, String>) -> bool,
    ) -> BTreeMap<(String, BTreeMap<String, String>), f64> {
        let meant = self.series.iter().filter(|series| is_meant(&series.name, &series.labels));
        meant.map(|series| ((series.name.clone(), series.labels.clone()), series.value)).collect()
    }

    /// The number of series.
    pub fn count(&self) -> usize {
        self.series.len()
    }
}
