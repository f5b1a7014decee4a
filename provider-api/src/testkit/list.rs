//! The list of checks.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::checks as files;
use super::outcome::CheckResult;
use super::{Exchange, Subject};

/// A check of one rule of the contract. `Display` writes its id, `group::name`.
#[derive(Clone, Copy)]
pub struct Check {
    /// The group: an ability, or a kind of exchange.
    pub group: &'static str,
    /// The name within the group.
    pub name: &'static str,
    pub(super) run: for<'a> fn(&'a dyn Subject) -> CheckFuture<'a>,
}

/// The future of a running check.
pub(super) type CheckFuture<'a> = Pin<Box<dyn Future<Output = CheckResult> + Send + 'a>>;

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.group, self.name)
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The list of checks, in one place. Passes each group to the macro `$then`, with `$with` as its argument, so
/// that [`checks`] and [`conformance!`](crate::conformance) cannot disagree.
///
/// The groups that are named after an exchange have the same checks. The file of the checks precedes them.
#[doc(hidden)]
#[macro_export]
macro_rules! __testkit_checks {
    ([$($then:tt)+] $with:tt) => {
        $($then)+! { $with own building building [
            it_does_no_io it_starts_no_task it_works_without_a_control_plane bad_settings_are_invalid
            refusals_show_no_secret the_name_is_the_configured_one the_abilities_stay_what_they_are
            the_abilities_are_those_of_the_world debug_shows_no_secret two_live_beside_each_other
        ] }
        $($then)+! { $with own changes changes [
            they_come_oldest_first a_long_list_is_whole nothing_pending_is_an_empty_list
            a_new_provider_never_says_unchanged asking_again_gives_the_same a_new_change_is_seen
            a_change_comes_again_until_it_is_received a_list_that_was_dropped_comes_again
            unavailable_is_never_an_empty_list a_fetched_change_is_whole attachments_come_along
            an_unknown_kind_is_passed_on fetching_what_was_never_offered_is_not_found
            fetches_at_once_are_not_mixed_up a_settled_change_is_gone the_cadence_is_the_configured_one
        ] }
        $($then)+! { $with own reports reports [
            received_arrives applied_arrives rejected_arrives a_rejection_arrives_with_its_reasons
            every_class_of_rejection_arrives a_report_may_be_repeated
            a_report_may_be_repeated_by_the_next_provider a_report_whose_answer_was_lost_may_be_repeated
            a_report_that_failed_is_made_when_repeated a_report_of_what_was_never_offered_is_not_found
            verdicts_are_not_mixed_up
        ] }
        $($then)+! { $with own resources resources [
            every_form_of_a_reference_finds_it every_type_of_resource_is_found urls_come_in_their_order
            what_is_not_there_is_not_found another_type_is_not_found a_longer_name_is_another
            a_reference_to_another_provider_finds_nothing what_is_not_permitted_is_denied
            what_is_disabled_is_reported_so freshness_is_positive_and_bounded nothing_is_kept_here
            what_was_missing_is_found_once_it_is_there answers_at_once_are_not_mixed_up
        ] }
        $($then)+! { $with own tokens tokens [
            what_is_issued_is_accepted a_token_ends_when_it_says debug_of_a_token_shows_nothing
            it_is_good_below_its_destination a_destination_ends_at_a_segment it_is_no_good_elsewhere
            a_path_that_climbs_out_is_elsewhere it_is_no_good_in_another_mesh
            nothing_is_good_in_a_mesh_that_does_not_exist a_mesh_is_its_name_and_its_id
            no_token_is_issued_in_a_mesh_that_does_not_exist
            no_token_is_issued_to_where_this_gateway_may_not_go
            without_a_key_to_sign_with_no_token_is_issued tokens_issued_at_once_are_not_mixed_up
        ] }
        $($then)+! { $with own denied forgeries [
            a_spoiled_signature a_changed_claim a_signature_that_is_missing the_algorithm_none
            an_hmac_with_the_public_key another_algorithm_in_the_header a_key_of_somebody_else
            a_key_id_that_nobody_knows what_is_no_token an_expired_token
            a_token_whose_time_has_passed a_token_without_an_end an_end_that_is_no_date
            a_token_that_is_not_valid_yet a_token_from_the_future another_issuer another_mesh_in_the_claims
            no_mesh_in_the_claims nobody_as_the_sender another_audience anything_while_there_are_no_keys
        ] }
        $($then)+! { $with own verification forgeries [
            keys_that_were_rotated_are_found a_flood_of_unknown_key_ids_asks_little
        ] }
        $($then)+! { $with own credentials credentials [
            a_person_authorizes_the_gateway the_credential_is_kept the_credential_is_used a_stranger_is_denied
            a_failure_stores_nothing a_failure_takes_nothing_away a_credential_that_is_brought_is_used
            an_expired_credential_is_not_taken a_credential_for_elsewhere_is_not_taken
            a_credential_that_is_none_is_not_taken another_gateway_takes_replace one_that_is_not_taken_takes_nothing_away
        ] }
        $($then)+! { $with own credential_status credential_status [
            without_a_credential_it_is_missing without_a_credential_calls_are_unavailable
            with_a_credential_it_is_valid after_its_end_it_is_expired after_a_refusal_it_is_refused
            a_new_credential_ends_a_refusal a_credential_of_another_provider_is_noticed
            it_survives_a_control_plane_that_is_away it_asks_nobody
        ] }
        $($then)+! { $with own documents documents [
            a_document_arrives_and_has_an_id again_under_its_id_it_is_the_same under_its_id_it_is_replaced
            a_push_whose_answer_was_lost_may_be_repeated what_is_not_accepted_is_invalid
        ] }
        $($then)+! { $with own retention retention [
            keeping_asks_nobody what_has_learned_nothing_keeps_nothing it_is_the_same_while_nothing_was_learned
            what_is_kept_shows_no_secret what_was_kept_is_taken_back what_was_taken_back_is_kept_on
            what_was_kept_for_another_control_plane_is_not_used what_is_too_old_is_not_used
            what_was_taken_back_grows_no_younger what_was_taken_back_has_an_end what_was_learned_since_stays
        ] }
        $($then)+! { $with own recall malformed_state [
            no_text_makes_it_panic what_is_not_understood_takes_nothing_away what_is_not_understood_is_nothing
        ] }
        $crate::__testkit_exchange! { [$($then)+] $with pending Pending }
        $crate::__testkit_exchange! { [$($then)+] $with fetch Fetch }
        $crate::__testkit_exchange! { [$($then)+] $with report Report }
        $crate::__testkit_exchange! { [$($then)+] $with resolve Resolve }
        $crate::__testkit_exchange! { [$($then)+] $with issue Issue }
        $crate::__testkit_exchange! { [$($then)+] $with keys Keys }
        $crate::__testkit_exchange! { [$($then)+] $with enroll Enroll }
        $crate::__testkit_exchange! { [$($then)+] $with publish Publish }
    };
}

