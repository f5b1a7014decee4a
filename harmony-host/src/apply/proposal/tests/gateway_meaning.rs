//! Settings that a change of the gateway repeats, in other spellings, and those that it may not make.

use super::{merged, rejected};
use crate::config::keys::authority::{Authority, authority};
use crate::config::keys::key::Kind;
use crate::config::keys::sections::SECTIONS;

const OWN: &str = "[proxy]\nid = \"a\"\nprimary_provider = \"runbeam\"\n\
                   [provider.runbeam]\napi = \"https://cloud.example\"\npoll_interval_secs = 1\n\
                   [network.m.http]\nbind_address = \"127.0.0.1\"\nbind_port = 9090\n\
                   [network.n.http]\nbind_port = 8080\n\
                   [management]\nenabled = true\nbase_path = \"/admin\"\nnetwork = \"m\"\n";

/// The form of a control plane spells out what holds. What it changes must arrive.
#[test]
fn change_spells_defaults() {
    let change = "[proxy]\nid = \"a\"\nprimary_provider = \"local\"\npipelines_path = \"pipelines\"\n\
                  transforms_path = \"./transforms/\"\nmesh_path = \"pipelines/../mesh\"\n\
                  remote_env_vars = []\n[management]\nenabled = true\nbase_path = \"admin\"\nnetwork = \"m\"\n\
                  [provider.runbeam]\napi = \"https://CLOUD.example:443/\"\nenabled = true\ntype = \"runbeam\"\n\
                  poll_interval_secs = 60\n";
    let expected =
        OWN.replace("provider = \"runbeam\"", "provider = \"local\"").replace("secs = 1", "secs = 60");
    assert_eq!(merged(OWN, change), expected, "the file keeps its own spelling");
}

#[test]
fn other_meaning_is_rejected() {
    for (change, key) in [
        ("proxy.id = \"b\"", "proxy.id"),
        ("proxy.pipelines_path = \".\"", "proxy.pipelines_path"),
        ("proxy.transforms_path = \"mesh\"", "proxy.transforms_path"),
        ("proxy.mesh_path = \"$HOME\"", "proxy.mesh_path"),
        ("proxy.remote_env_vars = [\"HOME\"]", "proxy.remote_env_vars"),
        ("proxy.trusted_proxies = [\"0.0.0.0/0\"]", "proxy.trusted_proxies"),
        ("management.enabled = false", "management.enabled"),
        ("management.base_path = \"other\"", "management.base_path"),
        ("management.network = \"n\"", "management.network"),
        ("management.token = \"0123456789abcdef0123456789abcdef\"", "management.token"),
        ("management.unknown = 1", "management.unknown"),
        ("provider.runbeam.api = \"https://evil.example\"", "provider.runbeam.api"),
        ("provider.runbeam.api = \"http://cloud.example\"", "provider.runbeam.api"),
        ("provider.runbeam.api = \"https://cloud.example@evil.example\"", "provider.runbeam.api"),
        ("provider.runbeam.api = \"https://cloud.example/?x\"", "provider.runbeam.api"),
        ("provider.runbeam.api = \"https://cloud.example:444\"", "provider.runbeam.api"),
        ("provider.runbeam.enabled = false", "provider.runbeam.enabled"),
        ("provider.runbeam.type = \"other\"", "provider.runbeam.type"),
        ("provider.other.poll_interval_secs = 5", "provider.other"),
    ] {
        assert_eq!(rejected(OWN, change), [key], "{change}");
    }
}

/// Addresses without a normal form are equal only as text.
#[test]
fn unusual_addresses_are_not_equal() {
    for unusual in ["https://user@cloud.example", "https://cloud.example/?team=a"] {
        let own = OWN.replace("https://cloud.example", unusual);
        let other = "provider.runbeam.api = \"https://user@evil.example\"";
        assert_eq!(rejected(&own, other), ["provider.runbeam.api"], "{unusual}");
        assert_eq!(merged(&own, &format!("provider.runbeam.api = \"{unusual}\"")), own);
    }
}

