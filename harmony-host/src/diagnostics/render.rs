//! Rendering of problems as readable text, with an excerpt of the file.

use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::diagnostics::escape::{escape, is_unsafe};
use crate::diagnostics::mask::mask_secrets;
use crate::diagnostics::problem::{Problem, Severity};
use crate::diagnostics::source::Source;

/// The longest line of which an excerpt is shown, in bytes. The library reads the whole line for each problem, and a line of a
/// generated file may have thousands.
const LONGEST_LINE: usize = 4096;

/// Renders problems with an excerpt of the file, as `harmony-host check` prints them.
///
/// Secrets in the excerpt are masked.
pub fn render<'a>(problems: impl IntoIterator<Item = &'a Problem>, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    // Sorted problems come file by file, so the last masked file is enough of a cache.
    let mut last: Option<(&Arc<Source>, String)> = None;
    for problem in problems {
        let source = problem.place.as_ref().map(|place| place.source());
        if let Some(source) = source
            && last.as_ref().is_none_or(|(before, _)| !Arc::ptr_eq(before, source))
        {
            last = Some((source, printable(&mask_secrets(source.text(), &source.sensitive()))));
        }
        out.push_str(&draw(problem, last.as_ref().map_or("", |(_, text)| text), &renderer));
        out.push_str("\n\n");
    }
    out
}

/// Returns the path that is shown for a file.
fn path_of(source: &Source) -> String {
    match source.overlay() {
        None => escape(source.name()).into_owned(),
        Some(path) => format!("{} (instead of {})", escape(&path.to_string_lossy()), escape(source.name())),
    }
}

/// Replaces the control characters of an excerpt by characters of the same length, so spans stay valid.
fn printable(text: &str) -> String {
    let visible = |c: char| match (is_unsafe(c), c.len_utf8()) {
        (false, _) => c,
        _ if matches!(c, '\n' | '\t') => c,
        (true, 1) => '?',
        (true, 2) => '\u{bf}',
        (true, _) => '\u{fffd}',
    };
    text.chars().map(visible).collect()
}

/// Renders one problem. `text` is the masked text of the file of its place.
fn draw(problem: &Problem, text: &str, renderer: &Renderer) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = format!("{}: {}", problem.key, problem.message);
    let mut group = Group::with_title(level.primary_title(&title));
    if let Some(place) = &problem.place {
        let (source, span) = (place.source(), place.span());
        // Only the line: the library reads all it is given, for each problem of the file.
        let line = source.line_range(span.start);
        let excerpt = text.get(line.clone()).unwrap_or_default();
        group = match excerpt.len() {
            0..=LONGEST_LINE => {
                let span = within(&line, span);
                group.element(
                    Snippet::source(excerpt)
                        .line_start(place.line())
                        .path(path_of(source))
                        .annotation(AnnotationKind::Primary.span(span)),
                )
            }
            _ => group.element(Origin::path(path_of(source)).line(place.line())),
        };
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

/// Returns the part of `span` on `line`, counted from its start: the span of a table covers many lines.
fn within(line: &Range<usize>, span: Range<usize>) -> Range<usize> {
    let start = span.start.clamp(line.start, line.end);
    start - line.start..span.end.clamp(start, line.end) - line.start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::source::{Place, Source};

    #[test]
    fn excerpts_command_no_terminal() {
        let text = "k = 1 # \u{1b}[2J \u{9b}31m \u{202e} \r\n";
        let place = Some(Place::new(&Source::new("a.toml", text), 0..1));
        let (key, message) = ("k".to_owned(), "wrong".to_owned());
        let drawn = render([&Problem { severity: Severity::Error, place, key, message, help: None }], false);
        assert!(!drawn.contains(|c: char| is_unsafe(c) && c != '\n'), "{drawn:?}");
        assert!(drawn.contains("?[2J"), "{drawn}");
    }

    fn drawn(text: &str, span: Range<usize>) -> String {
        let place = Some(Place::new(&Source::new("a.toml", text), span));
        let (key, message) = ("k".to_owned(), "wrong".to_owned());
        render([&Problem { severity: Severity::Error, place, key, message, help: None }], false)
    }

    #[test]
    fn excerpts_show_the_line() {
        let second = drawn("a = 1\nbé = [2,\n3]\n", 12..18);
        assert_eq!(
            second, "error: k: wrong\n --> a.toml:2:6\n  |\n2 | bé = [2,\n  |      ^^^\n\n",
            "{second}"
        );
        for at in [0, 6, 19, 1_000] {
            assert!(drawn("a = 1\nb = 2\n", at..at + 1).contains("a.toml:"), "{at}");
        }
        assert!(drawn("", 0..0).contains("a.toml:1"));
        let long = drawn(&format!("a = 1\nb = \"{}\"\n", "x".repeat(LONGEST_LINE)), 10..14);
        assert!(long.contains("a.toml:2") && long.len() < 100, "{long}");
    }

    #[test]
    fn excerpts_hide_secrets() {
        let text = "[mesh.a]\njwt_secret = \"hunter2\" # hunter2\nauth = { password = \"hunter2\" }\nk = 1\n";
        let source = Source::new("mesh/a.toml", text);
        for line_start in [0, 9, 42, 75] {
            let problem = Problem {
                severity: Severity::Error,
                place: Some(Place::new(&source, line_start..line_start + 5)),
                key: "mesh.a".to_owned(),
                message: "wrong".to_owned(),
                help: Some("mend it".to_owned()),
            };
            let drawn = render([&problem], false);
            assert!(drawn.contains("mesh/a.toml") && drawn.contains("mend it"), "{drawn}");
            assert!(!drawn.contains("hunter2"), "{drawn}");
        }
    }
}
