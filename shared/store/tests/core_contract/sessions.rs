//! Sessions and the rule by which they end.

use std::time::Duration;

use serde_json::json;
use shopfloor_domain::{
    SessionRowId, WorkerId,
    event::EventKind,
    execution::ExecutionStatus,
    order::OrderStatus,
    session::{EndReason, SessionPolicy, SessionStatus},
    task::TaskStatus,
};
use shopfloor_store::{
    PageRequest, StoreError, events, executions,
    orders::{self, Verdict},
    sessions::{self, SessionFilter},
    tasks,
};
use shopfloor_testkit::{T0, TestStore};

use super::common::{LEASE, claimed, ready_worker};

const SECOND: Duration = Duration::from_secs(1);

pub(crate) async fn a_session_lives_and_ends(store: &TestStore) {
    let worker = ready_worker(store).await.worker_id;
    let session = sessions::open(store, "agent-7", worker, None, T0).await.expect("opening");
    assert_eq!((session.status, session.order_id), (SessionStatus::Active, None));
    let taken = sessions::open(store, "agent-7", worker, None, T0).await;
    assert!(matches!(taken, Err(StoreError::Conflict { .. })), "{taken:?}");
    let unknown = sessions::open(store, "agent-8", WorkerId::new(), None, T0).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { kind: "worker", .. })), "{unknown:?}");
    let touched = sessions::touch(store, session.id, T0 + SECOND).await.expect("touching");
    assert_eq!(touched.last_activity_at, T0 + SECOND);
    let (ended, order) =
        sessions::terminate(store, session.id, EndReason::Requested, T0 + SECOND).await.expect("ending");
    assert_eq!((ended.status, ended.end_reason, order), (SessionStatus::Terminated, Some(EndReason::Requested), None));
    assert_eq!(sessions::get(store, session.id).await.expect("reading"), ended);
    for refused in [
        sessions::touch(store, session.id, T0).await.err(),
        sessions::terminate(store, session.id, EndReason::Requested, T0).await.err(),
    ] {
        assert!(matches!(refused, Some(StoreError::Conflict { .. })), "{refused:?}");
    }
    let nobody = sessions::touch(store, SessionRowId::new(), T0).await;
    assert!(matches!(nobody, Err(StoreError::NotFound { .. })), "{nobody:?}");
}

pub(crate) async fn ending_a_session_releases_its_order(store: &TestStore) {
    let (request, held) = claimed(store).await;
    let now = T0 + SECOND;
    let (session, order) =
        sessions::terminate(store, held.session_id, EndReason::Requested, now).await.expect("ending");
    assert_eq!((session.end_reason, order), (Some(EndReason::Requested), Some(held.order.id)));
    let order = orders::get(store, held.order.id).await.expect("the order");
    assert_eq!((order.status, order.attempt, order.kills), (OrderStatus::Queued, 0, 0));
    let ghost = orders::finish(store, held.fence(), Verdict::Parked, now).await;
    assert!(matches!(ghost, Err(StoreError::Fenced { .. })), "{ghost:?}");
    let executions = executions::of_task(store, order.task_id).await.expect("executions");
    assert_eq!(executions[0].status, ExecutionStatus::Released);
    let again = orders::claim(store, &request, now).await.expect("claiming");
    assert_eq!((again[0].order.epoch.0, again[0].order.attempt), (2, 1));
}

/// Nobody is left to confirm it.
pub(crate) async fn ending_a_session_confirms_a_cancellation(store: &TestStore) {
    let (_, held) = claimed(store).await;
    tasks::cancel(store, held.order.task_id, "someone", T0).await.expect("cancelling");
    let (session, order) = sessions::terminate(store, held.session_id, EndReason::Age, T0).await.expect("ending");
    assert_eq!((session.end_reason, order), (Some(EndReason::Age), None));
    let task = tasks::get(store, held.order.task_id).await.expect("the task");
    assert_eq!(task.status, TaskStatus::Cancelled);
}

