//! The record's own rules, the same on SQLite and on PostgreSQL: opening and migrating, what the schema itself refuses,
//! wake-up calls, sessions, workers, projects, leaders, and the facts behind "why". The queue's rules are in testkit's
//! queue contract.

mod bells;
mod common;
mod guards;
mod leader;
mod open;
mod projects;
mod sessions;
mod why;
mod workers;

shopfloor_testkit::contract!(
    bells::{
        a_commit_rings_the_orders_bell,
        another_process_hears_the_bells,
        nothing_committed_rings_nothing,
    },
    guards::{
        the_schema_refuses_impossible_orders,
        the_schema_refuses_two_live_orders_of_a_task,
        many_at_once_never_meet_a_locked_database,
        text_that_a_program_printed_is_recorded_without_nul,
        a_call_that_is_dropped_leaves_no_transaction_open,
    },
    leader::{
        one_leads_until_its_lease_ends,
        of_many_at_once_one_leads,
        who_resigns_makes_place_at_once,
    },
    open::{
        migrating_again_changes_nothing,
        the_record_answers_and_knows_the_time,
        a_newer_record_is_refused,
        closing_ends_the_listeners,
    },
    projects::{
        a_project_is_made_and_changed,
        pausing_is_recorded_and_audited,
    },
    sessions::{
        a_session_lives_and_ends,
        ending_a_session_releases_its_order,
        ending_a_session_confirms_a_cancellation,
        idle_and_old_sessions_are_reaped_once,
        what_a_worker_writes_is_activity,
        renewing_is_no_activity,
        sessions_are_listed_in_pages,
    },
    why::{
        every_reason_has_its_facts,
    },
    workers::{
        a_worker_registers_and_refreshes,
        silent_workers_go_offline_once,
        a_removed_worker_is_told,
        workers_are_listed_in_pages,
    },
);
