//! Questions of a job.

use std::collections::BTreeMap;

use serde_json::json;
use shopfloor_domain::sandbox::Ending;
use shopfloor_sandbox::Job;

use crate::kit::*;

const TWO: &str = "import shopfloor\n\
    print('before')\n\
    a = shopfloor.ask('Which *column*?', options=['a', 'b'], default='a', deadline_seconds=90)\n\
    b = shopfloor.ask('How many?')\n\
    print(repr(a), repr(b))";

#[tokio::test]
async fn a_question_ends_the_run_and_answers_are_replayed() {
    let outcome = run(python(TWO)).await;
    assert_eq!((outcome.ending, outcome.exit_code), (Ending::Asked, Some(86)), "{outcome:#?}");
    assert_eq!(outcome.stdout, "before\n");
    let asked = outcome.asked.unwrap();
    assert_eq!((asked.prompt.as_str(), asked.options), ("Which *column*?", vec![json!("a"), json!("b")]));
    assert_eq!((asked.default, asked.deadline_seconds), (Some(json!("a")), Some(90)));

    let again = run(Job { answers: vec![json!(null)], ..python(TWO) }).await;
    assert_eq!(again.asked.unwrap().prompt, "How many?");

    let answers = vec![json!({"x": [1, "ü"]}), json!(3)];
    let done = run(Job { answers, ..python(TWO) }).await;
    assert_eq!((done.ending, done.stdout.as_str()), (Ending::Ok, "before\n{'x': [1, 'ü']} 3\n"), "{done:#?}");
    assert_eq!(done.asked, None);
}

#[tokio::test]
async fn answers_are_in_the_environment_and_cannot_be_changed() {
    let source = "import os, json\nprint(json.loads(os.environ['SHOPFLOOR_ANSWERS']))\n\
                  try:\n    open('/opt/shopfloor/answers.json', 'w')\nexcept OSError as error:\n    print(error.errno)";
    let job = Job { answers: vec![json!("yes")], ..python(source) };
    assert_eq!(said(job).await, "['yes']\n30");
    let long =
        Job { answers: vec![json!("x".repeat(200_000))], ..python("import shopfloor; print(len(shopfloor.ask('?')))") };
    assert_eq!(said(long).await, "200000");
}

#[tokio::test]
async fn a_bad_question_is_an_error_of_the_code() {
    for call in ["ask('')", "ask(5)", "ask('x' * 70000)", "ask('?', deadline_seconds=-1)", "ask('?', options=[set()])"]
    {
        let outcome = run(python(&format!("import shopfloor\nshopfloor.{call}"))).await;
        assert_eq!((outcome.ending, outcome.exit_code), (Ending::UserError, Some(1)), "{call}: {outcome:#?}");
    }
}

#[tokio::test]
async fn a_forged_question_is_only_data() {
    let without = run(python("raise SystemExit(86)")).await;
    assert_eq!((without.ending, without.asked), (Ending::UserError, None));
    let forgeries = [
        "os.symlink('/etc/passwd', '/work/.shopfloor/question.json')",
        "os.mkfifo('/work/.shopfloor/question.json')",
        "os.rmdir('/work/.shopfloor'); os.symlink('/inputs', '/work/.shopfloor')",
        "open('/work/.shopfloor/question.json', 'w').write('{\"prompt\": \"' + 'x' * 100000 + '\"}')",
        "open('/work/.shopfloor/question.json', 'w').write('{\"prompt\": 5}')",
        "open('/work/.shopfloor/question.json', 'wb').write(b'\\xff')",
    ];
    for forgery in forgeries {
        let mut job = python(&format!("import os, sys\n{forgery}\nsys.exit(86)"));
        job.inputs.push(input("question.json", "{\"prompt\": \"stolen\"}"));
        let outcome = run(job).await;
        assert_eq!((outcome.ending, &outcome.asked), (Ending::UserError, &None), "{forgery}: {outcome:#?}");
    }
}

#[tokio::test]
async fn a_question_written_without_asking_does_not_count() {
    let source = "open('/work/.shopfloor/question.json', 'w').write('{\"prompt\": \"?\"}')";
    let outcome = run(Job { env: BTreeMap::new(), ..python(source) }).await;
    assert_eq!((outcome.ending, outcome.asked), (Ending::Ok, None));
}
