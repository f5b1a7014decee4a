//! The conformance kit for the provider `local`: all checks with a shared secret, and the checks of meshes again with
//! key pairs.

// Clippy's exception for tests applies to test functions, not to the helpers they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "conformance/world.rs"]
mod world;

use provider_api::testkit::{Report, run_only};
use world::{Keys, LocalSubject};

mod shared_secret {
    provider_api::conformance!(crate::world::LocalSubject(crate::world::Keys::Shared));
}

async fn report_with_key_pairs(groups: &[&str]) -> Report {
    let mut lines = Vec::new();
    for group in groups {
        lines.extend(run_only(&LocalSubject(Keys::Pairs), &format!("{group}::")).await.lines);
    }
    Report { lines }
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the table is shown with --nocapture")]
async fn checks_of_meshes_pass_with_key_pairs() {
    let report =
        report_with_key_pairs(&["building", "tokens", "denied", "verification", "issue", "keys"]).await;
    println!("{report}");
    assert!(report.failed().is_empty(), "{report}");
    // These two checks apply to key pairs only, so they must not be skipped here.
    let required =
        ["denied::an_hmac_with_the_public_key", "tokens::without_a_key_to_sign_with_no_token_is_issued"];
    for name in required {
        let skipped = report.skipped().into_iter().any(|line| line.check.to_string() == name);
        assert!(!skipped, "{name}: {report}");
    }
}
