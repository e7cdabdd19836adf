//! The engine and whole workers over a real record, on both databases, with a scripted sandbox.

mod bench;
mod crash;
mod flaky;
mod fleet;
mod people;
mod real;
mod run;

shopfloor_testkit::contract!(
    run::{
        code_runs_and_its_result_is_recorded,
        blocking_findings_keep_the_code_from_running,
        a_critic_that_cannot_run_fails_closed,
        an_ending_that_is_not_ok_fails_the_task,
        a_sandbox_that_breaks_is_tried_again,
        input_that_makes_no_sense_fails_with_a_sentence,
        files_go_in_and_foreign_ones_do_not,
        live_output_is_in_the_event_log,
        a_run_that_takes_too_long_is_stopped,
    },
    people::{
        an_answer_within_the_grace_goes_straight_on,
        a_parked_order_is_resumed_by_another_worker,
        an_answer_that_comes_before_parking_is_not_lost,
        a_rejection_fails_the_task,
        an_approval_lets_it_run,
        the_answer_of_an_ask_step_reaches_the_code,
        the_default_counts_when_nobody_answers,
        code_may_not_ask_for_ever,
        a_requeued_dead_letter_asks_its_question_anew,
    },
    crash::{
        a_worker_may_die_anywhere_and_no_step_is_repeated,
        a_worker_may_die_anywhere_around_a_question,
        a_stale_worker_is_fenced,
    },
    fleet::{
        three_tasks_run_on_three_workers,
        a_worker_never_holds_more_than_its_slots,
        a_running_order_is_cancelled_and_confirmed,
        a_panic_is_a_failed_attempt,
        what_the_drain_leaves_is_handed_back_unharmed,
        what_finishes_in_the_drain_is_recorded,
        a_removed_worker_drains,
        a_worker_that_waits_for_a_person_says_so,
        what_waits_for_a_person_is_parked_by_the_drain,
        a_hiccup_of_the_record_costs_time_only,
        a_forgotten_worker_registers_again,
    },
    real::{
        real_code_is_checked_run_and_kept,
        real_tools_block_what_they_must,
        real_code_asks_and_goes_on_with_the_answer,
    },
);
