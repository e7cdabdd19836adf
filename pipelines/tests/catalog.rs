//! The catalog: built-in pipelines, overrides, versions, and the published schema.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::{env, fs, path::Path};

use serde_json::{Value, json};
use shopfloor_domain::Name;
use shopfloor_pipelines::{Catalog, CatalogError, Pipeline, parse, schema};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn built_in() -> Catalog {
    Catalog::load(None).unwrap()
}

#[test]
fn built_in_pipelines_load() {
    let catalog = built_in();
    let kinds = |pipeline: &str| -> Vec<String> {
        let entry = catalog.get(&name(pipeline)).unwrap();
        entry.pipeline.steps.iter().map(|step| step.action.kind().to_string()).collect()
    };
    assert_eq!(kinds("run-code"), ["critic", "sandbox"]);
    assert_eq!(kinds("review-and-run"), ["critic", "approval", "sandbox"]);
    assert_eq!(kinds("ask-and-run"), ["ask", "critic", "sandbox"]);
    assert_eq!(kinds("external"), [""; 0]);
    assert_eq!(catalog.entries().count(), 4);
}

#[test]
fn definitions_survive_json_and_toml() {
    for entry in built_in().entries() {
        let json = entry.pipeline.to_json();
        assert_eq!(Pipeline::from_json(&json).unwrap(), entry.pipeline);
        let toml = toml::to_string(&entry.pipeline).unwrap();
        assert_eq!(parse("again.toml", &toml).unwrap(), entry.pipeline);
    }
}

#[test]
fn a_version_follows_the_meaning_and_not_the_layout() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = built_in();
    let original = catalog.get(&name("run-code")).unwrap();
    let write = |text: String| fs::write(folder.path().join("run-code.toml"), text).unwrap();
    let version = || Catalog::load(Some(folder.path())).unwrap().get(&name("run-code")).unwrap().version.clone();

    write(format!("# A comment.\n\n{}", original.source));
    assert_eq!(version(), original.version);
    assert_eq!(original.version.len(), 64);
    write(original.source.replace("may_ask = true", "may_ask = false"));
    assert_ne!(version(), original.version);
}

#[test]
fn a_folder_adds_and_replaces() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        "name = \"mine\"\ndescription = \"Asks.\"\n[[steps]]\nname = \"a\"\nkind = \"ask\"\nprompt = \"Well?\"\n";
    fs::write(folder.path().join("mine.toml"), text).unwrap();
    fs::write(folder.path().join("notes.md"), "not a pipeline").unwrap();
    let catalog = Catalog::load(Some(folder.path())).unwrap();
    assert_eq!(catalog.entries().count(), 5);
    assert_eq!(catalog.get(&name("mine")).unwrap().source, text);
}

#[test]
fn a_wrong_folder_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Catalog::load(Some(&folder.path().join("missing"))).unwrap_err();
    assert!(matches!(&missing, CatalogError::Io { path, .. } if path.ends_with("missing")), "{missing}");

    fs::write(folder.path().join("other.toml"), built_in().get(&name("run-code")).unwrap().source.clone()).unwrap();
    let misnamed = Catalog::load(Some(folder.path())).unwrap_err().to_string();
    assert!(misnamed.contains("other.toml: name: the name must be the file's, `other`"), "{misnamed}");

    fs::write(folder.path().join("other.toml"), "#".repeat(300_000)).unwrap();
    let large = Catalog::load(Some(folder.path())).unwrap_err().to_string();
    assert!(large.contains("is larger than"), "{large}");
}

#[test]
fn inputs_are_checked_and_the_place_is_named() {
    let catalog = built_in();
    let pipeline = &catalog.get(&name("run-code")).unwrap().pipeline;
    let id = "0199c0de-0000-7000-8000-000000000000";
    pipeline.check_input(&json!({ "code": "print(1)", "args": ["a"], "limits": { "wall_seconds": 3 } })).unwrap();
    pipeline.check_input(&json!({ "file_id": id, "files": [{ "file_id": id, "name": "a.csv" }] })).unwrap();
    for (wrong, place) in [
        (json!({}), ""),
        (json!({ "code": "x", "file_id": id }), ""),
        (json!({ "code": 1 }), "/code"),
        (json!({ "code": "x", "limits": { "wall_seconds": 0 } }), "/limits/wall_seconds"),
        (json!({ "code": "x", "surprise": 1 }), ""),
    ] {
        let (found, problem) = pipeline.check_input(&wrong).unwrap_err();
        assert_eq!(found, place, "{wrong}: {problem}");
    }
}

/// `UPDATE=1 cargo test -p shopfloor-pipelines` writes the file anew.
#[test]
fn the_published_schema_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if env::var_os("UPDATE").is_some() {
        fs::write(&file, &text).unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), text, "run the test with UPDATE=1 to publish the new schema");
}

#[test]
fn the_published_schema_accepts_what_the_parser_accepts() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for entry in built_in().entries() {
        let json: Value = toml::from_str(&entry.source).unwrap();
        validator.validate(&json).unwrap();
        validator.validate(&entry.pipeline.to_json()).unwrap();
    }
    let step = |step: Value| json!({ "name": "x", "description": "x", "steps": [step] });
    for wrong in [
        step(json!({ "name": "a", "kind": "critic", "prompt": "x" })),
        step(json!({ "name": "a", "kind": "approval" })),
        step(json!({ "name": "a", "kind": "agent" })),
        json!({ "name": "x", "description": "x", "steps": [] }),
    ] {
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
}
