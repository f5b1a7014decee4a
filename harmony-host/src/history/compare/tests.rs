//! Differences of two generations.

use std::collections::BTreeMap;

use super::*;
use crate::config::keys::secrets::known;
use crate::history::FileRef;
use crate::storage::digest::{Digest, full};

fn manifest(generation: u64, files: &[(&str, &str)]) -> (Manifest, BTreeMap<String, String>) {
    let file = |name: &str, text: &str| FileRef {
        digest: full(Digest::of(text.as_bytes())),
        is_pem: name.ends_with(".pem"),
        is_overlaid: false,
        remote: Vec::new(),
    };
    let refs = files.iter().map(|(name, text)| ((*name).to_owned(), file(name, text))).collect();
    let texts = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    (Manifest { generation, files: refs }, texts)
}

fn compared(from: &[(&str, &str)], to: &[(&str, &str)], patterns: &[String]) -> Vec<FileDiff> {
    let ((from, old), (to, new)) = (manifest(1, from), manifest(2, to));
    let text = |side: &Manifest, name: &str| {
        let texts = if side.generation == 1 { &old } else { &new };
        Ok(texts[name].clone())
    };
    let sensitive = [Arc::default(), Arc::new(Sensitive::new(known, patterns))];
    let (files, left_out) = compare(&from, &to, &sensitive, &text);
    assert_eq!(left_out, 0);
    files
}

#[test]
fn lines_are_compared() {
    let from = [("a.toml", "x = 1\ny = 2\n"), ("gone.toml", "z = 1\n"), ("same.toml", "s = 1\n")];
    let to = [("a.toml", "x = 1\ny = 3\n"), ("new.toml", "n = 1\n"), ("same.toml", "s = 1\n")];
    let files = compared(&from, &to, &[]);
    let shown: Vec<_> = files.iter().map(|file| (file.name.as_str(), file.change)).collect();
    assert_eq!(shown, [("a.toml", "edited"), ("gone.toml", "removed"), ("new.toml", "added")]);
    assert_eq!(
        files[0].diff.as_deref(),
        Some("--- a/a.toml\n+++ b/a.toml\n@@ -1,2 +1,2 @@\n x = 1\n-y = 2\n+y = 3\n")
    );
    assert!(files[1].diff.as_deref().unwrap().contains("+++ /dev/null"), "{files:?}");
}

/// Neither the value nor its length, whatever says that it is one.
#[test]
fn secrets_are_not_shown() {
    let with = |secret: &str| {
        format!(
            "[mesh.m]\njwt_secret = \"{secret}\"\ndoor_code = \"{secret}\"\nurl = \"http://me:{secret}@host/\"\n\
             # password = {secret}\nname = \"shown\"\n"
        )
    };
    let patterns = ["door_*".to_owned()];
    for (old, new) in [("hunter2hunter2", "swordfish00000"), ("hunter2hunter2", "swordfish")] {
        let (old_text, new_text) = (with(old), with(new).replace("shown", "changed"));
        let files = compared(&[("mesh/m.toml", &old_text)], &[("mesh/m.toml", &new_text)], &patterns);
        let diff = files[0].diff.as_deref().unwrap();
        assert!(!diff.contains("hunter2") && !diff.contains("swordfish"), "{diff}");
        assert!(diff.contains("-name = \"shown\"\n+name = \"changed\""), "{diff}");
        assert_eq!(diff.lines().filter(|line| line.starts_with(['-', '+'])).count(), 4, "{diff}");
    }
    let (one, other) = (with("hunter2hunter2"), with("swordfish"));
    let files = compared(&[("mesh/m.toml", &one)], &[("mesh/m.toml", &other)], &patterns);
    assert_eq!((files[0].diff.as_deref(), files[0].note.is_some()), (None, true), "{files:?}");
}

#[test]
fn certificates_and_secret_transforms_are_not_shown() {
    let from = [
        ("key.pem", "-----BEGIN PRIVATE KEY-----\nhunter2"),
        ("transforms/t.json", r#"{"password":"hunter2"}"#),
    ];
    let to = [("key.pem", "-----BEGIN PRIVATE KEY-----\nswordfish"), ("transforms/t.json", "{}")];
    for file in compared(&from, &to, &[]) {
        assert!(file.diff.is_none() && file.note.is_some(), "{file:?}");
    }
    let plain =
        compared(&[("transforms/t.json", "{\"a\":1}\n")], &[("transforms/t.json", "{\"a\":2}\n")], &[]);
    assert!(plain[0].diff.as_deref().unwrap().contains("+{\"a\":2}"), "{plain:?}");
}
