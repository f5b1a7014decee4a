//! Ids (ULIDs) and random secrets.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{SystemTime, UNIX_EPOCH};

/// Crockford's base 32, without I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static LAST: Mutex<u128> = Mutex::new(0);

/// Generates a ULID. Within a process, each one sorts after the previous one.
pub(super) fn ulid() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis());
    let fresh = now << 80 | u128::from_be_bytes(random::<16>()) >> 48;
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    // Two ids in the same millisecond, or a clock that was set back.
    *last = if fresh > *last { fresh } else { *last + 1 };
    (0..26).rev().map(|place| char::from(ALPHABET[(*last >> (5 * place)) as usize & 31])).collect()
}

/// Generates a secret of 32 letters and digits with 160 bits of randomness.
pub(super) fn secret() -> String {
    random::<32>()
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte & 31)].to_ascii_lowercase()))
        .collect()
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use super::ulid;

    #[test]
    fn ids_are_increasing_ulids() {
        let ids: Vec<_> = (0..1000).map(|_| ulid()).collect();
        assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(ids.iter().all(|id| id.len() == 26 && id.as_bytes()[0] <= b'7'));
    }
}
