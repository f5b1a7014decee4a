//! The text of a file, and the likely encoding of one that is not UTF-8.

/// The reason for which bytes are no text, without any part of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotText {
    /// The line of the first wrong byte, counted from 1; `None` if the bytes have no lines.
    pub(super) line: Option<usize>,
    pub(super) reason: String,
    pub(super) remedy: String,
}

/// Returns the bytes as text.
///
/// # Errors
/// The bytes are not UTF-8, or have NUL bytes, as UTF-16 and binary files do.
pub(super) fn text(bytes: Vec<u8>) -> Result<String, NotText> {
    if let Some(encoding) = wide(&bytes) {
        return Err(NotText {
            line: None,
            reason: format!("this is {encoding}, not UTF-8"),
            remedy: format!("save the file as UTF-8, for example with `iconv -f {encoding} -t UTF-8`"),
        });
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err(NotText {
            line: Some(line_of(&bytes, at)),
            reason: "this has NUL bytes, so it is a binary file or damaged".to_owned(),
            remedy: "restore the file; after a power cut, from a backup".to_owned(),
        });
    }
    String::from_utf8(bytes).map_err(|error| {
        let (at, is_cut) = (error.utf8_error().valid_up_to(), error.utf8_error().error_len().is_none());
        let bytes = error.as_bytes();
        let (line, column) = (line_of(bytes, at), column_of(bytes, at));
        let is_binary = bytes.iter().any(|byte| matches!(byte, 1..=8 | 14..=26 | 28..=31));
        // Windows has letters and quotation marks where Latin-1 has control characters.
        let legacy = match bytes.iter().any(|byte| matches!(byte, 0x80..=0x9f)) {
            true => "WINDOWS-1252",
            false => "ISO-8859-1",
        };
        let (what, remedy) = match (is_binary, is_cut) {
            (true, _) => ("; it is perhaps a binary file".to_owned(), "put a text file there".to_owned()),
            (_, true) => (
                "; the file ends within a character, so it was perhaps cut off".to_owned(),
                "write the file again".to_owned(),
            ),
            _ => {
                let name = if legacy == "ISO-8859-1" { "Latin-1" } else { "Windows-1252" };
                (
                    format!("; the file is perhaps {name} ({legacy})"),
                    format!("save the file as UTF-8, for example with `iconv -f {legacy} -t UTF-8`"),
                )
            }
        };
        let reason = format!("this is not UTF-8 at line {line}, column {column}{what}");
        NotText { line: Some(line), reason, remedy }
    })
}

/// Returns the name of an encoding with two or four bytes per character.
fn wide(bytes: &[u8]) -> Option<&'static str> {
    // ASCII in UTF-16 has a NUL in every second byte. The first characters are enough to see it.
    let nul = |odd: usize| {
        let head = bytes.get(..16.min(bytes.len() & !1)).unwrap_or_default();
        !head.is_empty() && head.iter().skip(odd).step_by(2).all(|byte| *byte == 0)
    };
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        _ if nul(1) && !nul(0) => Some("UTF-16LE"),
        _ if nul(0) && !nul(1) => Some("UTF-16BE"),
        _ => None,
    }
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Returns the column in characters, counted from 1: all bytes before `at` on its line are valid.
fn column_of(bytes: &[u8], at: usize) -> usize {
    let line = bytes[..at].rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    // Continuation bytes start no character.
    line.iter().filter(|byte| **byte & 0xc0 != 0x80).count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_recognized() {
        let utf16 = |bytes: fn(u16) -> [u8; 2], bom: &[u8]| -> Vec<u8> {
            bom.iter().copied().chain("[proxy]\nid = 1\n".encode_utf16().flat_map(bytes)).collect()
        };
        for (bytes, line, reason, remedy) in [
            (
                b"a = 1\nb = \"M\xfcnchen\"\n".to_vec(),
                Some(2),
                "at line 2, column 7; the file is perhaps Latin-1",
                "ISO-8859-1",
            ),
            (
                b"\xc3\xa9 \x93x\x94".to_vec(),
                Some(1),
                "at line 1, column 3; the file is perhaps Windows-1252",
                "WINDOWS-1252",
            ),
            (utf16(u16::to_le_bytes, &[0xff, 0xfe]), None, "this is UTF-16,", "iconv -f UTF-16 -t UTF-8"),
            (utf16(u16::to_be_bytes, &[]), None, "this is UTF-16BE,", "iconv -f UTF-16BE -t UTF-8"),
            (utf16(u16::to_le_bytes, &[]), None, "this is UTF-16LE,", "iconv -f UTF-16LE -t UTF-8"),
            (b"ok\n\0\0\0".to_vec(), Some(2), "NUL bytes", "restore"),
            (b"k = \"\xc3".to_vec(), Some(1), "ends within a character", "write the file again"),
            (b"\x7fELF\x01\x02\xff".to_vec(), Some(1), "a binary file", "text file"),
        ] {
            let wrong = text(bytes).unwrap_err();
            assert!(wrong.reason.contains(reason) && wrong.remedy.contains(remedy), "{wrong:?}");
            assert_eq!(wrong.line, line, "{wrong:?}");
        }
        assert_eq!(text("é\n".into()).as_deref(), Ok("é\n"));
        assert_eq!(text(Vec::new()).as_deref(), Ok(""));
    }
}
