/// What a provider has learned that a restart should not lose, such as published keys.
///
/// The host keeps it beside the last good configuration, readable for its owner only, and hands it to the provider
/// that is built after a restart. Neither method does I/O, waits or panics.
pub trait Retention: Send + Sync {
    /// What is worth to be found again; `None` when there is nothing. The same as long as nothing was learned, since it
    /// is compared. Never a credential and never a token: those have places and ages of their own.
    fn save(&self) -> Option<String>;

    /// Takes back what a former process kept. The provider judges whether it understands it, whether it is for the same
    /// control plane, and whether it is too old to be used; what it learned itself since stays.
    fn restore(&self, kept: &str);
}

const _: fn(&dyn Retention) = |_| {};
