//! Durations in messages.

use std::fmt;
use std::time::Duration;

/// A duration that is displayed as people write it, rounded to two units.
///
/// ```
/// use std::time::Duration;
///
/// use provider_api::DisplayDuration;
///
/// let shown = |milliseconds| DisplayDuration(Duration::from_millis(milliseconds)).to_string();
/// assert_eq!(shown(280_824), "4 min 41 s");
/// assert_eq!(shown(1_370), "1.4 s");
/// assert_eq!(shown(20), "20 ms");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisplayDuration(pub Duration);

impl fmt::Display for DisplayDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        let tenths = (milliseconds + 50) / 100;
        let seconds = (milliseconds + 500) / 1000;
        match seconds {
            _ if milliseconds == 0 && !self.0.is_zero() => f.write_str("less than 1 ms"),
            _ if milliseconds == 0 => f.write_str("0 s"),
            _ if milliseconds < 1000 => write!(f, "{milliseconds} ms"),
            _ if tenths < 100 && !tenths.is_multiple_of(10) => write!(f, "{}.{} s", tenths / 10, tenths % 10),
            ..60 => write!(f, "{seconds} s"),
            60..3600 => pair(f, (seconds / 60, "min"), (seconds % 60, "s")),
            // Above an hour, a unit that is not shown is rounded away.
            3600..86_400 => {
                let minutes = (seconds + 30) / 60;
                pair(f, (minutes / 60, "h"), (minutes % 60, "min"))
            }
            _ => {
                let hours = (seconds + 1800) / 3600;
                let unit = if hours < 48 { "day" } else { "days" };
                pair(f, (hours / 24, unit), (hours % 24, "h"))
            }
        }
    }
}

fn pair(f: &mut fmt::Formatter<'_>, large: (u128, &str), small: (u128, &str)) -> fmt::Result {
    write!(f, "{} {}", large.0, large.1)?;
    if small.0 > 0 {
        write!(f, " {} {}", small.0, small.1)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_at_most_two_units() {
        for (milliseconds, shown) in [
            (0, "0 s"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (1_960, "2 s"),
            (9_940, "9.9 s"),
            (9_960, "10 s"),
            (59_400, "59 s"),
            (59_600, "1 min"),
            (61_000, "1 min 1 s"),
            (3_599_600, "1 h"),
            (7_500_000, "2 h 5 min"),
            (86_400_000, "1 day"),
            (604_800_000, "7 days"),
            (273_600_000, "3 days 4 h"),
        ] {
            assert_eq!(DisplayDuration(Duration::from_millis(milliseconds)).to_string(), shown);
        }
        assert_eq!(DisplayDuration(Duration::from_nanos(7)).to_string(), "less than 1 ms");
        assert!(!DisplayDuration(Duration::MAX).to_string().is_empty());
    }
}
