//! Abbreviated ids: a unique beginning or end of a recent id stands for the whole.

use serde_json::Value;

use super::{Client, fields::Fields};
use crate::exit::{Exit, Failure};

/// The shortest abbreviation.
const SHORTEST: usize = 4;
/// This much of the random end of an id is unique enough to stop at the first one found.
const PLENTY: usize = 8;
/// How many recent rows an abbreviation is looked for in, page by page.
const RECENT: usize = 500;
const PAGE: usize = 50;

/// The last characters of an id: what tables show. Ids are time-ordered, so it is their ends that differ.
pub(crate) fn short(id: &str) -> &str {
    id.get(id.len().saturating_sub(8)..).unwrap_or(id)
}

/// The whole id of a `kind` that `given` stands for, among the newest rows of the list at `path`.
pub(crate) async fn whole(
    client: &Client,
    kind: &str,
    path: &str,
    query: &[(&str, String)],
    given: &str,
) -> anyhow::Result<String> {
    if let Ok(id) = given.parse::<uuid::Uuid>() {
        return Ok(id.to_string());
    }
    check(kind, given)?;
    let mut rows = Vec::new();
    let mut pages = client.pages(path, query, PAGE);
    while rows.len() < RECENT
        && let Some(page) = pages.next().await?
    {
        rows.extend(page);
        if given.len() >= PLENTY && rows.iter().any(|row| row.text("id").ends_with(&given.to_ascii_lowercase())) {
            break;
        }
    }
    Ok(choose(kind, given, &rows)?)
}

/// The same for a list that always comes whole.
pub(crate) async fn whole_of_list(client: &Client, kind: &str, path: &str, given: &str) -> anyhow::Result<String> {
    if let Ok(id) = given.parse::<uuid::Uuid>() {
        return Ok(id.to_string());
    }
    check(kind, given)?;
    Ok(choose(kind, given, &client.list(path).await?)?)
}

/// The whole id of a task.
pub(crate) async fn task(client: &Client, given: &str) -> anyhow::Result<String> {
    whole(client, "task", "/tasks", &[], given).await
}

fn check(kind: &str, given: &str) -> Result<(), Failure> {
    if given.len() >= SHORTEST && given.chars().all(|c| c.is_ascii_hexdigit() || c == '-') {
        return Ok(());
    }
    Err(Failure::usage(format!("`{given}` is not the id of a {kind}"))
        .remedy(format!("give the whole id, or at least {SHORTEST} characters of its beginning or end")))
}

fn choose(kind: &str, given: &str, rows: &[Value]) -> Result<String, Failure> {
    let given = given.to_ascii_lowercase();
    let mut fitting = rows.iter().map(|row| row.text("id")).filter(|id| id.starts_with(&given) || id.ends_with(&given));
    match (fitting.next(), fitting.next()) {
        (Some(id), None) => Ok(id.to_owned()),
        (None, _) => {
            Err(Failure::new(Exit::NotFound, format!("no {kind} among the newest {RECENT} has an id like `{given}`"))
                .remedy("give the whole id"))
        }
        (Some(_), Some(_)) => {
            Err(Failure::usage(format!("more than one {kind} has an id like `{given}`")).remedy("give more of it"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_abbreviation_must_be_unique() {
        let rows = [json!({"id": "0199aaaa-1111"}), json!({"id": "0199aaaa-2222"})];
        assert_eq!(choose("task", "1111", &rows).unwrap(), "0199aaaa-1111");
        assert_eq!(choose("task", "0199AAAA-2", &rows).unwrap(), "0199aaaa-2222");
        assert_eq!(choose("task", "0199", &rows).unwrap_err().exit, Exit::USAGE);
        assert_eq!(choose("task", "3333", &rows).unwrap_err().exit, Exit::NotFound);
    }

    #[test]
    fn only_something_like_an_id_is_looked_for() {
        for given in ["", "12", "../x", "xyzw"] {
            assert_eq!(check("task", given).unwrap_err().exit, Exit::USAGE, "{given}");
        }
    }
}
