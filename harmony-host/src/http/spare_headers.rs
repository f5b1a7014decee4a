//! The map of headers of a request that is over, for the next response.
//!
//! hyper uses the map of each response for the next request. So no exchange allocates one.

use std::cell::Cell;

use http::HeaderMap;

/// The largest capacity of a map that is kept.
const MAX_CAPACITY: usize = 64;

thread_local! {
    static SPARE: Cell<Option<HeaderMap>> = const { Cell::new(None) };
}

/// Takes an empty map: one that was put by this thread, or a new one.
pub(crate) fn take() -> HeaderMap {
    SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default()
}

/// Keeps a map that is not used any more, without its headers.
pub(crate) fn put(mut headers: HeaderMap) {
    if headers.capacity() > 0 && headers.capacity() <= MAX_CAPACITY {
        headers.clear();
        let _ = SPARE.try_with(|spare| spare.set(Some(headers)));
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::{AUTHORIZATION, SET_COOKIE};

    use super::*;

    #[test]
    fn a_kept_map_is_empty() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, HeaderValue::from_static("secret"));
        headers.append(SET_COOKIE, HeaderValue::from_static("a=1"));
        headers.append(SET_COOKIE, HeaderValue::from_static("b=2"));
        put(headers);
        let taken = take();
        assert!(taken.is_empty() && taken.capacity() > 0 && !taken.contains_key(AUTHORIZATION));
        assert_eq!(take().capacity(), 0);
        put(HeaderMap::with_capacity(10_000));
        assert_eq!(take().capacity(), 0);
    }
}
