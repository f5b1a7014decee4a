//! The screen of `status`: its lines and their words.

use harmony_tests::control_plane::{ControlPlane, Fault, When};
use harmony_tests::site::{BASE, echo, on_ports};
use harmony_tests::{Gateway, GatewayProcess, RUNBEAM_CONFIG, Workdir, eventually, free_port};

use super::run;

async fn status(dir: &Workdir, home: &Workdir) -> (i32, String) {
    run(home.path(), &["status", "--config", dir.config().to_str().unwrap()]).await
}

/// Returns the row with this name.
#[track_caller]
fn row<'s>(screen: &'s str, name: &str) -> &'s str {
    let found = screen.lines().find(|line| line.trim_start().starts_with(name) && line.starts_with("  "));
    found.unwrap_or_else(|| panic!("no row {name}:\n{screen}"))
}

/// Returns whether a text has a number of nine digits, such as a time in seconds since 1970. A digest is no number.
fn has_epoch(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| word.len() >= 9 && word.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Waits until `status` has `text`, and returns its screen.
async fn wait_for(dir: &Workdir, home: &Workdir, text: &str) -> (i32, String) {
    eventually(&format!("status has {text:?}"), || async {
        let (code, screen) = status(dir, home).await;
        if screen.contains(text) { Ok((code, screen)) } else { Err(screen) }
    })
    .await
}

/// The same files are rejected for another cause than before: the screen has the current one.
#[tokio::test]
async fn rejection_has_its_current_cause() {
    let (dir, home, admin) = (Workdir::new(), Workdir::new(), free_port());
    let config = on_ports(BASE, free_port(), admin);
    dir.write("config.toml", &config);
    let mut command = tokio::process::Command::new(harmony_tests::binary());
    command.arg("run").arg("--config").arg(dir.config());
    let home_path = home.path().display().to_string();
    let mut gateway = Gateway::spawn_command(command, &dir.config(), &[("HOME", &home_path)]);
    gateway.wait_until_ready().await;
    let occupied = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ports = [occupied(), occupied(), occupied()];
    let numbers = ports.each_ref().map(|port| port.local_addr().unwrap().port());
    let network =
        |n: usize| format!("[network.n{n}.http]\nbind_address = \"127.0.0.1\"\nbind_port = {}\n", numbers[n]);
    let sections: String = (0..3).map(network).collect();
    let mut ports = ports.map(Some);
    dir.replace("config.toml", &format!("{config}{sections}"));
    for free in 0..3 {
        // All but one are occupied, each time another one.
        if free > 0 {
            ports[free - 1] = Some(std::net::TcpListener::bind(("127.0.0.1", numbers[free - 1])).unwrap());
        }
        ports[free] = None;
        let (shown, hidden) = ((free + 1) % 3, free);
        eventually("the cause is the current one", || async {
            let (code, screen) = status(&dir, &home).await;
            let has = |n: usize| screen.contains(&format!("127.0.0.1:{}", numbers[n]));
            if code == 7 && has(shown) && !has(hidden) { Ok(()) } else { Err(screen) }
        })
        .await;
    }
}

/// While the gateway is in sync, the screen has the control plane, the end of the authorization, the evidence, and each time
/// with its age.
#[tokio::test]
async fn in_sync_has_evidence_and_ages() {
    let cloud = ControlPlane::start().await;
    let gateway = GatewayProcess::following(&cloud).await;
    let change = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    let (code, screen) = wait_for(&gateway.dir, &gateway.home, &change).await;
    let (code, screen) = match code {
        0 => (code, screen),
        _ => wait_for(&gateway.dir, &gateway.home, "in sync\n  gateway").await,
    };
    assert_eq!(code, 0, "{screen}");
    assert!(row(&screen, "gateway").contains(gateway.dir.config().to_str().unwrap()), "{screen}");
    let provider = format!("runbeam at {} (polled every 1 s)", cloud.url());
    assert!(row(&screen, "provider").contains(&provider), "{screen}");
    let authorized = row(&screen, "authorized");
    assert!(authorized.contains("yes; ends in ") && authorized.contains(" days"), "{screen}");
    let gateway_there = format!("for the gateway {}", cloud.gateway_id("edge"));
    assert!(row(&screen, "credential").contains(&gateway_there), "{screen}");
    for (name, parts) in [
        ("last answer", &[" (20", "Z)", "next poll "][..]),
        ("applied", &["pipeline change ", &change, " (20"]),
        ("served", &["generation 2 (", "applied ", " (20"]),
        ("files", &["read ", " (20"]),
        ("last good", &[" (20"]),
        ("not seen", &["another gateway"]),
    ] {
        assert!(parts.iter().all(|part| row(&screen, name).contains(part)), "{name}: {screen}");
    }
    assert!(!has_epoch(&screen.replace(&change, "")) && !screen.contains("null"), "{screen}");
    let config = gateway.dir.config();
    let accept = ["sync", "--accept-fresh", "--config", config.to_str().unwrap()];
    let (code, output) = run(gateway.home.path(), &accept).await;
    assert_eq!(code, 0, "{output}");
    assert!(output.starts_with("accepted: "), "{output}");
    assert!(!screen.contains("expired") && !screen.contains("-  ") && !screen.contains("(s)"), "{screen}");
}

/// A poll that runs at the moment of the question is shown, too.
#[tokio::test]
async fn running_poll_is_shown() {
    let cloud = ControlPlane::start().await;
    let gateway = GatewayProcess::following(&cloud).await;
    wait_for(&gateway.dir, &gateway.home, "in sync\n  gateway").await;
    let hold = cloud.inject(When::call("GET", "/harmony/changes/*"), Fault::Hold);
    cloud.wait_for_hits(hold, 1).await;
    let (_, screen) = wait_for(&gateway.dir, &gateway.home, "next poll now").await;
    assert!(row(&screen, "last answer").ends_with("; next poll now"), "{screen}");
    cloud.remove_fault(hold);
}

/// Every reason that speaks of a control plane names its address, and says what to do.
#[tokio::test]
async fn reasons_name_the_control_plane() {
    let cloud = ControlPlane::start().await;
    let (dir, home) = (Workdir::new(), Workdir::new());
    let config = RUNBEAM_CONFIG.replace("API", cloud.url()).replace("INTERVAL", "1");
    dir.write("config.toml", &on_ports(&config, free_port(), free_port()));
    let arguments = ["--config", dir.config().to_str().unwrap()].map(str::to_owned);
    let start = async |token: &str| {
        let home = home.path().to_str().unwrap();
        let environment = [("HOME", home), ("RUNBEAM_MACHINE_TOKEN", token)];
        let mut gateway = Gateway::spawn_program(&harmony_tests::binary(), &dir.config(), &[], &environment);
        gateway.wait_until_ready().await;
        gateway
    };
    let url = cloud.url().to_owned();
    let named = |code: i32, screen: &str| {
        assert_eq!(code, 7, "{screen}");
        assert!(row(screen, "because").contains(&url), "{screen}");
        assert!(!screen.contains(".;") && !screen.contains(".:") && !has_epoch(screen), "{screen}");
    };

    let gateway = start("").await;
    let (code, screen) = wait_for(&dir, &home, "because").await;
    named(code, &screen);
    assert!(row(&screen, "because").contains("is not authorized"), "{screen}");
    assert!(row(&screen, "authorized").contains("NO: authorize this gateway"), "{screen}");
    let sync: Vec<&str> = ["sync"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
    let (code, output) = run(home.path(), &sync).await;
    assert_eq!(code, 9, "{output}");
    assert!(output.contains(&url) && output.contains("authorize"), "{output}");
    drop(gateway);

    // Neither JSON nor a bare token.
    let gateway = start("garbage{").await;
    let (code, screen) = wait_for(&dir, &home, "RUNBEAM_MACHINE_TOKEN").await;
    named(code, &screen);
    drop(gateway);

    let token = cloud.authorize("acme", "edge").to_string();
    let gateway = start(&token).await;
    wait_for(&dir, &home, "last answer just now").await;
    let rule = cloud.inject(When::path("*"), Fault::status(503));
    let (code, screen) = wait_for(&dir, &home, " times since ").await;
    named(code, &screen);
    assert!([" ago)", "(just now)"].iter().any(|age| row(&screen, "because").contains(age)), "{screen}");
    cloud.remove_fault(rule);
    cloud.revoke("edge");
    let (code, screen) = wait_for(&dir, &home, "refused").await;
    named(code, &screen);
    drop(gateway);
}

/// An authorization that ends within a week, and one that has ended, are told with the remedy.
#[tokio::test]
async fn the_end_of_the_authorization_is_told() {
    for (lifetime, expected) in [(3 * 86_400, "ENDS SOON: in "), (0, "NO: expired ")] {
        let cloud = ControlPlane::builder().machine_tokens_last(lifetime).start().await.unwrap();
        let gateway = GatewayProcess::following(&cloud).await;
        let (_, screen) = wait_for(&gateway.dir, &gateway.home, "authorized  ").await;
        let shown = row(&screen, "authorized");
        assert!(shown.contains(expected) && shown.contains("authorize this gateway again"), "{screen}");
        assert!(!shown.contains("until"), "{screen}");
    }
}

/// A certificate that ends soon or has expired has a row, once.
#[tokio::test]
async fn ending_certificates_are_told() {
    for (days, expected) in [(20, "ENDS SOON: in "), (-5, "EXPIRED ")] {
        let dir = Workdir::new();
        let (cert, key) = crate::certificates::ends_in(days);
        dir.write("cert.pem", &cert);
        dir.write("key.pem", &key);
        let tls = "bind_port = PORT\ncert_path = \"cert.pem\"\nkey_path = \"key.pem\"\n";
        let config = BASE.replace("bind_port = PORT\n", tls);
        dir.write("config.toml", &on_ports(&config, free_port(), free_port()));
        let _gateway = Gateway::start(&dir.config()).await;
        let (code, screen) = status(&dir, &dir).await;
        assert_eq!(code, 0, "{screen}");
        let shown = row(&screen, "certificate");
        assert!(
            shown.contains("cert.pem (network.public.http.cert_path) ") && shown.contains(expected),
            "{screen}"
        );
        assert_eq!(screen.matches("cert.pem").count(), 1, "{screen}");
    }
}

/// Many problems are counted and fit the screen; each has its place and remedy.
#[tokio::test]
async fn many_problems_fit_the_screen() {
    let dir = Workdir::new();
    let text = on_ports(&format!("{BASE}{}", echo("api", "/api")), free_port(), free_port());
    dir.write("config.toml", &text);
    let _gateway = Gateway::start(&dir.config()).await;
    let unknown = |n: usize| (0..n).map(|i| format!("[mesh.m{i}]\ntype = \"smtp\"\n")).collect::<String>();
    dir.replace("config.toml", &format!("{text}{}", unknown(40)));
    let (code, screen) = wait_for(&dir, &dir, "more problems").await;
    assert_eq!(code, 7, "{screen}");
    assert_eq!(screen.matches("  problem ").count(), 8, "{screen}");
    assert!(screen.lines().count() < 30, "{screen}");
    assert!(row(&screen, "problem").contains("config.toml:"), "{screen}");
    dir.replace("config.toml", &text.replace("\"echo\"", "7"));
    let (_, screen) = wait_for(&dir, &dir, "backends.api.service").await;
    assert_eq!(screen.matches("  problem ").count(), 1, "{screen}");
    assert!(!screen.contains("more"), "{screen}");
}
