//! What is foreseen is what then happens.
