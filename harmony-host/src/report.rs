//! Problems as people read them, with an excerpt of the file.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::problem::{Problem, Severity};

/// Draws problems with an excerpt of the file, as `harmony-host check` prints them.
///
/// Lines that hold secrets are masked before they are drawn.
pub fn render<'a>(problems: impl IntoIterator<Item = &'a Problem>, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for problem in problems {
        out.push_str(&draw(problem, &renderer));
        out.push_str("\n\n");
    }
    out
}

fn draw(problem: &Problem, renderer: &Renderer) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = format!("{}: {}", problem.key, problem.message);
    let text = problem.place.as_ref().map(|place| masked(place.source().text()));
    let mut group = Group::with_title(level.primary_title(&title));
    if let (Some(place), Some(text)) = (&problem.place, &text) {
        let span = first_line(text, place.span());
        group = group.element(
            Snippet::source(text.as_str()).path(place.file()).annotation(AnnotationKind::Primary.span(span)),
        );
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

/// Words in a key that mean its value is not for eyes.
const SENSITIVE: [&str; 9] = [
    "secret",
    "password",
    "passphrase",
    "passwd",
    "token",
    "private_key",
    "api_key",
    "credential",
    "authorization",
];

/// Replaces every value behind a sensitive key, and the user part of every URL, with asterisks: byte for
/// byte, so that spans stay right.
pub(crate) fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // What ends a value that reaches over several lines.
    let mut within: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        if let Some(end) = within {
            out.extend(line.bytes().map(mask));
            if line.contains(end) {
                within = None;
            }
            continue;
        }
        let Some(value_at) = sensitive_value(line) else {
            out.push_str(&without_users(line));
            continue;
        };
        let (key, value) = line.split_at(value_at);
        out.push_str(key);
        out.extend(value.bytes().map(mask));
        within = [("\"\"\"", "\"\"\""), ("'''", "'''"), ("[", "]")]
            .into_iter()
            .find(|(start, end)| value.starts_with(start) && !value[start.len()..].contains(end))
            .map(|(_, end)| end);
    }
    out
}

/// The line with `user:password` of `scheme://user:password@host` masked.
fn without_users(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let authority = after.find(['/', '"', '\'', ' ', '\n']).unwrap_or(after.len());
        let user = after[..authority].rfind('@').unwrap_or(0);
        out.extend(after[..user].bytes().map(mask));
        rest = &after[user..];
    }
    out.push_str(rest);
    out
}

fn mask(byte: u8) -> char {
    if byte == b'\n' { '\n' } else { '*' }
}

/// Where the first value behind a sensitive key starts in `line`.
fn sensitive_value(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let key = SENSITIVE.iter().filter_map(|word| lower.find(word)).min()?;
    let after = lower.get(key..)?.find('=')?;
    let value = key + after + 1;
    let blank = line.get(value..)?.bytes().take_while(|b| *b == b' ').count();
    Some(value + blank)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Place, Source};

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

    #[test]
    fn masking_keeps_every_offset_also_over_several_lines() {
        for value in [
            "token = \"\"\"\nhunter2é\n\"\"\"",
            "tokens = [\n  \"hunter2\",\n]",
            "secret = '''hunter2'''",
            "url = \"http://me:hunter2@a/x@y\"",
        ] {
            let text = format!("a = 1\n{value}\nb = 2\n");
            let hidden = masked(&text);
            assert_eq!(hidden.len(), text.len());
            assert!(!hidden.contains("hunter2"), "{hidden}");
            assert!(hidden.ends_with("b = 2\n"), "{hidden}");
        }
    }
}