/// The checks of every kind of exchange.
#[doc(hidden)]
#[macro_export]
macro_rules! __testkit_exchange {
    ([$($then:tt)+] $with:tt $group:ident $exchange:ident) => {
        $($then)+! { $with $exchange $group statuses [
            a_refused_credential what_is_not_permitted what_is_not_there what_makes_no_sense
            a_broken_control_plane too_many_requests_says_when_to_come_back overload_says_when_to_come_back
            @ answers
            the_right_answer a_page_of_a_proxy a_page_with_an_error another_content_type garbage
            an_answer_of_another_shape blank_fields numbers_beyond_all_bounds
            fields_that_nobody_knows_are_no_error
            @ transport
            a_cut_connection half_an_answer silence_has_an_end an_endless_answer_has_an_end
            an_answer_that_drips_has_an_end a_slow_answer_is_one a_control_plane_that_is_away
            a_redirection_is_not_followed it_recovers
            @ calls
            it_is_cancel_safe it_can_be_dropped_in_silence many_at_once it_asks_once no_secret_in_errors
            errors_say_something_and_nothing_twice
            @ tasks
            no_task_is_left no_task_is_left_by_calls_that_were_dropped no_task_outlives_the_provider
        ] }
    };
}

macro_rules! add {
    ([$all:ident] own $group:ident $file:ident [$($name:ident)*]) => {
        $($all.push(Check {
            group: stringify!($group),
            name: stringify!($name),
            run: |subject| Box::pin(files::$file::$name(subject)),
        });)*
    };
    ([$all:ident] $exchange:ident $group:ident $first:ident
        [$($name:ident)* $(@ $file:ident $($more:ident)*)*]) => {
        add! { [$all] $exchange $group in $first $($name)* }
        $(add! { [$all] $exchange $group in $file $($more)* })*
    };
    ([$all:ident] $exchange:ident $group:ident in $file:ident $($name:ident)*) => {
        $($all.push(Check {
            group: stringify!($group),
            name: stringify!($name),
            run: |subject| Box::pin(files::$file::$name(subject, Exchange::$exchange)),
        });)*
    };
}

/// Returns all checks, in the order of the table.
#[expect(clippy::vec_init_then_push, reason = "the list is a macro that passes on one group at a time")]
pub fn checks() -> Vec<Check> {
    let mut all = Vec::new();
    crate::__testkit_checks! { [add] [all] }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_ids_of_checks_are_unique() {
        let all = checks();
        let names: BTreeSet<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), all.len());
    }
}
