//! Texts with minijinja in them: checked when a pipeline is loaded, rendered when a step runs. Rendering is bounded in
//! work and in size, and names that do not exist are errors.

use minijinja::{Environment, UndefinedBehavior, value::Serde};
use serde_json::Value;

/// How many instructions one rendering may take.
const FUEL: u64 = 100_000;
/// The largest text that comes out, in bytes.
const MAX_TEXT: usize = 32 * 1024;

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment
}

/// Whether a template parses.
pub(crate) fn check(template: &str) -> Result<(), String> {
    environment().template_from_str(template).map(drop).map_err(|error| format!("is no template: {}", said(&error)))
}

/// Whether an expression parses.
pub(crate) fn check_expression(expression: &str) -> Result<(), String> {
    let problem = |error| format!("is no expression: {}", said(&error));
    environment().compile_expression(expression).map(drop).map_err(problem)
}

/// Renders a template.
///
/// # Errors
/// Why it cannot be rendered, in one sentence.
pub fn render(template: &str, context: &Value) -> Result<String, String> {
    let text = environment().render_str(template, Serde(context)).map_err(|error| said(&error))?;
    if text.len() > MAX_TEXT {
        return Err(format!("the text is {} bytes long; at most {MAX_TEXT} are allowed", text.len()));
    }
    Ok(text)
}

/// Evaluates an expression to JSON. A last part that does not exist gives `None`, e.g. `input.question.default`.
///
/// # Errors
/// Why it cannot be evaluated, in one sentence.
pub fn evaluate(expression: &str, context: &Value) -> Result<Option<Value>, String> {
    let mut environment = environment();
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    let compiled = environment.compile_expression(expression).map_err(|error| said(&error))?;
    let value = compiled.eval(Serde(context)).map_err(|error| said(&error))?;
    if value.is_undefined() {
        return Ok(None);
    }
    serde_json::to_value(&value).map(Some).map_err(|error| format!("the value is no JSON: {error}"))
}

fn said(error: &minijinja::Error) -> String {
    let kind = error.kind();
    match (error.detail(), error.line()) {
        (Some(detail), Some(line)) => format!("{kind}: {detail} (line {line} of it)"),
        (Some(detail), None) => format!("{kind}: {detail}"),
        (None, _) => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn renders_and_evaluates() {
        let context = json!({ "input": { "question": { "prompt": "Which?", "options": ["a", 2] } } });
        assert_eq!(render("{{ input.question.prompt }}!", &context).unwrap(), "Which?!");
        assert_eq!(evaluate("input.question.options", &context).unwrap(), Some(json!(["a", 2])));
        assert_eq!(evaluate("input.question.default", &context).unwrap(), None);
    }

    #[test]
    fn a_name_that_does_not_exist_is_an_error() {
        let error = render("{{ input.nothing.more }}", &json!({ "input": {} })).unwrap_err();
        assert!(error.contains("undefined"), "{error}");
    }

    #[test]
    fn endless_templates_run_out_of_fuel() {
        let error =
            render("{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}", &json!({}));
        assert!(error.is_err(), "{error:?}");
    }
}
