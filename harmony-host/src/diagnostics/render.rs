//! Problems as people read them, with an excerpt of the file.

use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::diagnostics::mask::masked;
use crate::diagnostics::problem::{Problem, Severity};
use crate::diagnostics::source::Source;

/// Draws problems with an excerpt of the file, as `harmony-host check` prints them.
///
/// Lines that hold secrets are masked before they are drawn.
pub fn render<'a>(problems: impl IntoIterator<Item = &'a Problem>, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    // Problems come file by file.
    let mut last: Option<(&Arc<Source>, String)> = None;
    for problem in problems {
        let source = problem.place.as_ref().map(|place| place.source());
        if let Some(source) = source
            && last.as_ref().is_none_or(|(before, _)| !Arc::ptr_eq(before, source))
        {
            last = Some((source, masked(source.text())));
        }
        out.push_str(&draw(problem, last.as_ref().map_or("", |(_, text)| text), &renderer));
        out.push_str("\n\n");
    }
    out
}

/// `text` is the masked file, when the problem is about a place in one.
fn draw(problem: &Problem, text: &str, renderer: &Renderer) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = format!("{}: {}", problem.key, problem.message);
    let mut group = Group::with_title(level.primary_title(&title));
    if let Some(place) = &problem.place {
        let span = first_line(text, place.span());
        group = group
            .element(Snippet::source(text).path(place.file()).annotation(AnnotationKind::Primary.span(span)));
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

/// The part of `span` on its first line: a table's span reaches over many.
fn first_line(text: &str, span: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let start = span.start.min(text.len());
    let line_end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| start + at);
    start..span.end.clamp(start, line_end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::source::{Place, Source};

    #[test]
    fn an_excerpt_shows_the_line_and_never_a_secret() {
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
