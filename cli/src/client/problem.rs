//! `application/problem+json` (RFC 9457) as a sentence with a remedy.

use reqwest::{Response, StatusCode};
use serde::Deserialize;

use crate::{
    exit::{Exit, Failure},
    output::text::clean,
};

/// The part of a problem document that people need.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
    remedy: Option<String>,
    field: Option<String>,
}

/// The most of an error's body that is looked at.
const MAX_BODY: usize = 64 * 1024;

/// Turns an unsuccessful answer into a failure.
pub(super) async fn read(mut response: Response) -> Failure {
    let status = response.status();
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BODY {
            break;
        }
    }
    failure(status, &body)
}

fn failure(status: StatusCode, body: &[u8]) -> Failure {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();

    let said = problem.detail.or(problem.title).unwrap_or_else(|| format!("the server answered {status}"));
    let message = match problem.field {
        Some(field) if !said.contains(&field) => format!("{field}: {said}"),
        _ => said,
    };
    let exit = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::Auth,
        StatusCode::NOT_FOUND => Exit::NotFound,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Exit::USAGE,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => Exit::Unreachable,
        _ => Exit::Failed,
    };
    let remedy = problem.remedy.or_else(|| match status {
        StatusCode::UNAUTHORIZED => {
            Some("set SHOPFLOOR_API_KEY, or make a key with `shopfloor keys create --local`".into())
        }
        _ => None,
    });
    Failure { exit, message: clean(&message), remedy: remedy.as_deref().map(clean) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_becomes_a_sentence_and_a_remedy() {
        let body = br#"{"type":"about:blank","title":"Invalid","status":422,"code":"invalid_field",
            "detail":"must not be empty","field":"title","remedy":"give it a title"}"#;
        let failure = failure(StatusCode::UNPROCESSABLE_ENTITY, body);
        assert_eq!(failure.exit, Exit::USAGE);
        assert_eq!(failure.message, "title: must not be empty");
        assert_eq!(failure.remedy.as_deref(), Some("give it a title"));
    }

    #[test]
    fn another_answer_is_told_by_its_status() {
        let failure = failure(StatusCode::FORBIDDEN, b"<html>");
        assert_eq!(failure.exit, Exit::Auth);
        assert_eq!(failure.message, "the server answered 403 Forbidden");
    }
}
