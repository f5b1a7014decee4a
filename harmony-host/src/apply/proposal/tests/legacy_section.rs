//! Changes to a gateway with the legacy section of its provider.

use super::{merged, rejected};

const OWN: &str = "[proxy]\nid = \"a\" # mine\n\n# our cloud\n[runbeam]\n# on since May\nenabled = true # yes\n\
                   # the test cloud\ncloud_api_base_url = \"https://cloud.example\" # ours\npoll_interval_secs = 1 # often\n\n\
                   [logging]\nlevel = \"info\"\n";

#[test]
fn change_on_legacy_gateway() {
    let written =
        merged(OWN, "[proxy]\nprimary_provider = \"local\"\n[provider.runbeam]\npoll_interval_secs = 30\n");
    let values: toml::Table = toml::from_str(&written).unwrap();
    assert!(!values.contains_key("runbeam"), "{written}");
    assert_eq!(values["proxy"]["primary_provider"].as_str(), Some("local"));
    assert_eq!(values["provider"]["runbeam"]["api"].as_str(), Some("https://cloud.example"));
    assert_eq!(values["provider"]["runbeam"]["poll_interval_secs"].as_integer(), Some(30));
    assert_eq!(values["logging"]["level"].as_str(), Some("info"));
    for comment in
        ["# mine", "# our cloud", "# on since May", "# yes", "# the test cloud", "# ours", "# often"]
    {
        assert_eq!(written.matches(comment).count(), 1, "{comment} in\n{written}");
    }
}

/// With the interval alone, the primary provider that the section chose is written down.
#[test]
fn interval_migrates_too() {
    for (own, primary) in
        [(OWN.to_owned(), "runbeam"), (OWN.replace("enabled = true", "enabled = false"), "local")]
    {
        let written = merged(&own, "provider.runbeam.poll_interval_secs = 0");
        let values: toml::Table = toml::from_str(&written).unwrap();
        assert_eq!(values["proxy"]["primary_provider"].as_str(), Some(primary), "{written}");
        assert_eq!(values["provider"]["runbeam"]["poll_interval_secs"].as_integer(), Some(0));
    }
}

/// A change that repeats the section does not rewrite it.
#[test]
fn repeated_settings_leave_it() {
    let change = "[proxy]\nprimary_provider = \"runbeam\"\n[provider.runbeam]\napi = \"https://cloud.example/\"\npoll_interval_secs = 1\n";
    assert_eq!(merged(OWN, change), OWN);
    assert_eq!(rejected(OWN, "provider.runbeam.api = \"https://evil.example\""), ["provider.runbeam.api"]);
    assert_eq!(
        rejected(OWN, "runbeam.cloud_api_base_url = \"https://evil.example\""),
        ["runbeam.cloud_api_base_url"]
    );
}

/// A section in inline form is migrated as well.
#[test]
fn inline_section_is_migrated() {
    let own =
        "runbeam = { enabled = true, cloud_api_base_url = \"https://cloud.example\" }\n[proxy]\nid = \"a\"\n";
    let values: toml::Table =
        toml::from_str(&merged(own, "provider.runbeam.poll_interval_secs = 7")).unwrap();
    assert_eq!(values["provider"]["runbeam"]["api"].as_str(), Some("https://cloud.example"));
    assert_eq!(values["provider"]["runbeam"]["poll_interval_secs"].as_integer(), Some(7));
}
