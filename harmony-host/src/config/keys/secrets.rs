//! The table of keys, asked which values are secret.

use crate::config::keys::sections::{FOREIGN, SECTIONS};
use crate::diagnostics::sensitive::Known;

/// Returns what the table knows of the key at `path`.
pub(crate) fn known(path: &[&str]) -> Known {
    let fits =
        |own: &[&str], given: &[&str]| own.iter().zip(given).all(|(own, given)| *own == "*" || own == given);
    let mut found = Known::Unknown;
    for section in SECTIONS {
        let own: Vec<&str> = section.path.split('.').collect();
        if !fits(&own, path) {
            continue;
        }
        if path.len() <= own.len() {
            return Known::Section;
        }
        let name = path[own.len()..].join(".");
        if let Some(key) = section.keys.iter().find(|key| key.name == name) {
            found = if key.secret { Known::Secret } else { Known::Public };
        }
    }
    match path {
        [top] | [top, _] if FOREIGN.contains(top) => Known::Section,
        _ => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_decides_about_its_keys() {
        let of = |path: &str| known(&path.split('.').collect::<Vec<_>>());
        for (path, expected) in [
            ("mesh.m.jwt_secret", Known::Secret),
            ("management.token", Known::Secret),
            ("backends.b.options.secret_access_key", Known::Secret),
            ("mesh.m.jwt_private_key_path", Known::Public),
            ("pipelines.token-exchange", Known::Section),
            ("pipelines.p.mesh.ingress.secret", Known::Section),
            ("authentications.password", Known::Section),
            ("authentications", Known::Section),
            ("pipelines", Known::Section),
            ("secrets", Known::Unknown),
            ("authentications.a.password", Known::Unknown),
            ("backends.b.options.headers.authorization", Known::Unknown),
        ] {
            assert_eq!(of(path), expected, "{path}");
        }
    }
}
