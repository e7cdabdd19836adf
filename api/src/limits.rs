//! How large and how long things may be. One place, so that the OpenAPI text, the checks and the tests agree.

/// A title, in characters.
pub(crate) const TITLE_CHARS: usize = 200;
/// A description, in bytes.
pub(crate) const DESCRIPTION_BYTES: usize = 64 * 1024;
/// A task's input as JSON, in bytes.
pub(crate) const INPUT_BYTES: usize = 256 * 1024;
/// A result that a remote worker reports, as JSON, in bytes.
pub(crate) const RESULT_BYTES: usize = 512 * 1024;
/// An answer as JSON, in bytes.
pub(crate) const ANSWER_BYTES: usize = 64 * 1024;
/// Answers to choose from.
pub(crate) const OPTIONS: usize = 100;
/// The options, the schema or the default of a remote worker's question as JSON, in bytes.
pub(crate) const QUESTION_BYTES: usize = 64 * 1024;
/// How long a person may be given for an answer, in seconds: 30 days.
pub(crate) const DEADLINE_SECONDS: u64 = 30 * 24 * 3600;
/// Questions that the workers of one run may put.
pub(crate) const QUESTIONS: usize = 100;
/// A chat message, a comment or an error, in bytes.
pub(crate) const MESSAGE_BYTES: usize = 16 * 1024;
/// A name or another one-line text, in characters.
pub(crate) const NAME_CHARS: usize = 255;
/// A repository's URL, in characters.
pub(crate) const URL_CHARS: usize = 2048;
/// Tasks in one bulk submission.
pub(crate) const BULK_TASKS: usize = 1000;
/// The body of a bulk submission, in bytes.
pub(crate) const BULK_BYTES: usize = 8 * 1024 * 1024;
/// Any other JSON body, in bytes.
pub(crate) const BODY_BYTES: usize = 1024 * 1024;
/// Attempts in all.
pub(crate) const MAX_ATTEMPTS: u32 = 20;
/// How far ahead a task may be delayed, in seconds: a year.
pub(crate) const DELAY_SECONDS: u64 = 366 * 24 * 3600;
/// How long a lease may last, in seconds.
pub(crate) const LEASE_SECONDS: u64 = 3600;
/// How long a claim may wait, in seconds.
pub(crate) const WAIT_SECONDS: u64 = 30;
/// Slots of one worker.
pub(crate) const SLOTS: u32 = 1024;
/// Fences in one renewal, queues of one worker.
pub(crate) const LIST: usize = 1000;
/// A query string, in bytes.
pub(crate) const QUERY_BYTES: usize = 4096;
/// A WebSocket frame, in bytes.
pub(crate) const FRAME_BYTES: usize = 64 * 1024;
/// Bad WebSocket frames in a row before the connection is closed.
pub(crate) const BAD_FRAMES: u32 = 20;
