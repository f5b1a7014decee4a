//! The table of exit codes.

use std::path::Path;

use super::run;

/// The help of every command lists the exit codes that it can have, and the help of the program all of them.
#[tokio::test]
async fn exit_codes_are_in_every_help() {
    for (command, codes) in [
        (None, &[0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 64][..]),
        (Some("run"), &[0, 1, 2, 6, 10]),
        (Some("check"), &[0, 1, 2, 10]),
        (Some("resolve"), &[0, 1, 2, 3, 4, 9, 10]),
        (Some("schema"), &[0, 2, 10]),
        (Some("status"), &[0, 1, 2, 4, 5, 7, 8, 10]),
        (Some("sync"), &[0, 1, 2, 4, 5, 7, 8, 9, 10, 11]),
        (Some("plan"), &[0, 1, 2, 3, 4, 5, 7, 9, 10, 64]),
        (Some("explain"), &[0, 1, 2, 3, 4, 5, 10]),
        (Some("history"), &[0, 1, 2, 4, 5, 10]),
        (Some("diff"), &[0, 1, 2, 3, 4, 5, 10]),
        (Some("rollback"), &[0, 1, 2, 4, 5, 10, 14]),
        (Some("audit"), &[0, 2, 3, 10, 15]),
        (Some("pause"), &[0, 1, 2, 4, 5, 9, 10]),
        (Some("resume"), &[0, 1, 2, 4, 5, 10]),
        (Some("log-level"), &[0, 1, 2, 4, 5, 9, 10]),
        (Some("health"), &[0, 1, 2, 4, 5, 10, 12]),
        (Some("authorize"), &[0, 1, 2, 4, 5, 9, 10]),
        (Some("completions"), &[0, 2, 10]),
        (Some("man"), &[0, 2, 10]),
    ] {
        for flag in ["-h", "--help"] {
            let arguments: Vec<&str> = command.into_iter().chain([flag]).collect();
            let (code, help) = run(Path::new("/nonexistent"), &arguments).await;
            assert_eq!(code, 0, "{help}");
            let (_, table) = help.split_once("Exit codes:\n").expect("a table of exit codes");
            let shown: Vec<u8> =
                table.lines().map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect();
            assert_eq!(shown, codes, "{arguments:?}: {table}");
        }
    }
}
