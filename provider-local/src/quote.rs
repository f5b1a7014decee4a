//! Quotation of values from outside in messages.

/// The maximum number of characters of a quoted value.
const MAX_SHOWN_CHARS: usize = 64;

/// Quotes a value from outside for a message: between backticks, with control characters escaped, cut when long.
pub(crate) fn quote(text: &str) -> String {
    let mut chars = text.chars();
    let shown: String = chars.by_ref().take(MAX_SHOWN_CHARS).flat_map(char::escape_debug).collect();
    let more = if chars.next().is_some() { "..." } else { "" };
    format!("`{shown}{more}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_value_is_one_short_line() {
        assert_eq!(quote("a\nb\u{1b}[0m"), "`a\\nb\\u{1b}[0m`");
        assert_eq!(quote(&"x".repeat(65)), format!("`{}...`", "x".repeat(64)));
        assert_eq!(quote(&"x".repeat(64)), format!("`{}`", "x".repeat(64)));
    }
}
