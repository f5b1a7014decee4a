//! Messages as an operator reads them: each names the place, the reason and the remedy, once.

mod logged;

use std::path::Path;
use std::process::Command;

use harmony_tests::site::{BASE, echo, on_ports};
use harmony_tests::{Gateway, Workdir, binary, free_port};
use serde_json::Value;

/// Runs `check --json`, and returns the errors as lines.
async fn errors(dir: &Workdir) -> Vec<String> {
    let config = dir.config();
    let run = move || Command::new(binary()).args(["check", "--json", "--config"]).arg(config).output();
    let output = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = |error: &Value| {
        format!(
            "{}:{}: {}: {} ({})",
            text(&error["file"]),
            error["line"].as_u64().unwrap_or_default(),
            text(&error["key"]),
            text(&error["message"]),
            text(&error["help"])
        )
    };
    report["errors"].as_array().unwrap().iter().map(line).collect()
}

/// Returns the only error of a configuration.
async fn only_error(dir: &Workdir) -> String {
    let errors = errors(dir).await;
    assert_eq!(errors.len(), 1, "one mistake has one error: {errors:#?}");
    errors[0].clone()
}

fn dir(config: &str) -> Workdir {
    Workdir::with([("config.toml", on_ports(config, free_port(), free_port()))])
}

/// The five lines above the section of a provider.
const REMOTE: &str = "[proxy]\nid = \"edge\"\nprimary_provider = \"runbeam\"\n\n";

/// A mistake in the section of the provider has one error, at the line of its key.
#[tokio::test]
async fn one_mistake_has_one_error_at_its_line() {
    for (section, expected) in [
        (
            "[provider.runbeam]\npoll_interval_secs = \"30s\"\n",
            "config.toml:6: provider.runbeam.poll_interval_secs: expected a whole number",
        ),
        (
            "[provider.runbeam]\npoll_interval_secs = 5000\n",
            "config.toml:6: provider.runbeam.poll_interval_secs: expected 0 to 3600, found 5000",
        ),
        (
            "[provider.runbeam]\npoll_interval_secs = -1\n",
            "config.toml:6: provider.runbeam.poll_interval_secs: expected 0 to 3600, found -1",
        ),
        (
            "[provider.runbeam]\npoll_interval_secs = 30.5\n",
            "config.toml:6: provider.runbeam.poll_interval_secs: expected a whole number",
        ),
        (
            "[provider.runbeam]\n# the cloud\napi = 7\n",
            "config.toml:7: provider.runbeam.api: expected a string",
        ),
        (
            "[provider.runbeam]\n# the cloud\napi = \"ftp://x.example\"\n",
            "config.toml:7: provider.runbeam.api: `api` has the scheme",
        ),
        (
            "[provider.runbeam]\n\nallow_insecure = \"yes\"\n",
            "config.toml:7: provider.runbeam.allow_insecure: invalid type",
        ),
        (
            "[provider.runbeam]\n\n\napi = \"http://x.example\"\n",
            "config.toml:8: provider.runbeam.api: `api` is http to another machine",
        ),
        (
            "[provider.runbeam]\napi = \"https://u:p@x.example\"\n",
            "config.toml:6: provider.runbeam.api: `api` has a user",
        ),
        (
            "[provider.runbeam]\nenabled = \"no\"\n",
            "config.toml:6: provider.runbeam.enabled: expected true or false",
        ),
    ] {
        let error = only_error(&dir(&format!("{REMOTE}{section}"))).await;
        assert!(error.starts_with(expected), "{section}: {error}");
    }
    let mesh = "[mesh.m]\ntype = \"http\"\nprovider = \"local\"\njwt_secret = \"0123456789abcdef0123456789abcdef\"\n\
                ingress = [\"local.name.i\"]\n[pipelines.api.mesh.ingress.i]\ntype = \"http\"\nmode = \"mesh\"\n\
                urls = [\"https://a.example/a\"]\n";
    let whole = format!("{BASE}{}{mesh}", echo("api", "/api"));
    assert_eq!(errors(&dir(&whole)).await, [""; 0]);
    for (from, to, expected) in [
        ("endpoints = [\"api\"]", "endpoints = 7", "pipelines.api.endpoints: expected a list of strings"),
        (
            "endpoints = [\"api\"]",
            "endpoints = [7]",
            "pipelines.api.endpoints: expected a string in the list",
        ),
        (
            "endpoints = [\"api\"]",
            "endpoints = [\"apy\"]",
            "pipelines.api.endpoints: there is no [endpoints.apy]",
        ),
        ("endpoints = [\"api\"]", "endpoints = [\"api]", "config.toml: invalid basic string"),
        ("service = \"http\"", "service = 7", "endpoints.api.service: expected a string"),
        ("path_prefix = \"/api\"", "path_prefix = 7", "endpoints.api.options.path_prefix: expected a string"),
        (
            "jwt_secret = \"0123456789abcdef0123456789abcdef\"",
            "jwt_secret = 7",
            "mesh.m.jwt_secret: expected a string",
        ),
        (
            "urls = [\"https://a.example/a\"]",
            "urls = \"https://a.example/a\"",
            "pipelines.api.mesh.ingress.i.urls: expected a list",
        ),
    ] {
        let error = only_error(&dir(&whole.replacen(from, to, 1))).await;
        assert!(error.contains(expected), "{to}: {error}");
    }
    let legacy =
        "[proxy]\nid = \"edge\"\n\n[runbeam]\nenabled = true\ncloud_api_base_url = \"ftp://x.example\"\n";
    let error = only_error(&dir(legacy)).await;
    assert!(error.starts_with("config.toml:6: runbeam.cloud_api_base_url: "), "{error}");
    let legacy = "[proxy]\nid = \"edge\"\n\n[runbeam]\nenabled = true\npoll_interval_secs = 5000\n";
    let error = only_error(&dir(legacy)).await;
    assert!(error.starts_with("config.toml:6: runbeam.poll_interval_secs: expected 0 to 3600"), "{error}");
}