/// The network of the management API is guarded like the section itself, however a change says it.
#[test]
fn management_network_is_not_rebound() {
    for change in [
        "[network.m.http]\nbind_address = \"0.0.0.0\"\nbind_port = 9090\n",
        "[network.m.http]\nbind_port = 9090\n",
        "network = { m = { http = { bind_address = '127.0.0.1', bind_port = 9091 } } }",
        "network.\"m\".tcp_config = { bind_address = '::', bind_port = 9090 }",
        "[network.n.http]\nbind_port = 8080\n",
        "[network.m]\nenable_wireguard = true\n[network.m.http]\nbind_address = \"127.0.0.1\"\nbind_port = 9090\n",
        "[network.m.http]\nbind_address = \"127.0.0.1\"\nbind_port = 9090\ncert_path = \"c\"\nkey_path = \"k\"\n",
    ] {
        assert_eq!(rejected(OWN, change), ["network.m"], "{change}");
    }
    let moved = "[network.m.tcp_config]\nbind_address = \"localhost\"\nbind_port = 9090\n[network.n.http]\nbind_port = 8081\n";
    assert!(merged(OWN, moved).contains("8081"), "another network may be set when this one is repeated");
}

/// Without its own section, a gateway runs on the defaults of its provider.
#[test]
fn provider_section_arrives() {
    let own = "[proxy]\nid = \"a\"\n";
    let written = merged(own, "[provider.runbeam]\napi = \"https://api.example/\"\npoll_interval_secs = 5\n");
    assert_eq!(
        toml::from_str::<toml::Table>(&written).unwrap()["provider"]["runbeam"]["poll_interval_secs"],
        5.into()
    );
    assert!(written.starts_with(own) && written.contains("api = \"https://api.example/\""), "{written}");
    assert_eq!(rejected(own, "provider.runbeam.api = \"https://evil.example\""), ["provider.runbeam.api"]);
}

/// The name is the identity of a gateway without an id.
#[test]
fn name_is_identity_without_id() {
    let own = "[proxy]\nname = \"a\"\n";
    assert_eq!(rejected(own, "proxy.name = \"b\""), ["proxy.name"]);
    assert_eq!(rejected(own, "proxy.id = \"b\""), ["proxy.id"]);
    assert_eq!(merged(own, "proxy.id = \"a\""), own);
    let named = "[proxy]\nid = \"a\"\n";
    assert_eq!(rejected(named, "proxy.name = \"b\""), ["proxy.name"]);
    assert_eq!(merged(named, "proxy.name = \"a\""), named);
}

/// The control plane knows this gateway by an id, a code and a name of its own. The file's id stays; those of another
/// gateway are rejected.
#[test]
fn own_names_at_the_control_plane() {
    for name in ["01GW", "edge", "Front Desk"] {
        let written =
            merged(OWN, &format!("proxy.id = \"{name}\"\nprovider.runbeam.poll_interval_secs = 60"));
        assert_eq!(written, OWN.replace("secs = 1", "secs = 60"), "{name}");
        let unnamed = "[proxy]\nname = \"a\"\n";
        assert_eq!(merged(unnamed, &format!("proxy.id = \"{name}\"\nproxy.name = \"{name}\"")), unnamed);
    }
    for other in ["01OTHER", "01gw", "Edge", "edge2", "", "$HOME"] {
        assert_eq!(rejected(OWN, &format!("proxy.id = \"{other}\"")), ["proxy.id"], "{other}");
    }
    assert_eq!(rejected(OWN, "proxy.id = [\"edge\"]"), ["proxy.id"]);
    assert_eq!(merged(OWN, "proxy.name = \"edge\""), OWN, "a gateway with an id has a name there, too");
}

/// The record that the official SDK has of a gateway, in the section of a change: what says the same is no news.
#[test]
fn record_of_the_gateway() {
    let record = "[proxy]\ntype = \"gateway\"\nid = \"01GW\"\ncode = \"edge\"\nteam_id = \"01TEAM\"\n\
                  enabled = true\npipelines_path = \"pipelines\"\njwks_cache_duration_hours = 24\n\
                  management_enabled = true\nmanagement_base_path = \"admin\"\nmanagement_network_id = \"01NET\"\n\
                  dns = [\"a.example\"]\nsettings = { theme = \"dark\" }\ncreated_at = \"2026-01-01T00:00:00Z\"\n\
                  updated_at = 2026-01-01T00:00:00Z\n[provider.runbeam]\npoll_interval_secs = 60\n";
    assert_eq!(merged(OWN, record), OWN.replace("secs = 1", "secs = 60"));
    assert_eq!(merged(OWN, "proxy.management_network_id = \"m\""), OWN);
    for (field, value) in [
        ("type", "\"pipeline\""),
        ("code", "\"another\""),
        ("code", "7"),
        ("enabled", "false"),
        ("enabled", "\"true\""),
        ("management_enabled", "false"),
        ("management_base_path", "\"other\""),
        ("management_base_path", "\"$X\""),
        ("management_network_id", "\"n\""),
        ("management_network_id", "7"),
        ("jwks_cache_duration_hours", "12"),
    ] {
        let key = format!("proxy.{field}");
        assert_eq!(rejected(OWN, &format!("{key} = {value}")), [key.as_str()], "{value}");
    }
}

