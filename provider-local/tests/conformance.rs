//! The provider `local` keeps the contract: every check of the kit, with a mesh of a shared secret, and what
//! is about meshes once more with key pairs.

// Clippy's exception for tests reaches test functions, not what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "conformance/world.rs"]
mod world;

use provider_api::testkit::{Report, run_only};
use world::{Keys, LocalSubject};

mod with_a_shared_secret {
    provider_api::conformance!(crate::world::LocalSubject(crate::world::Keys::Shared));
}

async fn of_key_pairs(groups: &[&str]) -> Report {
    let mut lines = Vec::new();
    for group in groups {
        lines.extend(run_only(&LocalSubject(Keys::Pairs), &format!("{group}::")).await.lines);
    }
    Report { lines }
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the table is for whoever asks with --nocapture")]
async fn with_key_pairs_everything_about_meshes_holds_as_well() {
    let report = of_key_pairs(&["building", "tokens", "denied", "verification", "issue", "keys"]).await;
    println!("{report}");
    assert!(report.failed().is_empty(), "{report}");
    // What only a key pair can be attacked with was tried.
    let tried =
        ["denied::an_hmac_with_the_public_key", "tokens::without_a_key_to_sign_with_no_token_is_issued"];
    for name in tried {
        let skipped = report.skipped().into_iter().any(|line| line.check.to_string() == name);
        assert!(!skipped, "{name}: {report}");
    }
}
