//! Files, artifacts and model calls.

use serde_json::json;
use shopfloor_domain::{ArtifactId, FileId, ModelCallId, Name, StepId, event::EventKind, step::StepKind};
use shopfloor_store::{
    PageRequest, StoreError,
    artifacts::{self, NewArtifact},
    files::{self, NewFile},
    model_calls::{self, ModelCall},
    steps::{self, StepResult},
};
use shopfloor_testkit::{T0, TestStore, name};

use super::common::{at, begun, claimed, count, history};

pub(crate) async fn a_file_is_recorded_and_listed(store: &TestStore) {
    let mut made = Vec::new();
    for n in 0..3 {
        let stored = store.blobs().put(format!("file {n}").into()).await.unwrap();
        let new = NewFile {
            project: Name::DEFAULT,
            name: format!("file-{n}.txt"),
            content_type: "text/plain".to_owned(),
            stored,
            created_by: "key:me".to_owned(),
        };
        made.push(files::create(store, new, at(n)).await.unwrap());
    }
    assert_eq!(files::get(store, made[0].id).await.unwrap(), made[0]);
    assert_eq!(store.blobs().get(&made[0].storage_key).await.unwrap(), "file 0");
    let first = files::list(store, &PageRequest { after: None, limit: 2 }).await.unwrap();
    assert_eq!(first.items, [made[2].clone(), made[1].clone()]);
    let second = files::list(store, &PageRequest { after: first.next, limit: 2 }).await.unwrap();
    assert_eq!((second.items, second.next), (vec![made[0].clone()], None));
    let stored = store.blobs().put("x".into()).await.unwrap();
    let nowhere = NewFile {
        project: name("nowhere"),
        name: "x".to_owned(),
        content_type: "text/plain".to_owned(),
        stored,
        created_by: "key:me".to_owned(),
    };
    let refused = files::create(store, nowhere, T0).await;
    assert!(matches!(refused, Err(StoreError::NotFound { kind: "project", .. })), "{refused:?}");
    let unknown = files::get(store, FileId::new()).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { kind: "file", .. })), "{unknown:?}");
}

pub(crate) async fn artifacts_come_with_their_step(store: &TestStore) {
    let held = claimed(store).await;
    let step = begun(store, &held, 0, StepKind::Sandbox).await;
    let stored = store.blobs().put("a,b\n1,2\n".into()).await.unwrap();
    let artifact =
        |name: &str| NewArtifact { name: name.to_owned(), content_type: "text/csv".to_owned(), stored: stored.clone() };
    let done = || StepResult::Completed(json!(null));
    let twice = vec![artifact("out.csv"), artifact("out.csv")];
    let refused = steps::finish(store, held.fence(), step.id, done(), twice, None, at(1)).await;
    assert!(matches!(refused, Err(StoreError::Invalid { field: "artifacts", .. })), "{refused:?}");
    let made = vec![artifact("out.csv"), artifact("deep/er.csv")];
    steps::finish(store, held.fence(), step.id, done(), made, None, at(1)).await.unwrap();
    let artifacts = artifacts::of_task(store, held.order.task_id).await.unwrap();
    let names: Vec<_> = artifacts.iter().map(|artifact| artifact.name.as_str()).collect();
    assert_eq!(names, ["out.csv", "deep/er.csv"]);
    let first = artifacts::get(store, artifacts[0].id).await.unwrap();
    assert_eq!(first, artifacts[0]);
    assert_eq!((first.step_id, first.epoch, first.size, first.created_at), (step.id, held.order.epoch, 8, at(1)));
    assert_eq!(store.blobs().get(&first.storage_key).await.unwrap(), "a,b\n1,2\n");
    let stories = history(store, held.order.task_id).await;
    assert_eq!(stories.iter().filter(|event| event.kind == EventKind::ArtifactStored).count(), 2);
    let unknown = artifacts::get(store, ArtifactId::new()).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { kind: "artifact", .. })), "{unknown:?}");
}

pub(crate) async fn model_calls_are_recorded_once(store: &TestStore) {
    let held = claimed(store).await;
    let step = begun(store, &held, 0, StepKind::Agent).await;
    let call = ModelCall {
        id: ModelCallId::new(),
        task_id: held.order.task_id,
        step_id: step.id,
        role: "code".to_owned(),
        endpoint: "http://localhost:11434/v1".to_owned(),
        model: "some-model".to_owned(),
        request: json!({"messages": []}),
        response: Some(json!({"choices": []})),
        input_tokens: 12,
        output_tokens: 34,
        cost_nanodollars: 56,
        latency_ms: 78,
        outcome: "ok".to_owned(),
        created_at: at(1),
    };
    for _ in 0..2 {
        model_calls::record(store, held.fence(), call.clone()).await.unwrap();
    }
    assert_eq!(model_calls::of_task(store, held.order.task_id).await.unwrap(), std::slice::from_ref(&call));
    let astray = ModelCall { id: ModelCallId::new(), step_id: StepId::new(), ..call };
    let refused = model_calls::record(store, held.fence(), astray).await;
    assert!(matches!(refused, Err(StoreError::NotFound { kind: "step", .. })), "{refused:?}");
    assert_eq!(count(store, "model_calls", "1 = 1").await, 1);
}
