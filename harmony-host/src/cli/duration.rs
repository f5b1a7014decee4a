//! Durations on the command line, such as `30s`, `5m` or `1h 30m`.

use std::time::Duration;

use jiff::SignedDuration;

/// The longest duration: a year. Longer ones are mistakes.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Parses a duration of the command line. A number alone is in seconds.
///
/// # Errors
/// The reason, with examples.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let expected = "expected a duration such as 30s, 5m or 1h30m";
    let duration = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let signed: SignedDuration = text.parse().map_err(|_| expected.to_owned())?;
            Duration::try_from(signed).map_err(|_| format!("{expected}, not a negative one"))?
        }
    };
    match duration <= LONGEST {
        true => Ok(duration),
        false => Err("expected at most a year".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_write_them() {
        for (text, seconds) in [
            ("0", 0),
            ("90", 90),
            ("30s", 30),
            ("5m", 300),
            ("1h30m", 5400),
            ("1h 30m", 5400),
            ("2 hours", 7200),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "soon", "-5s", "-1", "5x", "1d 1y", "400000h", "99999999999999999999"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
