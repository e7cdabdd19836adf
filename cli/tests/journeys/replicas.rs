//! Two API processes on one record: a client may lose either and go on at the other.

use futures::StreamExt;
use serde_json::json;
use shopfloor_testkit::soon;

use crate::support::{Entry, Fleet, Member, text};

/// How many events a client reads before it is cut off.
const CUT_AFTER: usize = 7;
const LINES: usize = 40;

/// Reads until this task is over, or so many entries.
async fn read(fleet: &Fleet, api: &Member, seen: &mut Vec<Entry>, task: &str, most: usize) -> bool {
    let last = seen.last().map_or("0-0", |(id, ..)| id.as_str());
    let mut events = fleet.events(api, last).await;
    for _ in 0..most {
        let entry = soon("an event", events.next()).await.expect("the stream goes on");
        let (_, kind, event) = &entry;
        let over = kind == "task.status" && event["task_id"] == task && event["payload"]["to"] == "completed";
        seen.push(entry);
        if over {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn a_client_that_is_cut_off_goes_on_at_the_other_replica() {
    let fleet = Fleet::new().await;
    let (first, second) = tokio::join!(fleet.api("api-1", &[]), fleet.api("api-2", &[]));
    let _worker = fleet.role("worker", "worker", &[]).await;
    // Two orders at once, so that transactions overlap; the second one's events come last.
    let code =
        format!("import time\nfor i in range({LINES}):\n    print(f'line {{i}}.', flush=True)\n    time.sleep(0.05)\n");
    let task = |title: &str| json!({"title": title, "input": {"code": &code}});
    let _other_worker = fleet.role("other-worker", "worker", &[]).await;
    let submitted = fleet.post(&first, "/tasks/bulk", json!({"tasks": [task("one"), task("two")]})).await;
    let (one, two) = (text(&submitted["items"][0]["id"]), text(&submitted["items"][1]["id"]));

    let mut seen = Vec::new();
    let mut over = read(&fleet, &first, &mut seen, &two, CUT_AFTER).await;
    // The first replica dies with the connection; then the client hangs up again and again, at an entry of its choice.
    first.kill().await;
    let again = fleet.api("api-3", &[]).await;
    for replica in [&second, &again].into_iter().cycle() {
        if over {
            break;
        }
        over = read(&fleet, replica, &mut seen, &two, CUT_AFTER).await;
    }
    for id in [&one, &two] {
        soon("both to end", async {
            while fleet.get(&second, &format!("/tasks/{id}")).await["status"] != "completed" {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        })
        .await;
    }

    // A client that was never cut off sees the same.
    let mut whole = Vec::new();
    assert!(read(&fleet, &second, &mut whole, &two, 10 * LINES).await, "it ends where the other did");
    let ids = |entries: &[Entry]| entries.iter().map(|(id, ..)| id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&seen), ids(&whole), "nothing is missing, nothing comes twice");
    assert!(seen.len() > 3 * CUT_AFTER, "there were several cuts: {}", seen.len());
    let said: String = seen
        .iter()
        .filter(|(_, kind, event)| kind == "step.output" && event["task_id"] == *two)
        .map(|(_, _, event)| text(&event["payload"]["text"]))
        .collect();
    let lines: Vec<_> = (0..LINES).map(|line| format!("line {line}.")).collect();
    assert_eq!(said.lines().collect::<Vec<_>>(), lines, "every line once, in order");
}
