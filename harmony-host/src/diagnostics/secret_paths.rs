//! The paths of URLs that are secrets: whoever knows them may post there.

use std::ops::Range;

/// Hosts, with the first part of the path where it matters, below which a path is a secret.
const HOOKS: [&str; 14] = [
    "hooks.slack.com/",
    "hooks.slack-gov.com/",
    "discord.com/api/webhooks/",
    "discordapp.com/api/webhooks/",
    "webhook.office.com/",
    "outlook.office.com/webhook/",
    "api.telegram.org/bot",
    "hooks.zapier.com/",
    "hc-ping.com/",
    "maker.ifttt.com/",
    "chat.googleapis.com/",
    "hook.integromat.com/",
    "webhook.site/",
    "hooks.airtable.com/",
];

/// Segments of a path after which the next ones are secrets if they look random.
const SEGMENTS: [&str; 4] = ["hook", "hooks", "webhook", "webhooks"];

/// The least length of a segment that looks random, after a segment of a hook and anywhere.
const AFTER_HOOK: usize = 8;
const ANYWHERE: usize = 20;

/// Returns the parts of the URLs in a text that are secret paths.
pub(super) fn hook_parts(text: &str) -> Vec<Range<usize>> {
    let lower = text.to_ascii_lowercase();
    let end_of = |from: usize| lower[from..].find(ENDS).map_or(lower.len(), |length| from + length);
    let mut parts = Vec::new();
    for hook in HOOKS {
        for (at, _) in lower.match_indices(hook) {
            let start = at + hook.len();
            parts.push(start..end_of(start));
        }
    }
    for (at, _) in lower.match_indices("://") {
        let (start, end) = (at + 3, end_of(at + 3));
        let path_end = lower[start..end].find(['?', '#']).map_or(end, |length| start + length);
        let (mut from, mut after_hook, mut is_host) = (start, false, true);
        for segment in text[start..path_end].split('/') {
            let is_secret = match after_hook {
                true => segment.len() >= AFTER_HOOK && segment.contains(|c: char| c.is_ascii_digit()),
                false => segment.len() >= ANYWHERE && looks_random(segment),
            };
            if is_secret && !is_host {
                parts.push(from..from + segment.len());
            }
            after_hook |= !is_host && SEGMENTS.iter().any(|known| segment.eq_ignore_ascii_case(known));
            from += segment.len() + 1;
            is_host = false;
        }
    }
    parts.retain(|part| !part.is_empty() && !text[part.clone()].starts_with('$'));
    parts
}

const ENDS: [char; 7] = ['"', '\'', ' ', '\n', '\t', '<', '>'];

/// Returns whether a segment has letters of both cases and digits, and nothing of a sentence.
fn looks_random(segment: &str) -> bool {
    let has = |of: fn(char) -> bool| segment.contains(of);
    has(|c| c.is_ascii_digit())
        && has(|c| c.is_ascii_lowercase())
        && has(|c| c.is_ascii_uppercase())
        && segment.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_hooks_are_found() {
        let found = |text: &str| -> Vec<String> {
            hook_parts(text).into_iter().map(|part| text[part].to_owned()).collect()
        };
        for (text, secret) in [
            ("https://hooks.slack.com/services/T0/B0/x", "services/T0/B0/x"),
            ("HOOKS.slack.com/services/T0", "services/T0"),
            ("https://discord.com/api/webhooks/1/x y", "1/x"),
            ("https://a.webhook.office.com/w/x", "w/x"),
            ("https://api.telegram.org/bot1:x/send", "1:x/send"),
            ("https://a.example/hooks/0123abcd", "0123abcd"),
            ("https://a.example/x/aB3aB3aB3aB3aB3aB3aB3?y=1", "aB3aB3aB3aB3aB3aB3aB3"),
        ] {
            assert_eq!(found(text), [secret], "{text}");
        }
        for text in [
            "https://a.example/webhooks/audit",
            "https://a.example/webhook",
            "http://a.example/fhir/R4/Patient",
            "https://a.example/01JABCDEFGHJKMNPQRSTVWXYZ0",
            "https://hooks.slack.com/$PATH",
            "https://a.example/550e8400-e29b-41d4-a716-446655440000",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