pub(crate) async fn idle_and_old_sessions_are_reaped_once(store: &TestStore) {
    let policy = SessionPolicy { idle_timeout: SECOND * 30, max_age: SECOND * 60, idle_after: SECOND * 10 };
    let (_, held) = claimed(store).await;
    let worker = held.order.worker_id.expect("its worker");
    let busy = sessions::open(store, "busy", worker, None, T0).await.expect("opening").id;
    let reap = async |after: u32| sessions::reap(store, &policy, 100, T0 + SECOND * after).await.expect("reaping");
    let status = async |id| sessions::get(store, id).await.expect("the session").status;

    assert_eq!(reap(10).await, (Vec::new(), Vec::new()));
    assert_eq!(status(busy).await, SessionStatus::Active);
    reap(11).await;
    assert_eq!((status(busy).await, status(held.session_id).await), (SessionStatus::Idle, SessionStatus::Idle));
    sessions::touch(store, busy, T0 + SECOND * 20).await.expect("touching");
    assert_eq!(status(busy).await, SessionStatus::Active);

    let (ended, orders) = reap(31).await;
    assert_eq!(
        ended.iter().map(|s| (s.id, s.end_reason)).collect::<Vec<_>>(),
        [(held.session_id, Some(EndReason::Idle))]
    );
    assert_eq!(orders, [held.order.id]);
    assert_eq!(reap(31).await, (Vec::new(), Vec::new()));

    sessions::touch(store, busy, T0 + SECOND * 60).await.expect("touching");
    let (ended, orders) = reap(61).await;
    assert_eq!(ended.iter().map(|s| (s.id, s.end_reason)).collect::<Vec<_>>(), [(busy, Some(EndReason::Age))]);
    assert!(orders.is_empty());
}

pub(crate) async fn what_a_worker_writes_is_activity(store: &TestStore) {
    let (_, held) = claimed(store).await;
    let policy = SessionPolicy { idle_after: SECOND, ..SessionPolicy::default() };
    sessions::reap(store, &policy, 10, T0 + SECOND * 2).await.expect("reaping");
    for (after, expected) in [(3_u32, SessionStatus::Active), (4, SessionStatus::Active)] {
        let now = T0 + SECOND * after;
        events::append(store, held.fence(), EventKind::StepOutput, vec![json!({"text": "x"})], now)
            .await
            .expect("output");
        let session = sessions::get(store, held.session_id).await.expect("the session");
        assert_eq!((session.status, session.last_activity_at), (expected, now));
    }
}

pub(crate) async fn renewing_is_no_activity(store: &TestStore) {
    let (request, held) = claimed(store).await;
    let renewed = orders::renew(store, request.worker_id, &[held.fence()], LEASE, T0 + SECOND).await;
    assert_eq!(renewed.expect("renewing"), [orders::Renewed::Held]);
    let session = sessions::get(store, held.session_id).await.expect("the session");
    assert_eq!(session.last_activity_at, T0);
}

pub(crate) async fn sessions_are_listed_in_pages(store: &TestStore) {
    let worker = ready_worker(store).await.worker_id;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.insert(0, sessions::open(store, &format!("s{n}"), worker, None, T0).await.expect("opening").id);
    }
    let filter = SessionFilter { worker_id: Some(worker), ..SessionFilter::default() };
    let mut page = PageRequest { after: None, limit: 2 };
    let mut seen = Vec::new();
    loop {
        let got = sessions::list(store, &filter, &page).await.expect("listing");
        seen.extend(got.items.into_iter().map(|s| s.id));
        page.after = got.next;
        if page.after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids);
    let none = SessionFilter { status: vec![SessionStatus::Terminated], ..filter };
    assert!(sessions::list(store, &none, &PageRequest::default()).await.expect("listing").items.is_empty());
    let foreign = PageRequest { after: Some("!".to_owned()), limit: 1 };
    let refused = sessions::list(store, &SessionFilter::default(), &foreign).await;
    assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
}