/// A syntax error names what the parser expected, also when that is a quotation mark.
#[tokio::test]
async fn a_missing_quotation_mark_is_named() {
    let dir = dir(&format!("{BASE}[pipelines.x]\nnetworks = [\"public]\n"));
    let errors = errors(&dir).await;
    assert!(errors[0].contains("expected a quotation mark at the end of the text"), "{errors:#?}");
}

/// A name without a definition has the defined ones in its help, the nearest first.
#[tokio::test]
async fn a_missing_network_names_the_nearest_first() {
    let config = BASE.replace("network = \"management\"", "network = \"publik\"");
    let error = only_error(&dir(&config)).await;
    assert!(error.contains("there is no [network.publik]"), "{error}");
    assert!(error.contains("defined are: public, management"), "{error}");
    let dir = dir(&format!(
        "{BASE}{}",
        echo("api", "/api").replace("networks = [\"public\"]", "networks = [\"managment\"]")
    ));
    let error = only_error(&dir).await;
    assert!(error.contains("there is no [network.managment] in config.toml"), "{error}");
    assert!(error.contains("defined are: management, public"), "{error}");
}

/// A file that is not UTF-8 has the line, the likely encoding and the remedy; its text is not shown.
#[tokio::test]
async fn not_utf8_has_line_encoding_and_remedy() {
    let utf16 = |text: &str| -> Vec<u8> {
        [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
    };
    for (bytes, place, reason, remedy) in [
        (
            b"# one\n[pipelines.x]\n# M\xfcnchen, s\xe9cret hunter2\n".to_vec(),
            "pipelines/x.toml:3:",
            "this is not UTF-8 at line 3, column 4; the file is perhaps Latin-1",
            "iconv -f ISO-8859-1 -t UTF-8",
        ),
        (
            utf16("password = \"hunter2\"\n"),
            "pipelines/x.toml",
            "this is UTF-16, not UTF-8",
            "iconv -f UTF-16 -t UTF-8",
        ),
    ] {
        let dir = dir(&format!("{BASE}[proxy.placeholder]\n").replace("[proxy.placeholder]\n", ""));
        dir.edit("config.toml", "id = \"site\"", "id = \"site\"\npipelines_path = \"pipelines\"");
        std::fs::create_dir_all(dir.path().join("pipelines")).unwrap();
        std::fs::write(dir.path().join("pipelines/x.toml"), bytes).unwrap();
        let error = only_error(&dir).await;
        assert!(error.contains(place) && error.contains(reason) && error.contains(remedy), "{error}");
        let shown = Command::new(binary()).args(["check", "--config"]).arg(dir.config()).output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        assert!(!shown.contains("hunter2") && !shown.contains("h?u?n?t"), "{shown}");
    }
}

/// A file that cannot be read has its whole path, the reason and the remedy.
#[tokio::test]
async fn an_unreadable_file_has_path_reason_and_remedy() {
    type Make = fn(&Path);
    let makes: [(Make, &str); 4] = [
        (|path| std::fs::create_dir(path).unwrap(), "this is a directory, not a regular file"),
        (
            |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
            "this is a named pipe",
        ),
        (
            |path| std::fs::write(path, vec![b'#'; 5 << 20]).unwrap(),
            "the file has 5.0 MiB; the maximum is 4 MiB",
        ),
        (|_| (), "it does not exist (No such file or directory)"),
    ];
    for (make, reason) in makes {
        let dir = Workdir::new();
        make(&dir.config());
        let error = only_error(&dir).await;
        let path = format!("the file {} cannot be read: ", dir.config().display());
        assert!(error.contains(&path) && error.contains(reason), "{error}");
        assert!(!error.ends_with("()"), "there is a remedy: {error}");
    }
}

/// An address that cannot be bound has the remedy that fits the reason.
#[tokio::test]
async fn bind_errors_have_their_remedy() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let in_use = dir(&BASE.replace("bind_port = PORT", &format!("bind_port = {port}")));
    // RFC 5737: an address for documentation, which no interface has.
    let elsewhere = dir(&BASE.replacen("127.0.0.1", "192.0.2.1", 1));
    for (dir, expected) in [
        (in_use, ["the address is in use", "free the address", "sport = :"]),
        (elsewhere, ["cannot listen on 192.0.2.1:", "no interface of this machine has 192.0.2.1", "0.0.0.0"]),
    ] {
        let mut gateway = Gateway::spawn(&dir.config(), &[]);
        assert_eq!(gateway.exit_code().await, 1);
        let log = gateway.log();
        for part in expected {
            assert!(log.contains(part) || part == "the address is in use", "{part}: {log}");
        }
        assert!(log.contains("1 problem") && !log.contains("1 problems"), "{log}");
    }
}