/// Every key that the table of keys gives to the operator is closed to a change, and no other.
#[test]
fn the_table_decides_what_a_change_may_set() {
    let mut checked = 0;
    for section in SECTIONS.iter().filter(|section| ["proxy", "management"].contains(&section.path)) {
        for key in
            section.keys.iter().filter(|key| matches!(authority(section.path, key.name), Authority::Local(_)))
        {
            let value = match key.kind {
                Kind::Flag => "false",
                Kind::Texts => "[\"ZZZ\"]",
                _ => "\"zzz-zzz-zzz-zzz-zzz-zzz-zzz-zzz-zzz\"",
            };
            let path = format!("{}.{}", section.path, key.name);
            assert_eq!(rejected(OWN, &format!("{path} = {value}")), [path.as_str()]);
            checked += 1;
        }
    }
    assert_eq!(checked, 22);
}

/// The limits of requests are the operator's: a change neither raises nor drops one, in whatever layout.
#[test]
fn limits_are_not_set() {
    let limited = OWN.replace(
        "[provider.runbeam]",
        "content_limits = { max_body_size = 2048, max_csv_rows = 9 }\n[provider.runbeam]",
    );
    for own in [&limited, OWN] {
        for (change, key) in [
            ("proxy.content_limits = { max_csv_rows = 5 }", "max_csv_rows"),
            ("[proxy.content_limits]\nmax_body_size = 1048576", "max_body_size"),
            ("proxy.content_limits.max_body_size = 1024", "max_body_size"),
            ("proxy.content_limits = { max_body_size = 18446744073709551615 }", "max_body_size"),
            ("proxy = { content_limits = { max_body_size = \"$X\" } }", "max_body_size"),
            ("proxy.content_limits.max_body_siz = 4096", "max_body_siz"),
        ] {
            // A value that no document can have is a mistake in its syntax.
            if change.contains("1844") {
                assert!(super::proposed_to(own, "gateway", change, Vec::new()).is_err(), "{change}");
            } else {
                assert_eq!(rejected(own, change), [format!("proxy.content_limits.{key}")], "{change}");
            }
        }
        assert_eq!(rejected(own, "proxy.content_limits = 1"), ["proxy.content_limits"]);
        assert_eq!(merged(own, "proxy.content_limits = {}"), *own, "what is left out stays");
    }
    for change in ["proxy.content_limits.max_body_size = 2048", "proxy.content_limits = { max_csv_rows = 9 }"]
    {
        assert_eq!(merged(&limited, change), limited, "{change}");
    }
}

/// Of `[proxy]` a change sets nothing but the primary provider, whether a key is known or not.
#[test]
fn other_keys_of_the_gateway_are_not_set() {
    let own = OWN.replace("[provider.runbeam]", "name = \"b\"\nlog_level = \"info\"\n[provider.runbeam]");
    for key in ["name", "log_level", "a_newer_key"] {
        for own in [&own, OWN] {
            let path = format!("proxy.{key}");
            assert_eq!(rejected(own, &format!("{path} = \"debug\"")), [path.as_str()], "{key}");
        }
    }
    assert_eq!(rejected(OWN, "proxy.jwks_cache_duration_hours = 168"), ["proxy.jwks_cache_duration_hours"]);
    assert_eq!(merged(OWN, "proxy.jwks_cache_duration_hours = 24"), OWN);
    assert_eq!(merged(&own, "proxy.name = \"b\"\nproxy.log_level = \"info\""), own);
}
