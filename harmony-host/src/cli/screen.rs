//! Text for people: lines and rows, with every value escaped.

use serde_json::Value;

use crate::diagnostics::escape::escape;
pub(super) use crate::diagnostics::logged::counted;

/// The text of one answer. Its values come from documents, control planes and other programs. Each is escaped here, so that
/// none begins a line of its own, moves the cursor or reorders what is around it.
#[derive(Debug, Default)]
pub(super) struct Screen {
    text: String,
}

impl Screen {
    /// Adds a line.
    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(&escape(line));
        self.text.push('\n');
    }

    /// Adds a named value.
    pub(super) fn row(&mut self, name: &str, value: &str) {
        self.line(&format!("  {name:<11} {value}"));
    }

    /// Returns the text.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// Returns a text of an answer, or `-`.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::escape::is_unsafe;

    #[test]
    fn no_value_begins_a_line_or_commands_a_terminal() {
        let mut screen = Screen::default();
        screen.row("name", "a\nin sync\r\u{1b}[2J\u{9b}1m\u{202e}\u{2028}");
        screen.line("b\n");
        let text = screen.finish();
        assert_eq!(text.lines().count(), 2, "{text:?}");
        assert!(!text.contains(|c: char| is_unsafe(c) && c != '\n'), "{text:?}");
    }

    #[test]
    fn plurals() {
        assert_eq!(
            [counted(1, "mesh"), counted(2, "mesh"), counted(0, "problem")],
            ["1 mesh", "2 meshes", "0 problems"]
        );
    }
}
