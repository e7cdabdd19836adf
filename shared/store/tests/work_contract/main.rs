//! What a task's work leaves in the record, the same on SQLite and on PostgreSQL: submissions, steps, questions, chat,
//! artifacts, the event log, the audit log and API keys.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helper functions included")]

mod audit;
mod chat;
mod common;
mod events;
mod files;
mod guards;
mod keys;
mod ladder;
mod lifecycle;
mod lists;
mod prune;
mod questions;
mod steps;
mod submit;
mod together;

shopfloor_testkit::contract!(
    audit::{
        who_did_what_is_kept,
        entries_cannot_be_changed_or_deleted,
        tampering_is_noticed,
        many_writers_make_one_chain,
        numbers_survive_the_log_unchanged,
    },
    chat::{
        a_conversation_can_be_written_to_from_the_submission,
        a_parent_must_be_of_the_same_conversation,
        ids_grow_in_the_order_of_commits,
        messages_are_listed_in_pages,
    },
    events::{
        a_resuming_reader_misses_nothing_while_many_write,
        a_late_commit_is_not_passed_over,
        the_log_is_filtered_by_task_and_kind,
        only_the_holder_appends,
        kinds_of_a_newer_version_are_passed_over,
    },
    files::{
        a_file_is_recorded_and_listed,
        artifacts_come_with_their_step,
        model_calls_are_recorded_once,
    },
    guards::{
        the_schema_knows_the_words_of_the_domain,
        the_schema_refuses_impossible_rows,
        nul_is_refused_before_it_reaches_the_database,
    },
    keys::{
        a_key_is_shown_once_and_recognised,
        a_key_expires_and_is_revoked,
        of_many_at_once_one_makes_the_first_key,
    },
    ladder::{
        a_question_is_reminded_of_escalated_and_rejected,
        the_default_is_recorded_at_the_deadline,
        an_approval_is_rejected_at_the_deadline,
        a_deadline_is_extended_by_its_length,
        a_ladder_climbed_late_takes_the_highest_rung,
        passes_are_bounded_and_may_overlap,
    },
    lifecycle::{
        a_waiting_task_is_cancelled_at_once,
        a_parked_task_is_cancelled_with_its_question,
        a_running_task_is_asked_to_stop,
        what_is_over_cannot_be_cancelled,
        a_failed_task_is_retried_from_the_beginning,
        a_dead_order_is_taken_up_by_the_retry,
        only_one_of_many_retries_wins,
        a_task_is_edited,
    },
    lists::{
        tasks_are_filtered,
        tasks_are_listed_in_pages,
        counts_tell_where_things_stand,
    },
    prune::{
        old_rows_go_and_stories_of_the_living_stay,
    },
    questions::{
        an_answer_is_recorded_with_all_that_hangs_on_it,
        the_first_answer_wins,
        of_many_answers_at_once_one_wins,
        an_answer_resumes_a_parked_order,
        parking_and_answering_at_once_never_miss_each_other,
        an_answer_after_the_deadline_is_too_late,
        a_decision_is_recorded,
        a_vague_decision_is_refused,
        questions_are_listed_by_deadline,
        any_json_may_be_an_answer,
    },
    steps::{
        a_step_goes_from_beginning_to_end,
        a_killed_workers_step_is_taken_over,
        a_finished_step_is_never_begun_again,
        a_ghost_writes_nothing,
        a_step_waits_for_its_answer,
        asking_again_finds_the_question,
        a_requeued_dead_letter_asks_anew,
        a_step_is_skipped,
        the_end_of_an_order_ends_its_steps,
        foreign_steps_are_out_of_reach,
    },
    submit::{
        a_submission_is_whole,
        bulk_is_all_or_nothing,
        a_thousand_tasks_are_one_submission,
        the_same_key_gives_the_same_task,
        another_request_with_the_key_is_refused,
        a_key_twice_in_one_submission_is_one_task,
        two_processes_with_one_key_make_one_task,
        keys_of_different_projects_are_apart,
    },
    together::{
        each_of_many_completions_is_recorded_whole,
        the_log_tells_of_many_completions_as_of_one,
        the_log_tells_an_orders_life,
        a_ghost_among_many_is_refused_alone,
        a_ghost_does_not_stand_in_the_holders_way,
        of_many_completions_of_one_claim_one_is_recorded,
        loose_ends_are_tied_up_among_many,
        a_caller_that_went_away_harms_nobody,
    },
);
