//! Every mistake in a pipeline file gives one error that names the file, the line and the field.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use shopfloor_pipelines::parse;

const HEAD: &str = "name = \"p\"\ndescription = \"Does it.\"\n";

#[track_caller]
fn refused(body: &str, expected: &str) {
    let error = parse("p.toml", &format!("{HEAD}{body}")).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn mistakes_in_form() {
    refused("steps = [", "p.toml:3: steps: unclosed array, expected `]`");
    refused(
        "surprise = 1\nsteps = []",
        "p.toml:3: surprise: unknown field `surprise`, expected one of `name`, `description`, `needs`, `input_schema`, `max_seconds`, `external`, `steps`",
    );
    refused(
        "[[steps]]\nname = \"a\"\nkind = \"sandbox\"\nwall_seconds = \"ten\"",
        "p.toml:6: wall_seconds: invalid type: string \"ten\", expected u64",
    );
    refused(
        "[[steps]]\nname = \"A b\"\nkind = \"critic\"",
        "p.toml:4: name: `A b` is not a name: use 1 to 64 characters from a-z, 0-9, `-` and `_`, beginning with a letter or digit",
    );
    refused(
        "[[steps]]\nname = \"a\"\nkind = \"critic\"\nprompt = \"x\"",
        "p.toml:3: step `a`: `critic` steps have no field `prompt`",
    );
    refused(
        "[[steps]]\nname = \"a\"\nkind = \"approval\"",
        "p.toml:3: step `a`: `approval` steps need the field `prompt`",
    );
}

#[test]
fn unknown_and_misplaced_fields_of_a_step() {
    let error =
        parse("p.toml", &format!("{HEAD}[[steps]]\nname = \"a\"\nkind = \"critic\"\npromt = \"x\"")).unwrap_err();
    assert_eq!((error.line, error.field.as_deref()), (Some(6), Some("promt")), "{error}");
    assert!(error.problem.starts_with("unknown field `promt`"), "{error}");
}

#[test]
fn reserved_kinds_are_not_there_yet() {
    for kind in ["agent", "parallel"] {
        refused(
            &format!("[[steps]]\nname = \"a\"\nrole = \"developer\"\nkind = \"{kind}\""),
            &format!(
                "p.toml:6: kind: `{kind}` steps are reserved and not there yet; use `critic`, `sandbox`, `ask`, `approval`"
            ),
        );
    }
}

#[test]
fn mistakes_in_meaning() {
    let critic = |name: &str, rest: &str| format!("[[steps]]\nname = \"{name}\"\nkind = \"critic\"\n{rest}\n");
    refused("steps = []", "p.toml: steps: a pipeline needs at least one step");
    refused("", "p.toml: steps: a pipeline needs at least one step");
    for (rest, expected) in [
        ("", "needs: name a capability of the workers that do it, or every worker would take it"),
        ("needs = [\"a\"]\nmax_seconds = 1", "max_seconds: the workers of an external pipeline mind their own time"),
    ] {
        refused(&format!("external = true\n{rest}"), &format!("p.toml: {expected}"));
    }
    refused(
        &format!("external = true\nneeds = [\"a\"]\n{}", critic("a", "")),
        "p.toml: steps: an external pipeline has none: its workers do the work",
    );
    refused(
        &format!("{}{}", critic("a", ""), critic("a", "")),
        "p.toml:7: steps.a.name: there is another step `a` before it",
    );
    refused(
        &format!("{}{}", critic("a", "on_fail = { goto = \"b\", max_rounds = 1 }"), critic("b", "")),
        "p.toml:3: steps.a.on_fail.goto: `b` is neither this step nor one before it",
    );
    refused(
        &critic("a", "on_fail = { goto = \"a\", max_rounds = 0 }"),
        "p.toml:3: steps.a.on_fail.max_rounds: must lie between 1 and 10",
    );
    refused(
        "[[steps]]\nname = \"a\"\nkind = \"sandbox\"\nwall_seconds = 121",
        "p.toml:3: steps.a.wall_seconds: must lie between 1 and 120",
    );
    refused(
        "[[steps]]\nname = \"a\"\nkind = \"sandbox\"\nanswers_from = [\"q\"]",
        "p.toml:3: steps.a.answers_from: there is no step `q` before it",
    );
    refused(
        "[[steps]]\nname = \"a\"\nkind = \"ask\"\nprompt = \"x\"\noptions = [1]\ndefault = 2",
        "p.toml:3: steps.a.default: it is none of the options",
    );
}

#[test]
fn templates_and_schemas_must_parse() {
    let ask = |rest: &str| format!("[[steps]]\nname = \"a\"\nkind = \"ask\"\n{rest}\n");
    for (rest, begin) in [
        ("prompt = \"{{ input.\"", "p.toml:3: steps.a.prompt: is no template: "),
        ("prompt = \"x\"\noptions_from = \"input..\"", "p.toml:3: steps.a.options_from: is no expression: "),
        ("prompt = \"x\"\nschema = { type = \"nonsense\" }", "p.toml:3: steps.a.schema: is no JSON Schema: "),
    ] {
        let error = parse("p.toml", &format!("{HEAD}{}", ask(rest))).unwrap_err().to_string();
        assert!(error.starts_with(begin), "{error}");
    }
}

#[test]
fn pinned_definitions_are_read_as_strictly() {
    let pinned = |json: &str| shopfloor_pipelines::Pipeline::from_json(&serde_json::from_str(json).unwrap());
    let good = r#"{"name":"p","description":"x","steps":[{"name":"a","kind":"critic"}]}"#;
    pinned(good).unwrap();
    assert!(pinned(&good.replace(r#""critic""#, r#""critic","promt":"x""#)).unwrap_err().contains("promt"));
    assert!(pinned(&good.replace("critic", "agent")).unwrap_err().contains("not there yet"));
}
