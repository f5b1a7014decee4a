use super::answer::{Outcome, Refusal};
use super::call::Call;
use super::core::Core;

pub(super) fn index() -> Outcome {
    Err(Refusal::not_found("no page yet"))
}

pub(super) fn login(_: &Core, _: &str) -> Outcome {
    index()
}

pub(super) fn answer(_: &Core, _: &Call, _: &[&str]) -> Outcome {
    index()
}
