//! The five examples, each to its expected end.

use crate::support::{Shop, example, text};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

#[tokio::test]
async fn an_analysis_yields_a_chart_and_a_table() {
    let shop = Shop::start().await;
    let (script, data) = (example("analysis.py"), example("data/sunspots.csv"));
    let task = shop.cli(&["submit", &script, "--input", &data, "--wait", "--json"]).await.ends(0).json();
    assert_eq!(task["result"]["ending"], "ok", "{task}");
    assert_eq!(task["result"]["sandbox_level"], "local");
    assert!(text(&task["result"]["stdout"]).contains("28 cycles of 11.0 years"), "{task}");

    let out = shop.dir.path().join("out");
    let id = text(&task["id"]);
    shop.cli(&["artifacts", "get", &id, "--all", "-o", &out.display().to_string()]).await.ends(0);
    let chart = std::fs::read(out.join("sunspots.png")).unwrap();
    assert!(chart.starts_with(PNG) && chart.len() > 10_000, "{} bytes", chart.len());
    let table = std::fs::read_to_string(out.join("cycles.csv")).unwrap();
    assert_eq!(table.lines().next(), Some("begin,end,years,peak_year,peak,mean"));
    assert_eq!(table.lines().count(), 29);
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 2, "nothing half-written stays");

    let listed = shop.cli(&["artifacts", "list", &id, "--json"]).await.ends(0).json();
    let types: Vec<_> = listed["items"].as_array().unwrap().iter().map(|a| text(&a["content_type"])).collect();
    assert!(types.contains(&"image/png".to_owned()), "{types:?}");
    let shown = shop.cli(&["show", &id]).await.ends(0);
    assert!(shown.stdout.contains("sunspots.png") && shown.stdout.contains("ended ok"), "{}", shown.stdout);
}

#[tokio::test]
async fn a_script_asks_a_person_and_goes_on_with_the_answer() {
    let shop = Shop::start().await;
    let (script, data) = (example("ask_column.py"), example("data/elnino.csv"));
    let waiting = shop.cli(&["submit", &script, "--input", &data, "--wait", "--json"]).await.ends(5);
    assert!(waiting.stderr.contains("Which column of elnino.csv"), "{}", waiting.stderr);
    let id = text(&waiting.json()["id"]);

    let question = shop.question(&id).await;
    let question_id = text(&question["id"]);
    let end = &question_id[question_id.len() - 8..];
    assert!(waiting.stderr.contains(&format!("shopfloor answer {end}")), "{}", waiting.stderr);
    let wrong = shop.cli(&["answer", end, "SOMETIME"]).await.ends(2);
    assert!(wrong.stderr.contains("MAR"), "{}", wrong.stderr);
    shop.cli(&["answer", end, "MAR"]).await.ends(0);

    let task = shop.over(&id).await;
    assert_eq!(task["status"], "completed", "{task}");
    assert!(text(&task["result"]["stdout"]).starts_with("MAR: 61 values"), "{task}");
    let out = shop.dir.path().join("out");
    shop.cli(&["artifacts", "get", &id, "summary.csv", "-o", &out.display().to_string()]).await.ends(0);
    assert!(std::fs::read_to_string(out.join("summary.csv")).unwrap().starts_with("statistic,MAR\n"));
}

#[tokio::test]
async fn the_critic_blocks_a_shell_command_from_outside_text() {
    let shop = Shop::start().await;
    let ran = shop.cli(&["submit", &example("blocked.py"), "--wait", "--json"]).await.ends(1);
    let task = ran.json();
    assert_eq!(task["status"], "failed");
    assert!(text(&task["error"]).contains("critic"), "{}", task["error"]);
    let findings = task["result"]["findings"].as_array().unwrap();
    let blocking: Vec<_> = findings.iter().filter(|f| f["blocking"] == true).map(|f| text(&f["rule"])).collect();
    assert_eq!(blocking, ["B602"], "{findings:?}");
    let steps = shop.steps(&text(&task["id"])).await;
    assert!(steps.iter().all(|step| step.1 != "sandbox"), "nothing may have run: {steps:?}");

    let people = shop.cli(&["submit", &example("blocked.py"), "--wait"]).await.ends(1);
    assert!(people.stderr.contains("B602") && people.stderr.contains("(blocks)"), "{}", people.stderr);
}

#[tokio::test]
async fn an_endless_script_is_ended_by_the_wall_clock() {
    let shop = Shop::start().await;
    let ran = shop.cli(&["submit", &example("endless.py"), "--wall", "2", "--wait", "--json"]).await.ends(1);
    let task = ran.json();
    assert_eq!(task["result"]["ending"], "timed_out", "{task}");
    assert!(text(&task["result"]["stdout"]).contains("still here"), "{task}");
    assert_eq!(task["order"]["attempt"], 1, "the work is at fault, not the machinery: no retry");
}

#[tokio::test]
async fn a_flood_of_output_is_cut_off() {
    let shop = Shop::start().await;
    let task = shop.cli(&["submit", &example("flood.py"), "--wait", "--json"]).await.ends(1).json();
    assert_eq!(task["result"]["ending"], "output_limit", "{}", task["error"]);
    let kept = text(&task["result"]["stdout"]);
    assert!(kept.starts_with("0123456789") && kept.len() <= 1024 * 1024, "{} bytes", kept.len());
}
