//! The documents for operators: generated ones are current, and the runbook has a section for everything that is reported.

use std::collections::BTreeSet;
use std::path::Path;

use harmony_tests::{Workdir, binary};
use provider_api::RejectionClass;

use super::{file, repository};

/// Runs the binary without a configuration, and returns its standard output.
fn output(arguments: &[&str]) -> String {
    let output = std::process::Command::new(binary()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn configuration_page_is_current() {
    let current = output(&["schema", "--markdown"]);
    assert!(
        current == file("docs/CONFIGURATION.md"),
        "run `harmony-host schema --markdown > docs/CONFIGURATION.md`"
    );
}

/// Returns the sections of a heading in the runbook, as they are named in it.
fn sections() -> BTreeSet<String> {
    let text = file("docs/RUNBOOK.md");
    let headings = text.lines().filter_map(|line| line.strip_prefix("### "));
    let names = headings.flat_map(|heading| heading.split('`').skip(1).step_by(2));
    names.map(str::to_owned).collect()
}

/// Each section of the runbook says what is meant, where it comes from, and what to do.
#[test]
fn sections_are_complete() {
    let text = file("docs/RUNBOOK.md");
    for section in text.split("\n### ").skip(1) {
        let section = section.split("\n## ").next().unwrap();
        let heading = section.lines().next().unwrap();
        for part in ["Meaning: ", "Cause: ", "Remedy: "] {
            assert!(section.contains(&format!("\n* {part}")), "{heading} has no {part}");
        }
    }
}

#[test]
fn runbook_has_every_class_of_rejection() {
    let sections = sections();
    for class in RejectionClass::ALL {
        assert!(sections.contains(&class.to_string()), "no section `{class}`");
    }
}

#[test]
fn runbook_has_every_exit_code() {
    let (help, sections) = (output(&["--help"]), sections());
    let (_, table) = help.split_once("Exit codes:").unwrap();
    let codes: Vec<&str> = table.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(codes.len() > 10, "{codes:?}");
    for code in codes.iter().filter(|code| **code != "0") {
        assert!(sections.contains(&format!("exit {code}")), "no section `exit {code}`");
    }
}

/// The codes of error responses, of requests and of the management API, as the sources have them.
#[test]
fn runbook_has_every_refusal() {
    let (mut codes, mut todo) = (BTreeSet::new(), vec![repository("harmony-host/src")]);
    while let Some(next) = todo.pop() {
        for path in std::fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            match path.is_dir() {
                true => todo.push(path),
                false => codes.extend(codes_of(&path)),
            }
        }
    }
    assert!(codes.len() > 20, "{codes:?}");
    let sections = sections();
    let missing: Vec<&String> = codes.iter().filter(|code| !sections.contains(*code)).collect();
    assert!(missing.is_empty(), "no section for {missing:?}");
}

/// Returns the codes that a source file has beside a status, as in `(StatusCode::NOT_FOUND, "no_route"`.
fn codes_of(path: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap();
    let after = text.split("StatusCode::").skip(1);
    after
        .filter_map(|rest| {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_uppercase() || c == '_');
            let code = rest.strip_prefix(',')?.trim_start().strip_prefix('"')?.split('"').next()?;
            let is_code = code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            is_code.then(|| code.to_owned())
        })
        .collect()
}

/// Every alert has a section that says what to do.
#[test]
fn runbook_has_every_alert() {
    let path = repository("docs/alerts.yml");
    let Ok(alerts) = std::fs::read_to_string(&path) else {
        eprintln!("there are no alert rules");
        return;
    };
    let sections = sections();
    let names =
        alerts.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("alert: "));
    for name in names {
        assert!(sections.contains(name.trim()), "no section `{name}`");
    }
}

/// The links between the documents, and the files that they name, exist.
#[test]
fn files_that_the_documents_name_exist() {
    for page in ["DEPLOYMENT.md", "RUNBOOK.md", "CONFIGURATION.md"] {
        let text = file(&format!("docs/{page}"));
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            if !target.is_empty() && !target.contains("://") {
                assert!(repository("docs").join(target).exists(), "{page} links to {target}");
            }
        }
        for quoted in text.split('`').skip(1).step_by(2) {
            let name = quoted.split_whitespace().next().unwrap_or_default();
            if name.starts_with("deploy/") || name.starts_with("docs/") {
                assert!(repository(name).exists(), "{page} names {name}");
            }
        }
    }
}

/// Every command that the documents show is one of the binary, with its options.
#[test]
fn commands_that_the_documents_show_exist() {
    let mut known = 0;
    for page in ["DEPLOYMENT.md", "RUNBOOK.md"] {
        for quoted in file(&format!("docs/{page}")).split('`') {
            let words: Vec<&str> = quoted.split_whitespace().collect();
            let ["harmony-host", command, rest @ ..] = words.as_slice() else { continue };
            if command.starts_with('-') {
                continue;
            }
            let help = output(&[command, "--help"]);
            for option in rest.iter().filter(|word| word.starts_with("--")) {
                let option = option.split('=').next().unwrap();
                assert!(help.contains(option), "{page}: {quoted}");
            }
            known += 1;
        }
    }
    assert!(known > 8, "{known} commands");
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = output(&["completions", shell]);
        for command in ["pause", "log-level", "authorize", "lame-duck"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    let bash = Workdir::new();
    bash.write("completions", &output(&["completions", "bash"]));
    let script = "source completions && COMP_WORDS=(harmony-host pau) COMP_CWORD=1 && \
                  _harmony__host harmony-host pau harmony-host && echo \"${COMPREPLY[*]}\"";
    let shown =
        std::process::Command::new("bash").args(["-c", script]).current_dir(bash.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&shown.stdout).trim(), "pause", "{shown:?}");
}

#[test]
fn manual_has_a_page_for_each_command() {
    let page = output(&["man"]);
    assert!(page.contains(".TH harmony") && page.contains("Exit codes"), "{page}");
    let dir = Workdir::new();
    output(&["man", "--out", &dir.path().join("man1").display().to_string()]);
    for name in ["harmony-host.1", "harmony-host-run.1", "harmony-host-pause.1", "harmony-host-log-level.1"] {
        assert!(dir.path().join("man1").join(name).is_file(), "{name}");
    }
}
