//! What a job that behaves gets, and what comes back from it.

use std::collections::BTreeMap;

use shopfloor_domain::sandbox::{Ending, SandboxLevel};
use shopfloor_sandbox::{Command, Job, SandboxError};

use crate::kit::*;

#[tokio::test]
async fn hello() {
    let outcome = run(python("print('hello')")).await;
    assert_eq!((outcome.ending, outcome.exit_code, outcome.signal), (Ending::Ok, Some(0), None), "{outcome:#?}");
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("hello\n", ""));
    assert_eq!((outcome.output_bytes, outcome.level, outcome.detail), (6, SandboxLevel::Local, None));
    assert!(outcome.cpu.is_some());
}

#[tokio::test]
async fn exit_code_signal_and_exception() {
    let outcome = run(python("raise SystemExit(7)")).await;
    assert_eq!((outcome.ending, outcome.exit_code), (Ending::UserError, Some(7)));
    assert_eq!(outcome.detail.as_deref(), Some("The code ended with exit code 7."));

    let outcome = run(python("import os; os.kill(os.getpid(), 11)")).await;
    assert_eq!((outcome.ending, outcome.exit_code, outcome.signal), (Ending::UserError, None, Some(11)));

    let outcome = run(python("def f():\n    1 / 0\nf()")).await;
    assert_eq!((outcome.ending, outcome.exit_code), (Ending::UserError, Some(1)));
    assert!(outcome.stderr.contains("File \"/inputs/main.py\", line 2, in f"), "{}", outcome.stderr);
    assert!(outcome.stderr.ends_with("ZeroDivisionError: division by zero\n"), "{}", outcome.stderr);
}

#[tokio::test]
async fn arguments_inputs_and_environment_arrive() {
    let source = "import os, sys, helper, shopfloor\n\
                  print(sys.argv[1:], os.getcwd(), open('/inputs/data/a b.csv').read(), helper.x, os.environ['COLUMN'])\n\
                  print(shopfloor.inputs, shopfloor.artifacts, repr(sys.stdin.read()))";
    let mut job = with_args(source, &["--n", "1 2", "", "ü"]);
    job.inputs.extend([input("data/a b.csv", "1,2"), input("helper.py", "x = 5"), input("data/leer", "")]);
    job.env = BTreeMap::from([("COLUMN".into(), "a=b c".into()), ("LD_PRELOAD".into(), "/none.so".into())]);
    let outcome = run(job).await;
    let expected = "['--n', '1 2', '', 'ü'] /work 1,2 5 a=b c\n/inputs /work/artifacts ''\n";
    assert_eq!(outcome.stdout, expected, "{outcome:#?}");
}

#[tokio::test]
async fn large_inputs_arrive_whole() {
    let text = "0123456789abcdef".repeat(1 << 20);
    let mut job = python("print(len(open('/inputs/big').read()), sum(open('/inputs/big', 'rb').read()))");
    let sum: u64 = text.bytes().map(u64::from).sum();
    job.inputs.extend([input("big", &text)]);
    job.inputs.extend((0..200).map(|n| input(&format!("deep/er/{n}"), "x")));
    assert_eq!(said(job).await, format!("{} {sum}", text.len()));
}

#[tokio::test]
async fn bad_jobs_are_refused_by_name() {
    let mut job = python("");
    job.inputs.push(input("../x", ""));
    let error = try_run(job).await.unwrap_err();
    assert!(matches!(error, SandboxError::Refused { field: "inputs", .. }), "{error}");

    let job = Job { command: Command::Python { script: "other.py".into(), args: vec![] }, ..python("") };
    assert!(matches!(try_run(job).await.unwrap_err(), SandboxError::Refused { field: "script", .. }));
}

#[tokio::test]
async fn the_critics_tools_run_in_the_sandbox() {
    let tool = |name, args: &[&str]| Job {
        command: Command::Tool { name, args: args.iter().map(|arg| (*arg).to_owned()).collect() },
        ..python("import subprocess\nsubprocess.run('ls', shell=True)\nprint(nowhere)\n")
    };
    let ruff = run(tool("ruff", &["check", "--isolated", "--output-format=json", "main.py"])).await;
    assert_eq!((ruff.ending, ruff.exit_code), (Ending::UserError, Some(1)), "{ruff:#?}");
    let findings: serde_json::Value = serde_json::from_str(&ruff.stdout).unwrap();
    let undefined = findings.as_array().unwrap().iter().find(|it| it["code"] == "F821").unwrap();
    assert_eq!(undefined["filename"], "/inputs/main.py");

    let bandit = run(tool("bandit", &["-q", "-f", "json", "main.py"])).await;
    assert_eq!(bandit.exit_code, Some(1), "{bandit:#?}");
    let report: serde_json::Value = serde_json::from_str(&bandit.stdout).unwrap();
    assert_eq!(report["results"].as_array().unwrap().last().unwrap()["test_id"], "B602");
}

#[tokio::test]
async fn a_chart_is_an_artifact() {
    let source = "import pandas as pd, matplotlib.pyplot as plt, shopfloor\n\
                  frame = pd.DataFrame({'x': [1, 2, 3], 'y': [2, 4, 8]})\n\
                  frame.plot(x='x', y='y')\n\
                  plt.savefig(shopfloor.artifacts / 'chart.png')\n\
                  frame.to_csv(shopfloor.artifacts / 'table.csv', index=False)";
    let outcome = run(python(source)).await;
    assert_eq!((outcome.ending, outcome.stderr.as_str()), (Ending::Ok, ""), "{outcome:#?}");
    let [chart, table] = outcome.artifacts.as_slice() else { panic!("{:?}", outcome.artifacts) };
    assert_eq!((chart.name.as_str(), table.name.as_str()), ("chart.png", "table.csv"));
    assert!(chart.bytes.starts_with(b"\x89PNG\r\n") && chart.bytes.ends_with(b"IEND\xaeB`\x82"));
    assert_eq!(&table.bytes[..], b"x,y\n1,2\n2,4\n3,8\n");
    assert!(outcome.peak_memory.is_some_and(|peak| peak > 20 * MIB), "{:?}", outcome.peak_memory);
}

#[tokio::test]
async fn twenty_at_once_do_not_mix() {
    let runs = (0..20).map(|n| async move {
        let source = "import sys, pathlib\npathlib.Path('artifacts/n').write_text(sys.argv[1])\nprint(sys.argv[1])";
        let outcome = run(with_args(source, &[&n.to_string()])).await;
        assert_eq!(outcome.stdout, format!("{n}\n"), "{outcome:#?}");
        assert_eq!(outcome.artifacts[0].bytes, n.to_string());
    });
    futures::future::join_all(runs).await;
}
