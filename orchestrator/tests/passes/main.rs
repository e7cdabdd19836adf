//! Every pass against the record, on both databases: once, and by two orchestrators at once with the same outcome.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helper functions included")]

mod blocked;
mod floor;
mod ladder;
mod leader;
mod promote;
mod prune;
mod rescue;
mod sessions;
mod together;
mod workers;

shopfloor_testkit::contract! {
    blocked::{
        every_cause_of_waiting_is_counted,
        only_the_time_since_an_order_was_due_is_counted,
    },
    ladder::{
        a_question_is_reminded_escalated_and_closed_by_its_default,
        a_rejected_question_lets_its_order_go_on,
        an_extended_question_begins_its_ladder_again,
        an_answer_ends_the_ladder,
        two_orchestrators_prompt_as_one_does,
    },
    leader::{
        a_resigned_lead_is_taken_at_once,
        a_silent_leader_is_replaced_when_its_lease_ends,
        of_many_candidates_one_wins,
    },
    promote::{
        a_delayed_order_that_comes_due_wakes_a_waiting_claim,
        the_next_pass_is_due_with_the_next_order,
    },
    prune::{
        old_events_of_finished_tasks_go_and_the_rest_stays,
    },
    rescue::{
        a_cancelled_order_of_a_dead_worker_is_cancelled,
        a_dead_workers_order_is_queued_again_and_its_ghost_refused,
        a_stalled_worker_that_renewed_in_time_keeps_its_order,
        an_order_that_costs_too_many_workers_is_dead,
        more_than_a_batch_takes_several_passes,
        two_orchestrators_rescue_as_one_does,
    },
    sessions::{
        a_busy_session_ends_after_an_hour,
        a_parked_order_is_left_alone,
        an_idle_session_ends_and_its_order_runs_elsewhere,
        two_orchestrators_reap_as_one_does,
    },
    together::{
        a_lost_lease_is_rescued_by_the_running_loops,
        another_takes_over_when_the_leader_dies,
        another_takes_over_when_the_leader_stops,
    },
    workers::{
        a_silent_worker_is_offline_until_it_is_heard_again,
        two_orchestrators_mark_as_one_does,
    },
}
