//! The contract of [`shopfloor_queue::Queue`]: every implementation passes these cases unchanged.
//!
//! A case gets a [`Bench`]: a fresh record, a queue on it, and a clock that only the case moves.

pub mod admission;
pub mod bench;
pub mod dispatch;
pub mod lease;
pub mod model;
pub mod people;
pub mod race;
pub mod verdict;
pub mod wake;

mod history;
mod play;

pub use bench::Bench;

/// Makes a test of every case of the contract, and of the model, for each of the backends named. A backend is a function
/// `async fn name() -> Bench` in the calling module.
///
/// ```text
/// shopfloor_testkit::queue_contract!(sqlite, postgres);
/// ```
#[macro_export]
macro_rules! queue_contract {
    ($($backend:ident),+ $(,)?) => {$(
        #[cfg(test)]
        mod $backend {
            $crate::queue_contract!(@cases $backend dispatch {
                the_lowest_score_goes_first, equal_scores_go_in_the_order_of_submission, aging_bounds_the_wait,
                a_new_priority_moves_a_waiting_order, a_delayed_order_waits_for_its_time, a_claim_is_never_larger_than_asked,
                nothing_to_claim_is_no_error, a_claim_says_all_about_itself, the_same_idempotency_key_is_one_order,
                bulk_is_all_or_nothing_and_keeps_its_order, publishing_again_changes_nothing, depth_counts_every_order_once,
            });
            $crate::queue_contract!(@cases $backend admission {
                needs_must_be_covered, only_the_queues_asked_for, a_paused_queue_gives_nothing_until_resumed,
                a_paused_queue_lets_running_work_go_on, a_project_limit_holds, a_full_project_does_not_block_others,
                a_new_limit_holds_at_once, a_project_starts_no_faster_than_its_rate, a_rate_does_not_block_others,
                a_new_rate_holds_at_once, a_rate_and_a_limit_hold_together, a_removed_worker_gets_nothing, an_unknown_worker_gets_nothing,
            });
            $crate::queue_contract!(@cases $backend lease {
                renewal_is_answered_in_order, renewal_keeps_a_lease_alive, a_stranger_cannot_renew,
                an_expired_lease_is_rescued_and_its_holder_is_a_ghost, a_late_worker_that_was_not_rescued_may_finish,
                rescue_keeps_to_its_limit, a_poison_order_dies, a_lost_worker_costs_the_last_attempt, rescue_confirms_a_cancellation, rescuing_twice_is_harmless,
            });
            $crate::queue_contract!(@cases $backend verdict {
                completed_is_final, failed_is_final, the_epoch_grows_with_every_claim, a_stale_finish_writes_nothing,
                attempts_are_counted_in_the_claim, a_retry_waits_for_its_backoff, the_last_attempt_is_dead,
                a_release_burns_no_attempt, a_dead_order_is_requeued_once,
            });
            $crate::queue_contract!(@cases $backend people {
                a_waiting_order_is_cancelled_at_once, a_claimed_order_is_cancelled_when_its_worker_confirms,
                a_parked_order_holds_nothing, an_answer_puts_a_parked_order_back, an_answer_before_parking_is_not_lost,
                cancelling_a_parked_order_closes_its_question,
            });
            $crate::queue_contract!(@cases $backend race {
                nothing_is_claimed_twice, a_project_limit_is_exact_under_concurrent_claims,
                one_of_many_finishes_wins, claims_and_submits_and_rescues_at_once_lose_nothing,
            });
            $crate::queue_contract!(@cases $backend wake {
                publishing_wakes_a_waiting_worker, a_wake_up_between_look_and_wait_is_not_lost, resuming_wakes,
                a_due_order_wakes, handing_back_wakes, a_free_place_in_a_project_wakes, an_idle_worker_waits,
                waiting_can_be_cancelled, promoting_tells_the_next_due_time,
            });
            #[test]
            fn histories_match_the_model() {
                $crate::queue_contract::model::histories_match_the_model(super::$backend);
            }
        }
    )+};
    (@cases $backend:ident $module:ident { $($case:ident),+ $(,)? }) => {
        mod $module {$(
            #[test]
            fn $case() {
                $crate::run(async {
                    let bench = super::super::$backend().await;
                    Box::pin($crate::queue_contract::$module::$case(&bench)).await;
                });
            }
        )+}
    };
}
