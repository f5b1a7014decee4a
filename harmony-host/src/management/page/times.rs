//! Times on the page: an age, with the time itself beside it for machines and as its tooltip.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use maud::{Markup, html};

use crate::management::page::clean::clean;
use crate::status::timestamp;

/// The clock of the gateway.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now(Timestamp);

impl Now {
    pub(super) fn of(now: SystemTime) -> Self {
        Self(timestamp(now))
    }

    /// Returns the time, for the script that counts ages.
    pub(super) fn time(self) -> Timestamp {
        self.0
    }

    /// Returns an element with the age of a time, such as `3 min ago` or `in 5 days`.
    pub(super) fn age(self, at: Timestamp) -> Markup {
        html! { time datetime=(at) title=(absolute(at)) data-age { (self.in_words(at)) } }
    }

    /// Returns a time with its age: `2026-11-26 03:09:38 UTC (3 min ago)`.
    pub(super) fn date(self, at: Timestamp) -> Markup {
        html! { (absolute(at)) " (" (self.age(at)) ")" }
    }

    /// Returns whether `at` is far enough ahead for its age to say something.
    pub(super) fn is_far_before(self, at: Timestamp) -> bool {
        at.duration_since(self.0).as_secs() >= 3
    }

    /// Returns whether `until` is ahead, and at most `limit` away.
    pub(super) fn is_within(self, until: Timestamp, limit: Duration) -> bool {
        Duration::try_from(until.duration_since(self.0)).is_ok_and(|left| left <= limit)
    }

    /// Returns a sentence with the age behind each time in it.
    pub(super) fn prose(self, text: &str) -> Markup {
        let text = clean(text);
        let words = text.split_inclusive(' ');
        html! {
            @for word in words {
                @let bare = word.trim_end_matches([' ', '.', ',', ':', ';']);
                @match bare.parse::<Timestamp>() {
                    Ok(at) => { (self.date(at)) (word.get(bare.len()..).unwrap_or_default()) }
                    Err(_) => (word),
                }
            }
        }
    }

    /// The script counts on in the same words (times.js).
    fn in_words(self, at: Timestamp) -> String {
        let (is_ahead, count) = {
            let distance = self.0.duration_since(at);
            (distance.is_negative(), distance.as_secs().unsigned_abs())
        };
        let (number, unit) = match count {
            0 if is_ahead => return "in a moment".to_owned(),
            0 => return "just now".to_owned(),
            1..60 => (count, "s"),
            60..3600 => (count / 60, "min"),
            3600..172_800 => (count / 3600, "h"),
            _ => (count / 86_400, "days"),
        };
        if is_ahead { format!("in {number} {unit}") } else { format!("{number} {unit} ago") }
    }
}

/// Returns a time to the second, as people write it.
fn absolute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Now {
        Now("2026-11-26T03:09:38.738Z".parse().unwrap())
    }

    #[test]
    fn ages_have_one_unit() {
        for (time, shown) in [
            ("2026-11-26T03:09:38Z", "just now"),
            ("2026-11-26T03:09:39Z", "in a moment"),
            ("2026-11-26T03:09:34Z", "4 s ago"),
            ("2026-11-26T03:04:57Z", "4 min ago"),
            ("2026-11-25T03:09:38Z", "24 h ago"),
            ("2027-02-24T03:09:40Z", "in 90 days"),
        ] {
            assert_eq!(now().in_words(time.parse().unwrap()), shown, "{time}");
        }
    }

    #[test]
    fn times_in_prose_are_elements_and_the_rest_is_text() {
        let shown = now().prose("failed since 2026-11-26T03:08:38.738Z: <b>503</b>").into_string();
        assert_eq!(
            shown,
            "failed since 2026-11-26 03:08:38 UTC (<time datetime=\"2026-11-26T03:08:38.738Z\" \
             title=\"2026-11-26 03:08:38 UTC\" data-age>1 min ago</time>): &lt;b&gt;503&lt;/b&gt;"
        );
    }
}
