//! `show`: everything about one task that fits on a screen.

use serde_json::{Value, json};

use super::tasks::{Show, standing};
use crate::{
    client::{
        Client,
        fields::Fields,
        ids::{self, short},
    },
    exit::Exit,
    output::{
        self, table,
        text::{clean, clean_block, shorten, size},
        time,
    },
};

/// How many lines of output are shown.
const LINES: usize = 12;

/// Shows a task.
pub(crate) async fn run(show: Show, client: &Client, json: bool) -> anyhow::Result<Exit> {
    let id = ids::task(client, &show.task).await?;
    let (task_path, steps_path) = (format!("/tasks/{id}"), format!("/tasks/{id}/steps"));
    let (results_path, open) = (format!("/tasks/{id}/results"), ("status", "open".to_owned()));
    let of_task = [open, ("task_id", id.clone())];
    let (task, steps, results, questions) = tokio::try_join!(
        client.get(&task_path, &[]),
        client.list(&steps_path),
        client.get(&results_path, &[]),
        client.rows("/questions", &of_task, 10),
    )?;
    if json {
        let all = json!({"task": task, "steps": steps, "artifacts": results["artifacts"],
            "executions": results["executions"], "questions": questions});
        output::json(&all)?;
        return Ok(Exit::Ok);
    }
    head(&task)?;
    step_table(&steps)?;
    result(&task["result"])?;
    artifact_table(results.rows("artifacts"))?;
    for question in questions.iter().filter(|question| question.text("task_id") == id) {
        output::line("")?;
        output::line(super::wait::how_to_answer(question))?;
    }
    Ok(Exit::Ok)
}

fn head(task: &Value) -> anyhow::Result<()> {
    let order = &task["order"];
    let field = |name: &str, value: String| match value.as_str() {
        "" => Ok(()),
        value => output::line(format!("{name:<10} {value}")),
    };
    field("task", task.text("id").to_owned())?;
    field("title", clean(task.text("title")))?;
    field("status", standing(task))?;
    field("pipeline", task.text("pipeline").to_owned())?;
    field("project", task.text("project").to_owned())?;
    field("priority", task.text("priority").to_owned())?;
    field("attempt", format!("{} of {}", order.number("attempt"), order.number("max_attempts")))?;
    field("worker", order.text("worker_id").to_owned())?;
    field("submitted", format!("{} by {}", time::ago(task.time("created_at")), clean(task.text("created_by"))))?;
    field("took", time::between(task.time("created_at"), task.time("completed_at")))?;
    field("error", shorten(task.text("error"), 2000))
}

fn step_table(steps: &[Value]) -> anyhow::Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    let mut rows = table::new(&["step", "kind", "status", "attempt", "took", "error"]);
    for step in steps {
        let round = step.number("round");
        let name = step.text("name");
        rows.add_row([
            if round == 0 { name.to_owned() } else { format!("{name} #{}", round + 1) },
            step.text("kind").to_owned(),
            step.text("status").to_owned(),
            step.number("attempt").to_string(),
            time::between(step.time("started_at"), step.time("finished_at")),
            shorten(step.text("error"), 60),
        ]);
    }
    output::line("")?;
    table::print(&rows, "")
}

fn result(result: &Value) -> anyhow::Result<()> {
    if let Some(ending) = result["ending"].as_str() {
        let mut facts = vec![format!("ended {ending}")];
        if let Some(code) = result["exit_code"].as_i64() {
            facts.push(format!("exit code {code}"));
        }
        if let Some(wall) = result["wall_ms"].as_u64() {
            facts.push(time::exact(std::time::Duration::from_millis(wall)));
        }
        if let Some(level) = result["sandbox_level"].as_str() {
            facts.push(format!("sandbox level {level}"));
        }
        output::line("")?;
        output::line(facts.join(", "))?;
    }
    findings(result);
    for stream in ["stdout", "stderr"] {
        let text = result.text(stream);
        if !text.is_empty() {
            output::line(format!("\n{stream}:"))?;
            head_of(text)?;
        }
    }
    Ok(())
}

fn head_of(text: &str) -> anyhow::Result<()> {
    for line in text.lines().take(LINES) {
        output::line(format!("  {}", shorten(&clean_block(line), 200)))?;
    }
    match text.lines().count().saturating_sub(LINES) {
        0 => Ok(()),
        more => output::line(format!("  … {more} more lines: shopfloor logs")),
    }
}

/// The critic's findings, on standard error.
pub(crate) fn findings(result: &Value) {
    for finding in result.rows("findings") {
        let blocking = if finding["blocking"].as_bool() == Some(true) { " (blocks)" } else { "" };
        output::note(format!(
            "line {}: {} {} {}: {}{blocking}",
            finding.number("line"),
            finding.text("tool"),
            finding.text("rule"),
            finding.text("severity"),
            shorten(finding.text("message"), 160),
        ));
    }
}

/// The artifacts of a task.
pub(crate) fn artifact_table(artifacts: &[Value]) -> anyhow::Result<()> {
    if artifacts.is_empty() {
        return Ok(());
    }
    let mut rows = table::new(&["artifact", "type", "size", "id"]);
    for artifact in artifacts {
        let name = clean(artifact.text("name"));
        let id = short(artifact.text("id")).to_owned();
        rows.add_row([name, artifact.text("content_type").to_owned(), size(artifact.number("size")), id]);
    }
    output::line("")?;
    table::print(&rows, "")
}
