use std::io::IsTerminal as _;
use std::time::Duration;

use harmony_tests::control_plane::ControlPlane;
use tokio::time::Instant;

use crate::node::Node;

/// What is printed. Colour only on a terminal.
#[derive(Debug)]
pub(crate) struct Teller {
    colour: bool,
    began: Instant,
}

impl Teller {
    pub(crate) fn new() -> Self {
        Self { colour: std::io::stdout().is_terminal(), began: Instant::now() }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// One step that did what it should.
    pub(crate) fn step(&self, what: &str, took: Duration) {
        println!(
            "{} {what} {}",
            self.paint("32", "ok"),
            self.paint("2", &format!("({} ms)", took.as_millis()))
        );
    }

    /// Something that belongs to the step before.
    pub(crate) fn detail(&self, text: &str) {
        println!("   {}", self.paint("2", text));
    }

    pub(crate) fn done(&self) {
        println!(
            "{} in {:.1} s",
            self.paint("1", "Every step did what it should"),
            self.began.elapsed().as_secs_f64()
        );
    }

    pub(crate) fn failed(&self, wrong: &str) {
        println!("{} {wrong}", self.paint("31", "FAILED"));
    }

    /// What to try while it stays up.
    pub(crate) fn addresses(&self, cloud: &ControlPlane, [radiology, analytics]: &[Node; 2]) {
        let url = cloud.url();
        println!("\nIt stays up; Ctrl-C ends it. To try:");
        println!("  the control plane's page    {url}/");
        println!("  a cross-team request        curl -s {}", analytics.url("/studies/1"));
        println!("  the same without a token    curl -s -i {}", radiology.url("/dicom-web/studies/1"));
        println!(
            "  is a gateway in sync        cargo run -q -p harmony-host -- status --url {}",
            analytics.admin("/admin")
        );
        println!("  its configuration, to edit  {}", analytics.config().display());
    }
}
