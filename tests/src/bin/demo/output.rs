//! The output of the demo.

use std::io::IsTerminal as _;
use std::time::Duration;

use harmony_tests::control_plane::ControlPlane;
use tokio::time::Instant;

use crate::node::Node;

/// The printer of steps. Colours are for terminals only.
#[derive(Debug)]
pub(crate) struct Output {
    colour: bool,
    started: Instant,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { colour: std::io::stdout().is_terminal(), started: Instant::now() }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Prints a successful step.
    pub(crate) fn step(&self, what: &str, took: Duration) {
        println!(
            "{} {what} {}",
            self.paint("32", "ok"),
            self.paint("2", &format!("({} ms)", took.as_millis()))
        );
    }

    /// Prints a detail of the previous step.
    pub(crate) fn detail(&self, text: &str) {
        println!("   {}", self.paint("2", text));
    }

    pub(crate) fn done(&self) {
        println!(
            "{} in {:.1} s",
            self.paint("1", "Every step succeeded"),
            self.started.elapsed().as_secs_f64()
        );
    }

    pub(crate) fn failed(&self, error: &str) {
        println!("{} {error}", self.paint("31", "FAILED"));
    }

    /// Prints the addresses to try.
    pub(crate) fn addresses(&self, cloud: &ControlPlane, [radiology, analytics]: &[Node; 2]) {
        let url = cloud.url();
        println!("\nThe gateways stay up until Ctrl-C. To try:");
        println!("  page of the control plane   {url}/");
        println!("  status page of a gateway    {}/", analytics.admin("/admin"));
        println!("  cross-team request          curl -s {}", analytics.url("/studies/1"));
        println!("  the same without a token    curl -s -i {}", radiology.url("/dicom-web/studies/1"));
        println!(
            "  sync status                 cargo run -q -p harmony-host -- status --url {}",
            analytics.admin("/admin")
        );
        println!("  configuration to edit       {}", analytics.config().display());
    }
}
