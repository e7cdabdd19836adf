//! The plan, by example and by property: wherever a run is interrupted, it ends in the same place, and no step that has
//! ended is done again.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use shopfloor_domain::{Epoch, OrderId, RunId, StepId, TaskId};

use super::*;

fn pipeline(steps: Value) -> Pipeline {
    Pipeline::from_json(&json!({ "name": "p", "description": "x", "steps": steps })).unwrap()
}

fn record(place: &Place<'_>, status: StepStatus, output: Option<Value>) -> Recorded {
    Recorded {
        id: StepId::new(),
        run_id: RunId::new(),
        task_id: TaskId::new(),
        order_id: OrderId::new(),
        order_index: place.order_index,
        name: place.name.clone(),
        kind: place.kind,
        agent_name: None,
        round: place.round,
        status,
        epoch: Epoch(1),
        attempt: 1,
        input: json!({}),
        output,
        error: (status == StepStatus::Failed).then(|| "broken".to_owned()),
        started_at: None,
        finished_at: None,
    }
}

/// How a step ends, by name and round; everything else completes.
type Script = BTreeMap<(String, u32), (StepStatus, Option<Value>)>;

fn script(ends: &[(&str, u32, StepStatus, Value)]) -> Script {
    ends.iter()
        .map(|(name, round, status, output)| (((*name).to_owned(), *round), (*status, Some(output.clone()))))
        .collect()
}

/// Does what the engine does. `crashes` says after which of its moves it is killed and begins again.
fn drive(pipeline: &Pipeline, script: &Script, crashes: &[usize]) -> (Vec<Recorded>, Next<'static>, usize) {
    let mut recorded: Vec<Recorded> = Vec::new();
    let mut ended = 0;
    for turn in 0.. {
        assert!(turn < 5_000, "the run does not end");
        let killed = crashes.contains(&turn);
        match next(pipeline, &recorded).unwrap() {
            Next::Done => return (recorded, Next::Done, ended),
            Next::Failed(at) => return (recorded, Next::Failed(at), ended),
            Next::Begin(place) | Next::Wait(place) => {
                let at = place.order_index as usize;
                if at == recorded.len() {
                    recorded.push(record(&place, StepStatus::Running, None));
                }
                if killed {
                    continue;
                }
                let people = matches!(place.kind, StepKind::Ask | StepKind::Approval);
                if people && recorded[at].status == StepStatus::Running {
                    recorded[at].status = StepStatus::Waiting;
                    continue;
                }
                let default = (StepStatus::Completed, None);
                let (status, output) = script.get(&(place.name.clone(), place.round)).cloned().unwrap_or(default);
                let id = recorded[at].id;
                recorded[at] = Recorded { id, ..record(&place, status, output) };
                ended += 1;
            }
        }
    }
    unreachable!()
}

fn names(recorded: &[Recorded]) -> Vec<String> {
    recorded.iter().map(|step| format!("{}#{} {}", step.name, step.round, step.status)).collect()
}

fn run_code() -> Pipeline {
    pipeline(json!([{ "name": "check", "kind": "critic" }, { "name": "run", "kind": "sandbox", "may_ask": true }]))
}

const FAILED: StepStatus = StepStatus::Failed;

#[test]
fn steps_follow_one_another() {
    let (recorded, end, _) = drive(&run_code(), &Script::new(), &[]);
    assert_eq!(names(&recorded), ["check#0 completed", "run#0 completed"]);
    assert_eq!(end, Next::Done);
}

#[test]
fn a_question_of_the_code_comes_between_two_rounds() {
    let asked = script(&[
        ("run", 0, StepStatus::Completed, json!({ "ending": "asked" })),
        ("run", 1, StepStatus::Completed, json!({ "ending": "asked" })),
    ]);
    let (recorded, end, _) = drive(&run_code(), &asked, &[]);
    let expected = ["check#0", "run#0", "run.ask#0", "run#1", "run.ask#1", "run#2"];
    assert_eq!(names(&recorded), expected.map(|name| format!("{name} completed")));
    assert_eq!(end, Next::Done);
}

#[test]
fn failure_ends_the_run() {
    let (_, end, _) = drive(&run_code(), &script(&[("check", 0, FAILED, json!({}))]), &[]);
    assert_eq!(end, Next::Failed(0));
}

fn looping(then: &str) -> Pipeline {
    pipeline(json!([
        { "name": "make", "kind": "sandbox" },
        { "name": "check", "kind": "critic", "on_fail": { "goto": "make", "max_rounds": 2, "then": then } },
        { "name": "run", "kind": "sandbox" },
    ]))
}

fn always_failing() -> Script {
    script(&(0..9).map(|round| ("check", round, FAILED, json!({}))).collect::<Vec<_>>())
}

#[test]
fn rounds_are_used_up_and_then_it_fails() {
    let (recorded, end, _) = drive(&looping("fail"), &always_failing(), &[]);
    assert_eq!(recorded.iter().filter(|step| step.name == "check").count(), 3);
    assert_eq!(end, Next::Failed(5));
}

