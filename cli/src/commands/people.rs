//! `inbox`, `answer`, `approve`, `reject`: what people are asked and what they say.

use clap::Args;
use serde_json::{Value, json};

use crate::{
    client::{
        Client,
        fields::{Fields, plain},
        ids::{self, short},
    },
    exit::{Exit, Failure},
    output::{
        self, table,
        text::{clean, shorten},
        time,
    },
};

/// Lists the questions that wait for a person.
#[derive(Debug, Args)]
pub(crate) struct Inbox {
    /// Also those that are closed.
    #[arg(long, short)]
    all: bool,
    /// How many at most.
    #[arg(long, short = 'n', default_value_t = 50)]
    limit: usize,
}

/// Answers a question.
#[derive(Debug, Args)]
pub(crate) struct Answer {
    /// The question's id, or the beginning or end of it.
    question: String,
    /// The answer: one of the options, or text; JSON where the question asks for something else than text.
    #[arg(allow_hyphen_values = true)]
    value: String,
    /// Takes the answer as JSON whatever the question asks for.
    #[arg(long)]
    value_json: bool,
}

/// Decides what a question asks to approve.
#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// The question's id, or the beginning or end of it.
    question: String,
    /// Why.
    #[arg(long, short)]
    comment: Option<String>,
}

/// Lists questions.
pub(crate) async fn inbox(inbox: Inbox, client: &Client, json: bool) -> anyhow::Result<Exit> {
    let query = if inbox.all { vec![] } else { vec![("status", "open".to_owned())] };
    let questions = client.rows("/questions", &query, inbox.limit).await?;
    if json {
        output::json(&json!({"items": questions}))?;
        return Ok(Exit::Ok);
    }
    let mut rows = table::new(&["question", "task", "asks", "options", "deadline"]);
    for question in &questions {
        let options: Vec<_> = question.rows("options").iter().map(plain).collect();
        let open = question.text("status") == "open";
        rows.add_row([
            short(question.text("id")).to_owned(),
            shorten(question.text("task_title"), 30),
            shorten(question.text("prompt"), 60),
            if question.text("kind") == "approval" {
                "approve or reject".into()
            } else {
                shorten(&options.join(", "), 40)
            },
            if open { time::until(question.time("deadline_at")) } else { question.text("status").to_owned() },
        ]);
    }
    table::print(&rows, "nobody waits for an answer")?;
    if !questions.is_empty() {
        output::note("\nshopfloor answer QUESTION VALUE, shopfloor approve QUESTION, shopfloor reject QUESTION");
    }
    Ok(Exit::Ok)
}

/// Answers.
pub(crate) async fn answer(answer: Answer, client: &Client, json: bool) -> anyhow::Result<Exit> {
    let question = find(client, &answer.question).await?;
    if question.text("kind") == "approval" && !answer.value_json {
        let id = short(question.text("id"));
        return Err(Failure::usage("this question asks for an approval")
            .remedy(format!("shopfloor approve {id}, or shopfloor reject {id}"))
            .into());
    }
    let value = if answer.value_json {
        serde_json::from_str(&answer.value).map_err(|e| Failure::usage(format!("the answer is not JSON: {e}")))?
    } else {
        interpret(&question, &answer.value)?
    };
    send(client, &question, value, json).await
}

/// Approves or rejects.
pub(crate) async fn decide(decide: Decide, approved: bool, client: &Client, json: bool) -> anyhow::Result<Exit> {
    let question = find(client, &decide.question).await?;
    if question.text("kind") == "clarification" {
        let id = short(question.text("id"));
        return Err(Failure::usage("this question asks for an answer, not for an approval")
            .remedy(format!("shopfloor answer {id} VALUE"))
            .into());
    }
    let mut value = json!({"approved": approved});
    if let Some(comment) = decide.comment {
        value["comment"] = comment.into();
    }
    send(client, &question, value, json).await
}

async fn find(client: &Client, given: &str) -> anyhow::Result<Value> {
    let id = ids::whole(client, "question", "/questions", &[], given).await?;
    client.get(&format!("/questions/{id}"), &[]).await
}

async fn send(client: &Client, question: &Value, value: Value, json: bool) -> anyhow::Result<Exit> {
    let path = format!("/questions/{}/answer", question.text("id"));
    let answered = client.post(&path, &json!({"answer": value})).await?;
    let stored = &answered["question"];
    let agrees = answered["won"].as_bool() == Some(true) || stored["answer"] == value;
    if json {
        output::json(&answered)?;
    } else if answered["won"].as_bool() == Some(true) {
        output::line(format!("answered: {}", clean(&plain(&stored["answer"]))))?;
    } else {
        let by = clean(stored.text("answered_by"));
        let said = clean(&plain(&stored["answer"]));
        output::line(format!("the question was {} before, by {by}: {said}", stored.text("status")))?;
    }
    Ok(if agrees { Exit::Ok } else { Exit::Failed })
}

/// What a text on the command line means as an answer to this question.
fn interpret(question: &Value, text: &str) -> Result<Value, Failure> {
    let options = question.rows("options");
    if let Some(option) = options.iter().find(|option| plain(option) == text) {
        return Ok(option.clone());
    }
    if !options.is_empty() {
        let options: Vec<_> = options.iter().map(plain).collect();
        return Err(Failure::usage(format!("`{text}` is none of the answers to choose from"))
            .remedy(format!("one of: {}", clean(&options.join(", ")))));
    }
    match question["schema"]["type"].as_str() {
        Some("number" | "integer" | "boolean" | "object" | "array" | "null") => {
            serde_json::from_str(text).map_err(|_| {
                Failure::usage(format!("the question asks for a {} in JSON", question["schema"].text("type")))
            })
        }
        _ => Ok(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_what_the_question_asks_for() {
        let free = json!({"options": [], "schema": null});
        assert_eq!(interpret(&free, "42").unwrap(), json!("42"));
        let number = json!({"options": [], "schema": {"type": "integer"}});
        assert_eq!(interpret(&number, "42").unwrap(), json!(42));
        assert!(interpret(&number, "many").is_err());
        let choice = json!({"options": [1, "two"], "schema": null});
        assert_eq!(interpret(&choice, "1").unwrap(), json!(1));
        assert_eq!(interpret(&choice, "two").unwrap(), json!("two"));
        assert!(interpret(&choice, "three").unwrap_err().remedy.unwrap().contains("two"));
    }
}
