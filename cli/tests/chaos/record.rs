//! What the record says, read over SQL.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fleet::Fleet;

/// The tables that the check needs.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) orders: Vec<Value>,
    pub(crate) tasks: BTreeMap<String, Value>,
    /// In the order of the log.
    pub(crate) events: Vec<Value>,
    pub(crate) steps: Vec<Value>,
    pub(crate) executions: Vec<Value>,
    pub(crate) sessions: Vec<Value>,
    pub(crate) questions: Vec<Value>,
}

impl Record {
    pub(crate) fn read(fleet: &Fleet) -> Self {
        let rows = |sql: &str| match fleet.json(sql) {
            Value::Array(rows) => rows,
            other => panic!("not rows: {other}"),
        };
        let tasks = rows("SELECT id, title, status, error, result FROM tasks");
        Self {
            orders: rows(
                "SELECT o.id, o.task_id, o.status, o.epoch, o.attempt, o.kills, o.error, p.max_concurrency, \
                 p.name AS project FROM work_orders o JOIN projects p ON p.id = o.project_id ORDER BY o.id",
            ),
            tasks: tasks.into_iter().map(|task| (text(&task, "id").to_owned(), task)).collect(),
            events: rows(
                // The entry of a submission tells of its order's birth as well.
                "SELECT kind, order_id, task_id, payload, created_at, xid, seq FROM events \
                 WHERE kind IN ('order.status', 'step.status', 'task.status', 'question.closed') \
                 UNION ALL \
                 SELECT 'order.status', order_id, task_id, payload -> 'order', created_at, xid, seq FROM events \
                 WHERE kind = 'task.submitted' \
                 ORDER BY xid, seq",
            ),
            steps: rows("SELECT id, order_id, run_id, name, status, epoch, attempt FROM steps"),
            executions: rows("SELECT order_id, epoch, status FROM executions"),
            sessions: rows("SELECT id, order_id, status FROM sessions"),
            questions: rows("SELECT id, order_id, status, answer FROM questions"),
        }
    }

    /// In a few words.
    pub(crate) fn summary(&self) -> String {
        let mut ends: BTreeMap<&str, u32> = BTreeMap::new();
        for order in &self.orders {
            *ends.entry(text(order, "status")).or_default() += 1;
        }
        let ends: Vec<_> = ends.into_iter().map(|(status, count)| format!("{count} {status}")).collect();
        let lost = self.executions.iter().filter(|execution| text(execution, "status") == "lost").count();
        let claims = self.executions.len();
        format!("{} ({claims} claims, {lost} lost, {} questions)", ends.join(", "), self.questions.len())
    }
}

/// A text of a row.
pub(crate) fn text<'v>(row: &'v Value, column: &str) -> &'v str {
    row[column].as_str().unwrap_or_default()
}

/// A number of a row.
pub(crate) fn number(row: &Value, column: &str) -> i64 {
    row[column].as_i64().unwrap_or_default()
}