#[test]
fn rounds_are_used_up_and_then_a_person_decides() {
    let (recorded, end, _) = drive(&looping("ask"), &always_failing(), &[]);
    assert_eq!(names(&recorded)[5..], ["check#2 failed", "check.decide#0 completed", "run#0 completed"]);
    assert_eq!(end, Next::Done);

    let mut rejected = always_failing();
    rejected.insert(("check.decide".to_owned(), 0), (FAILED, None));
    assert_eq!(drive(&looping("ask"), &rejected, &[]).1, Next::Failed(6));
}

#[test]
fn nothing_leads_around_a_critic_that_could_not_run() {
    let unavailable = script(&[("check", 0, FAILED, json!({ "code": CRITIC_UNAVAILABLE }))]);
    for then in ["fail", "ask"] {
        assert_eq!(drive(&looping(then), &unavailable, &[]).1, Next::Failed(1));
    }
}

#[test]
fn a_record_of_another_definition_is_refused() {
    let (recorded, ..) = drive(&run_code(), &Script::new(), &[]);
    let other = pipeline(json!([{ "name": "run", "kind": "sandbox" }]));
    let misfit = next(&other, &recorded).unwrap_err().to_string();
    assert!(misfit.contains("expected `run` in round 0, found `check` in round 0"), "{misfit}");

    let longer = [recorded, drive(&run_code(), &Script::new(), &[]).0].concat();
    assert!(next(&run_code(), &longer).is_err());
}

#[test]
fn what_waits_is_waited_for() {
    let ask = pipeline(json!([{ "name": "q", "kind": "ask", "prompt": "?" }]));
    let Ok(Next::Begin(place)) = next(&ask, &[]) else { panic!("nothing to begin") };
    let waiting = [record(&place, StepStatus::Waiting, None)];
    assert_eq!(next(&ask, &waiting), Ok(Next::Wait(place)));
}

fn any_step(index: usize) -> impl Strategy<Value = Value> {
    let kind = prop_oneof![
        Just(json!({ "kind": "critic" })),
        Just(json!({ "kind": "sandbox", "may_ask": true })),
        Just(json!({ "kind": "ask", "prompt": "?" })),
        Just(json!({ "kind": "approval", "prompt": "?" })),
    ];
    let on_fail = proptest::option::of((0..=index, 1_u32..4, prop_oneof![Just("fail"), Just("ask")]));
    (kind, on_fail).prop_map(move |(mut step, on_fail)| {
        step["name"] = json!(format!("s{index}"));
        if let Some((goto, max_rounds, then)) = on_fail {
            step["on_fail"] = json!({ "goto": format!("s{goto}"), "max_rounds": max_rounds, "then": then });
        }
        step
    })
}

fn any_pipeline() -> impl Strategy<Value = Pipeline> {
    (any_step(0), any_step(1), any_step(2), any_step(3), 1_usize..=4)
        .prop_map(|(a, b, c, d, length)| pipeline([a, b, c, d].into_iter().take(length).collect()))
}

fn any_script() -> impl Strategy<Value = Script> {
    let end = prop_oneof![
        4 => Just((StepStatus::Completed, None)),
        2 => Just((StepStatus::Completed, Some(json!({ "ending": "asked" })))),
        3 => Just((FAILED, Some(json!({})))),
        1 => Just((FAILED, Some(json!({ "code": CRITIC_UNAVAILABLE })))),
    ];
    let suffix = prop_oneof![3 => Just(""), 1 => Just(".ask"), 1 => Just(".decide")];
    let key = (0..4_usize, suffix, 0..4_u32).prop_map(|(step, suffix, round)| (format!("s{step}{suffix}"), round));
    proptest::collection::btree_map(key, end, 0..24)
}

proptest! {
    #[test]
    fn a_run_ends_in_the_same_place_wherever_it_is_killed(
        pipeline in any_pipeline(),
        script in any_script(),
        crashes in proptest::collection::vec(0_usize..60, 0..20),
    ) {
        let (undisturbed, end, done) = drive(&pipeline, &script, &[]);
        let (disturbed, same_end, redone) = drive(&pipeline, &script, &crashes);
        prop_assert_eq!(names(&disturbed), names(&undisturbed));
        prop_assert_eq!(same_end, end);
        prop_assert_eq!((done, redone), (undisturbed.len(), undisturbed.len()), "every step ended once");
    }

    #[test]
    fn every_prefix_of_a_record_fits_its_definition(pipeline in any_pipeline(), script in any_script()) {
        let (recorded, ..) = drive(&pipeline, &script, &[]);
        for length in 0..recorded.len() {
            let Ok(Next::Begin(place)) = next(&pipeline, &recorded[..length]) else {
                return Err(TestCaseError::fail("a run that went on does not go on"));
            };
            prop_assert_eq!(&place.name, &recorded[length].name);
        }
    }
}
