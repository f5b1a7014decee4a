//! Times for people: an age and the time itself.

use std::time::Duration;

use jiff::Timestamp;
use provider_api::DisplayDuration;
use serde_json::Value;

/// The clock of the gateway, from which ages are counted. This machine's clock may be another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now(Timestamp);

impl Now {
    /// Returns the time of an answer; the time of this machine for an answer of an earlier version, without a time.
    pub(super) fn of(answer: &Value) -> Self {
        let told = answer["now"].as_str().and_then(|text| text.parse().ok());
        Self(told.unwrap_or_else(Timestamp::now))
    }

    /// Returns a time as `3 min ago (2026-11-26T03:09:38Z)`; `never` for null.
    pub(super) fn when(self, time: &Value) -> String {
        match time.as_str().map(|text| (text, text.parse::<Timestamp>())) {
            None => "never".to_owned(),
            Some((_, Ok(at))) => format!("{} ({})", self.age(at), in_seconds(at)),
            Some((text, Err(_))) => text.to_owned(),
        }
    }

    /// Returns the time until `time`; `None` when it has passed.
    pub(super) fn left_until(self, time: &Value) -> Option<Duration> {
        let at: Timestamp = time.as_str()?.parse().ok()?;
        at.duration_since(self.0).try_into().ok().filter(|left: &Duration| !left.is_zero())
    }

    /// Returns `text` with the age behind each time in it: `since 2026-11-26T03:09:38Z (3 min ago)`.
    pub(super) fn with_ages(self, text: &str) -> String {
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | ':' | '.' | 'T' | 'Z');
        let (mut shown, mut rest) = (String::new(), text);
        while let Some(start) = rest.find(is_part) {
            let (before, from) = rest.split_at(start);
            let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
            // A full stop or a colon may end the sentence, not the time.
            let word = from[..end].trim_end_matches(['.', ':', '-']);
            let (word, after) = from.split_at(word.len().max(1));
            shown.push_str(before);
            match word.parse::<Timestamp>() {
                // One in quotes is an example, or a value to search for.
                Ok(at) if word.len() >= "2026-11-26T03:09:38Z".len() && !shown.ends_with(['"', '`']) => {
                    shown.push_str(&format!("{} ({})", in_seconds(at), self.age(at)));
                }
                _ => shown.push_str(word),
            }
            rest = after;
        }
        shown + rest
    }

    /// Returns the age of a time, such as `3 min ago` or `in 27 s`.
    fn age(self, at: Timestamp) -> String {
        let seconds = at.duration_since(self.0).as_secs();
        let shown = DisplayDuration(Duration::from_secs(seconds.unsigned_abs()));
        match seconds {
            0 if at > self.0 => "in less than 1 s".to_owned(),
            0 => "just now".to_owned(),
            1.. => format!("in {shown}"),
            _ => format!("{shown} ago"),
        }
    }
}

/// Returns a time in RFC 3339, in whole seconds.
fn in_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Now {
        Now::of(&json!({ "now": "2026-11-26T03:09:38.738Z" }))
    }

    #[test]
    fn times_have_their_age() {
        for (time, shown) in [
            (json!("2026-11-26T03:04:57.000Z"), "4 min 41 s ago (2026-11-26T03:04:57Z)"),
            (json!("2026-11-26T03:10:05.900Z"), "in 27 s (2026-11-26T03:10:05Z)"),
            (json!("2026-11-26T03:09:38.900Z"), "in less than 1 s (2026-11-26T03:09:38Z)"),
            (json!("2026-11-26T03:09:38.100Z"), "just now (2026-11-26T03:09:38Z)"),
            (json!("2027-02-24T03:09:40Z"), "in 90 days (2027-02-24T03:09:40Z)"),
            (json!(null), "never"),
            (json!("soon"), "soon"),
        ] {
            assert_eq!(now().when(&time), shown);
        }
        assert_eq!(now().left_until(&json!("2026-11-26T03:09:39.738Z")), Some(Duration::from_secs(1)));
        assert_eq!(now().left_until(&json!("2026-11-26T03:09:37Z")), None);
    }

    #[test]
    fn times_in_sentences_have_their_age() {
        for (text, shown) in [
            (
                "failed since 2026-11-26T03:08:38.738Z: 503",
                "failed since 2026-11-26T03:08:38Z (1 min ago): 503",
            ),
            ("expired at 2026-11-25T03:09:38.738Z.", "expired at 2026-11-25T03:09:38Z (1 day ago)."),
            ("http://127.0.0.1:9090/: v1.2-T é", "http://127.0.0.1:9090/: v1.2-T é"),
            ("2026-11-26 and Z", "2026-11-26 and Z"),
            ("set \"2030-01-31T00:00:00Z\"", "set \"2030-01-31T00:00:00Z\""),
        ] {
            assert_eq!(now().with_ages(text), shown);
        }
    }
}
