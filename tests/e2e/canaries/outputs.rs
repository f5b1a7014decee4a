//! The outputs of the programs, collected to be searched for secrets.

use std::path::Path;

use harmony_tests::{binary, client};
use serde_json::Value;
use tokio::process::Command;

use super::scanner::Scanner;

/// Outputs, each with its name.
#[derive(Debug, Default)]
pub(super) struct Outputs(Vec<(String, Vec<u8>)>);

impl Outputs {
    pub(super) fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((name.into(), bytes.into()));
    }

    /// Returns each leak in words.
    pub(super) fn leaks(&self, scanner: &Scanner) -> Vec<String> {
        self.0.iter().flat_map(|(name, bytes)| scanner.leaks(name, bytes)).collect()
    }

    /// Fails if an output shows a secret, and says where.
    #[track_caller]
    pub(super) fn assert_clean(&self, scanner: &Scanner) {
        let leaks = self.leaks(scanner);
        assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n\n"));
    }

    /// Runs a command on the configuration, and adds its output. Returns its exit code and its standard output.
    pub(super) async fn run(&mut self, config: &Path, arguments: &[&str]) -> (i32, String) {
        self.run_with(config, arguments, &[]).await
    }

    /// Runs a command with further variables of the environment.
    pub(super) async fn run_with(
        &mut self,
        config: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> (i32, String) {
        let mut command = Command::new(binary());
        command.args(arguments).env("HARMONY_CONFIG", config).env("HOME", config.parent().unwrap());
        for name in ["RUST_LOG", "HARMONY_MANAGEMENT_TOKEN", "HARMONY_STATE_DIR", "STATE_DIRECTORY"] {
            command.env_remove(name);
        }
        command.envs(environment.iter().copied());
        let output = command.stdin(std::process::Stdio::null()).kill_on_drop(true).output().await.unwrap();
        let name = format!("harmony-host {}", arguments.join(" "));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        self.add(name, [output.stdout, output.stderr].concat());
        (output.status.code().expect("an exit code"), text)
    }

    /// Sends a request, and adds the response with its head. Returns the status.
    pub(super) async fn ask(&mut self, request: reqwest::RequestBuilder) -> u16 {
        let request = request.build().unwrap();
        let name = format!("{} {}", request.method(), request.url().path());
        let response = client().execute(request).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let (status, head) = (response.status().as_u16(), format!("{:?}\n", response.headers()));
        self.add(name, [head.into_bytes(), response.bytes().await.unwrap().to_vec()].concat());
        status
    }

    /// Adds the answers of all routes that the management API has for reading, with these queries.
    pub(super) async fn read_all(&mut self, admin: &str, queries: &[(&str, String)]) {
        let listing: Value =
            client().get(format!("{admin}/none")).send().await.unwrap().json().await.unwrap();
        let listing = listing["message"].as_str().unwrap().to_owned();
        let reads = listing.split("has GET ").nth(1).and_then(|rest| rest.split(" and POST").next());
        let reads: Vec<&str> = reads.expect("the routes").split(", ").collect();
        assert!(reads.len() > 10 && reads.contains(&"metrics"), "{listing}");
        for read in reads {
            for query in queries.iter().filter(|(route, _)| *route == read).map(|(_, query)| query.as_str()) {
                self.ask(client().get(format!("{admin}/{read}?{query}"))).await;
            }
            self.ask(client().get(format!("{admin}/{read}"))).await;
        }
        for (path, kind) in [("/", "text/html"), ("/page.js", "*/*"), ("/page.css", "*/*")] {
            let request = client().get(format!("{admin}{path}")).header("accept", kind);
            assert_eq!(self.ask(request).await, 200, "{path}");
        }
    }
}
