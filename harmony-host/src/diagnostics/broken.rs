//! Secret values in text that is not valid TOML, where only lines and words can be told apart.

use std::ops::Range;

use crate::diagnostics::near_secret::has_random;
use crate::diagnostics::sensitive::Sensitive;

/// Returns the spans that may hold a secret: on a line with a word that is near the name of one, everything behind the word
/// and every text in quotes before it, whatever is between; without anything behind it, the next line with text; and every
/// word that looks random.
pub(super) fn broken_values(text: &str, sensitive: &Sensitive) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let (mut start, mut expects, mut until) = (0, false, None);
    for line in text.split_inclusive('\n') {
        let whole = start..start + line.len();
        start = whole.end;
        if let Some(end) = until {
            spans.push(whole);
            until = until.filter(|_| !line.contains(end));
            continue;
        }
        let trimmed = line.trim();
        if trimmed.is_empty() || expects && trimmed.starts_with('#') {
            continue;
        }
        let is_value = std::mem::take(&mut expects);
        if is_header(trimmed) {
            continue;
        }
        let is_in_word = |c: char| !c.is_whitespace() && !QUOTES.contains(&c) && c != '`';
        let random = words(line, is_in_word).filter(|word| has_random(&line[word.clone()]));
        spans.extend(random.map(|word| whole.start + word.start..whole.start + word.end));
        let Some(behind) = (if is_value { Some(0) } else { end_of_name(line, sensitive) }) else { continue };
        if let (Some(first), Some(last)) = (line[..behind].find(QUOTES), line[..behind].rfind(QUOTES)) {
            spans.push(whole.start + first..whole.start + last);
        }
        spans.push(whole.start + behind..whole.end);
        let value = line[behind..].trim_matches(|c: char| c.is_whitespace() || matches!(c, '=' | ':' | '>'));
        expects =
            value.trim_matches(QUOTES).is_empty() && !value.contains("\"\"\"") && !value.contains("'''");
        until = ["\"\"\"", "'''"].into_iter().find(|end| value.matches(end).count() == 1);
        until = until.or_else(|| Some("]").filter(|end| value.starts_with('[') && !value.contains(end)));
    }
    spans
}

const QUOTES: [char; 2] = ['"', '\''];

/// Returns whether a line is the header of a section, whose name is one that people chose.
fn is_header(line: &str) -> bool {
    let line = line.split('#').next().unwrap_or(line).trim_end();
    line.starts_with('[') && line.ends_with(']') && !line.contains(['"', '\'', '=', ',', ' '])
}

/// Returns the offset behind the first word in a line that may be the name of a secret; the one before it, if it is a text
/// in quotes with something before it. Then it is rather a value, with the name of a secret in it.
fn end_of_name(line: &str, sensitive: &Sensitive) -> Option<usize> {
    let is_in_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let word = words(line, is_in_word).find(|word| sensitive.is_near_word(&line[word.clone()]))?;
    let before = &line[..word.start];
    let is_value = before.ends_with(QUOTES) && before.contains(['=', ':']);
    Some(if is_value { word.start } else { word.end })
}

/// Returns the spans of the words of a line.
fn words(line: &str, is_in_word: impl Fn(char) -> bool + Copy) -> impl Iterator<Item = Range<usize>> {
    line.split(move |c| !is_in_word(c)).filter(|word| !word.is_empty()).map(|word| {
        let start = word.as_ptr().addr() - line.as_ptr().addr();
        start..start + word.len()
    })
}

#[cfg(test)]
mod tests {
    use crate::diagnostics::mask::mask_secrets;
    use crate::diagnostics::sensitive::Sensitive;

    /// Whatever is between a name of a secret and its value, and however the name is spelled.
    #[test]
    fn no_separator_shows_a_value() {
        for name in
            ["jwt_secret", "jwt_secrt", "token", "toke", "tokn", "JWT_SECRET", "\"token\"", "a.password"]
        {
            for between in [
                " ",
                "",
                ": ",
                " => ",
                " == ",
                " =\n",
                "\n",
                " = \n\n# c\n",
                "\t",
                " = x ",
                " is ",
                " [",
                "=",
            ] {
                for quotes in ["\"\"", "''", "\" ", " \"", "  ", "“”"] {
                    let (mut open, mut close) = quotes.split_at(quotes.len() / 2);
                    (open, close) = (open.trim(), close.trim());
                    let text = format!("[mesh.m]\n{name}{between}{open}hunter2{close}\nbroken\nk = 1\n");
                    // Without anything between, the value is a part of the name.
                    if between.is_empty() && open.is_empty() {
                        continue;
                    }
                    let hidden = mask_secrets(&text, &Sensitive::default());
                    assert_eq!(hidden.len(), text.len(), "{text}");
                    assert!(!hidden.contains("hunter2"), "{text}{hidden}");
                }
            }
        }
    }

    /// A secret may have a word of the name of one in it.
    #[test]
    fn values_are_no_names() {
        for value in ["SUPERSECRETVALUE1234567890abcdefgh", "my-secret-hunter2", "token_hunter2"] {
            let text = format!("[mesh.m]\nprovider = \"local\"\nprovider = \"{value}\"\n");
            let hidden = mask_secrets(&text, &Sensitive::default());
            assert!(hidden.contains("provider = \"local\"") && !hidden.contains(value), "{hidden}");
        }
    }

    #[test]
    fn the_rest_of_a_broken_text_is_shown() {
        let text = "[pipelines.token-exchange]\nnetworks = [\"n\"]\nmode \"mesh\"\nx = \"q8Zr5TnXw2Lk9PvB7cYdM4aG\"\n\
                    auth_type = \"hunter2\" jwt_secret = \"\"\"\nhunter2\n\"\"\"\n[endpoints.e]\nservice = \"http\"\n";
        let hidden = mask_secrets(text, &Sensitive::default());
        for shown in [
            "[pipelines.token-exchange]",
            "networks = [\"n\"]",
            "mode \"mesh\"",
            "[endpoints.e]",
            "service = \"http\"",
        ] {
            assert!(hidden.contains(shown), "{shown}: {hidden}");
        }
        assert!(!hidden.contains("hunter2") && !hidden.contains("q8Zr5"), "{hidden}");
    }
}
