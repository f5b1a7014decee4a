//! Panics in words. The text of a panic may repeat a document, such as a string that was cut within a letter, so its secrets
//! are masked; and it may have lines of its own.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;

use crate::cli::out;
use crate::diagnostics::escape::Escaped;
use crate::diagnostics::mask::mask_prose;

/// The facts that are told of a panic.
struct Told {
    text: String,
    location: Option<String>,
    backtrace: Option<String>,
}

impl Told {
    fn of(info: &PanicHookInfo<'_>) -> Self {
        let payload = info.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let backtrace = Backtrace::capture();
        Self {
            text: mask_prose(text.unwrap_or("without a message")),
            location: info.location().map(ToString::to_string),
            backtrace: (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string()),
        }
    }
}

/// Prints panics on standard error, for a command without a log.
pub(super) fn print_panics() {
    std::panic::set_hook(Box::new(|info| {
        let Told { text, location, backtrace } = Told::of(info);
        let location = location.map_or_else(String::new, |location| format!(" at {location}"));
        out::error(&format!("a thread panicked{location}: {text}"));
        if let Some(backtrace) = backtrace {
            out::eprint(&backtrace);
        }
    }));
}

/// Logs panics as events.
pub(super) fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let Told { text, location, backtrace } = Told::of(info);
        tracing::error!(location, backtrace, "a thread panicked: {}", Escaped(&text));
    }));
}
