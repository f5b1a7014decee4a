//! Panics while a document with secrets is applied.

use harmony_tests::control_plane::ControlPlane;
use harmony_tests::site::{echo, mesh};
use harmony_tests::{GatewayProcess, SECRET, eventually, free_port};

use super::canary::Canaries;
use super::outputs::Outputs;
use super::scanner::Scanner;

/// The text of a panic may repeat a document, as that of a string which is cut within a letter does.
#[tokio::test]
async fn a_panic_shows_no_secret() {
    let mut canaries = Canaries::new();
    let secret = canaries.word("a mesh");
    let mut texts: Vec<String> = Vec::new();
    for template in [
        "byte index 7 is not a char boundary, it is inside 'é' of `[mesh.m] jwt_secret = \"WORD\" oops",
        "an `Err` value: \"https://u:WORD@a.example/?token=WORD\"",
        "Authorization: Bearer WORD",
        "no key WORD",
    ] {
        let mut text = template.to_owned();
        if text.starts_with("no key") {
            text = text.replace("WORD", &canaries.random("a word that looks random"));
        }
        while text.contains("WORD") {
            text = text.replacen("WORD", &canaries.word("the text of a panic"), 1);
        }
        texts.push(text);
    }
    let scanner = Scanner::new(&canaries);
    let sections = mesh("clinic", "in").replace(SECRET, &secret);
    let sections = sections.replace("ingress = [\"in\"]", "ingress = []");
    let cloud = ControlPlane::start().await;
    let mut process = GatewayProcess::with(&cloud, free_port(), &sections).await;
    for text in texts {
        process.kill().await;
        let points = format!("built=panic({text})");
        process.restart_with_environment(&[("FAILPOINTS", &points), ("RUST_BACKTRACE", "1")]).await;
        cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
        process.gateway.wait_for_log("a thread panicked: ").await;
        let mut outputs = Outputs::default();
        eventually("the line is whole", || async {
            let log = process.gateway.log();
            if log.contains("location=") { Ok(()) } else { Err(log) }
        })
        .await;
        outputs.add(format!("the log of the panic {text:?}"), process.gateway.log());
        outputs.assert_clean(&scanner);
    }
}
