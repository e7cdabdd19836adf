//! One run: start, trouble, healing, the end of all work, the check.

use std::{path::Path, time::Duration};

use tokio::{
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep, sleep_until},
};

use crate::{check, fleet::Fleet, plan, plan::Plan, record::Record};

/// How long after the healing everything must have come to its end. Generous: the machine may be busy.
const SETTLE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(200);

/// Runs a plan. What went wrong, or a summary. The processes' logs stay in `dir` when something did.
pub(crate) async fn run(plan: &Plan, dir: &Path) -> Result<String, Vec<String>> {
    let began = Instant::now();
    let mut fleet = Fleet::start(plan, dir).await;
    let mut people = JoinSet::new();
    for job in &plan.jobs {
        people.spawn(fleet.client.clone().hand_in(job.clone()));
    }
    let answering = tokio::spawn(fleet.client.clone().answer_for_ever());

    let haunting = plan.ghost.then(|| tokio::spawn(fleet.client.clone().haunt_for_ever()));
    let zero = Instant::now();
    trouble(plan, &mut fleet, zero).await;
    fleet.heal();
    let _ = haunting.inspect(JoinHandle::abort);
    let healed = Instant::now();
    let resuming = tokio::spawn(fleet.client.clone().resume_for_ever());
    let late = settle(&mut fleet, &mut people).await;
    answering.abort();
    resuming.abort();

    let record = Record::read(&fleet);
    let promised = fleet.client.promised();
    let mut findings = check::check(&record, &promised, plan);
    findings.extend(fleet.died.iter().cloned());
    findings.extend(fleet.draining());
    for task in late {
        findings.push(format!("task {task} waits for ever: {}", fleet.client.why(&task).await));
    }
    if std::env::var_os("SHOPFLOOR_CHAOS_KEEP").is_some() {
        std::fs::write(dir.join("record.txt"), format!("{record:#?}")).unwrap();
    }
    if findings.is_empty() {
        let (settled, all) = (healed.elapsed(), began.elapsed());
        let (lost, late) = fleet.bad_commits();
        drop(fleet);
        if std::env::var_os("SHOPFLOOR_CHAOS_KEEP").is_none() {
            let _ = std::fs::remove_dir_all(dir);
        }
        Ok(format!(
            "{}; Redis {}, limit {:?}; {} ops, {lost} commits unheard, {late} late; settled in {:.1} s, {:.0} s in all",
            record.summary(),
            plan.redis,
            plan.limit,
            plan.ops.len(),
            settled.as_secs_f64(),
            all.as_secs_f64()
        ))
    } else {
        std::fs::write(dir.join("record.txt"), format!("{record:#?}")).unwrap();
        Err(findings)
    }
}

/// Does what is planned, each thing at its time.
async fn trouble(plan: &Plan, fleet: &mut Fleet, zero: Instant) {
    let mut ops = plan.ops.iter().peekable();
    while zero.elapsed() < plan::TROUBLE || ops.peek().is_some() {
        while let Some((at, op)) = ops.next_if(|(at, _)| *at <= zero.elapsed()) {
            println!("{:>6} ms  {op:?} (planned for {})", zero.elapsed().as_millis(), at.as_millis());
            tokio::task::block_in_place(|| fleet.apply(*op));
        }
        fleet.supervise();
        let next = ops.peek().map_or(zero + plan::TROUBLE, |(at, _)| zero + *at);
        sleep_until(next.min(Instant::now() + LOOK)).await;
    }
}

/// Waits until everything is handed in and over; the tasks that are not in time.
async fn settle(fleet: &mut Fleet, people: &mut JoinSet<()>) -> Vec<String> {
    const LIVE: &str = "SELECT task_id FROM work_orders WHERE status IN ('queued', 'claimed', 'parked')";
    let give_up = Instant::now() + SETTLE;
    loop {
        fleet.supervise();
        while let Some(done) = people.try_join_next() {
            done.expect("a person");
        }
        let live = fleet.json(LIVE);
        let live: Vec<String> =
            live.as_array().unwrap().iter().map(|row| row["task_id"].as_str().unwrap().to_owned()).collect();
        let over = live.is_empty() && fleet.draining().is_empty();
        if people.is_empty() && over {
            return Vec::new();
        }
        if Instant::now() > give_up {
            return live;
        }
        sleep(LOOK).await;
    }
}
