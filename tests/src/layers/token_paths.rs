//! The paths in the tokens of a macro call, found without expanding the macro.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Returns every path in the tokens, including single names. Excludes fields and methods after a dot, lifetimes, macro
/// variables and the rest of a path after generic arguments (`Vec::<T>::new`). `$crate` counts as `crate`.
pub(super) fn token_paths(tokens: TokenStream) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    collect(&[], tokens, &mut paths);
    paths
}

fn collect(prefix: &[String], tokens: TokenStream, paths: &mut Vec<Vec<String>>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(tree) = trees.get(at) {
        match tree {
            TokenTree::Group(group) => {
                collect(&[], group.stream(), paths);
                at += 1;
            }
            // `as name` in the braces of a `use` is not a path.
            TokenTree::Ident(word) if word == "as" && !prefix.is_empty() => at += 2,
            TokenTree::Ident(name) if begins_path(&trees, at) => {
                let mut path = prefix.to_vec();
                path.push(name.to_string());
                at = follow(&trees, at + 1, path, paths);
            }
            _ => at += 1,
        }
    }
}

/// Reads a path whose first name is before `at`, adds it to `paths`, and returns the position of its end.
fn follow(trees: &[TokenTree], mut at: usize, mut path: Vec<String>, paths: &mut Vec<Vec<String>>) -> usize {
    while is_punct(trees.get(at), ':') && is_punct(trees.get(at + 1), ':') {
        match trees.get(at + 2) {
            Some(TokenTree::Ident(name)) => path.push(name.to_string()),
            // The braces of a `use`.
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                collect(&path, group.stream(), paths);
                return at + 3;
            }
            _ => break,
        }
        at += 3;
    }
    if path.len() > 1 && path.last().is_some_and(|name| name == "self") {
        path.pop();
    }
    paths.push(path);
    at
}

/// Returns whether the name at `at` can be the first name of a path, according to the tokens before it.
fn begins_path(trees: &[TokenTree], at: usize) -> bool {
    let before = |steps: usize| at.checked_sub(steps).and_then(|place| trees.get(place));
    match before(1) {
        // `a..B` is a range, `a.b` a field.
        Some(TokenTree::Punct(dot)) if dot.as_char() == '.' => is_punct(before(2), '.'),
        Some(TokenTree::Punct(quote)) if quote.as_char() == '\'' => false,
        Some(TokenTree::Punct(dollar)) if dollar.as_char() == '$' => {
            matches!(trees.get(at), Some(TokenTree::Ident(name)) if name == "crate")
        }
        Some(TokenTree::Punct(colon)) if colon.as_char() == ':' => !is_punct(before(2), ':'),
        _ => true,
    }
}

fn is_punct(tree: Option<&TokenTree>, wanted: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}
