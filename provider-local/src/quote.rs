/// How many characters of a value from outside a message shows.
const SHOWN: usize = 64;

/// `text` between backticks, fit for a log: control characters escaped, cut where it gets long.
pub(crate) fn quote(text: &str) -> String {
    let mut chars = text.chars();
    let shown: String = chars.by_ref().take(SHOWN).flat_map(char::escape_debug).collect();
    let more = if chars.next().is_some() { "..." } else { "" };
    format!("`{shown}{more}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_break_a_log_line_or_fill_it() {
        assert_eq!(quote("a\nb\u{1b}[0m"), "`a\\nb\\u{1b}[0m`");
        assert_eq!(quote(&"x".repeat(65)), format!("`{}...`", "x".repeat(64)));
        assert_eq!(quote(&"x".repeat(64)), format!("`{}`", "x".repeat(64)));
    }
}
