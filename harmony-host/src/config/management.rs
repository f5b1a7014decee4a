use provider_api::Secret;

use crate::config::section::Section;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::Spanned;

/// `[management]`: the API that operators and the CLI use.
#[derive(Clone, Debug)]
pub(crate) struct Management {
    /// The first segment of its paths, `admin` unless configured.
    pub(crate) base_path: String,
    /// The only network it answers on.
    pub(crate) network: Spanned<String>,
    /// The bearer token that peers beyond the loopback must bring; without one they are refused.
    pub(crate) token: Option<Secret>,
}

/// The fewest bytes of a management token: 128 bits in hexadecimal.
const MIN_TOKEN_BYTES: usize = 32;

impl Management {
    /// `None` when the section is absent or not enabled.
    pub(crate) fn read(root: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        let section = root.section("management", problems)?;
        let enabled = section.flag("enabled", problems).is_some_and(|flag| flag.value);
        let base_path = section.text("base_path", problems);
        let network = if enabled {
            section.required_text("network", problems)
        } else {
            section.text("network", problems)
        };
        let token = section.secret("token", problems);
        if let Some(token) = &token
            && token.value.len() < MIN_TOKEN_BYTES
        {
            problems
                .error(
                    Some(&token.place),
                    section.key("token"),
                    format!("expected at least {MIN_TOKEN_BYTES} characters"),
                )
                .help("`openssl rand -hex 32` makes one");
        }
        let base = match &base_path {
            Some(at) if !at.value.trim_matches('/').split('/').all(crate::config::name::is_name) => {
                problems.error(
                    Some(&at.place),
                    section.key("base_path"),
                    "expected path segments of a-z, 0-9, _ and -, such as \"admin\"",
                );
                None
            }
            Some(at) => Some(at.value.trim_matches('/').to_owned()),
            None => Some("admin".to_owned()),
        };
        section.finish(problems);
        if !enabled {
            return None;
        }
        Some(Self { base_path: base?, network: network?, token: token.map(|t| t.value) })
    }
}
