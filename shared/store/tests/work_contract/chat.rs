//! Chat messages.

use futures::future::join_all;
use shopfloor_domain::{
    ConversationId, MessageId, TaskId,
    event::EventKind,
    message::{MessageType, SenderType},
};
use shopfloor_store::{
    PageRequest, StoreError,
    messages::{self, NewMessage},
};
use shopfloor_testkit::{T0, TestStore, new_task};

use super::common::{at, history, submit};

fn message(conversation: impl Into<ConversationId>, text: &str) -> NewMessage {
    NewMessage {
        conversation_id: conversation.into(),
        sender_type: SenderType::Human,
        sender_id: "key:me".to_owned(),
        message: text.to_owned(),
        message_type: MessageType::Response,
        parent_message_id: None,
    }
}

pub(crate) async fn a_conversation_can_be_written_to_from_the_submission(store: &TestStore) {
    let task = submit(store, new_task("a task")).await.task.id;
    let written = messages::post(store, message(task, "Hello"), at(1)).await.unwrap();
    assert_eq!(messages::get(store, written.id).await.unwrap(), written);
    let event = history(store, task).await.pop().unwrap();
    assert_eq!((event.kind, event.payload), (EventKind::MessagePosted, serde_json::to_value(&written).unwrap()));
    let nowhere = messages::post(store, message(TaskId::new(), "Hello"), at(1)).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound { kind: "conversation", .. })), "{nowhere:?}");
    let unknown = messages::get(store, MessageId::new()).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { kind: "message", .. })), "{unknown:?}");
}

pub(crate) async fn a_parent_must_be_of_the_same_conversation(store: &TestStore) {
    let one = submit(store, new_task("one")).await.task.id;
    let two = submit(store, new_task("two")).await.task.id;
    let parent = messages::post(store, message(one, "Hello"), T0).await.unwrap();
    let reply = |task: TaskId| NewMessage { parent_message_id: Some(parent.id), ..message(task, "Hi") };
    messages::post(store, reply(one), T0).await.unwrap();
    let astray = messages::post(store, reply(two), T0).await;
    assert!(matches!(astray, Err(StoreError::NotFound { kind: "message", .. })), "{astray:?}");
}

pub(crate) async fn ids_grow_in_the_order_of_commits(store: &TestStore) {
    let task = submit(store, new_task("a task")).await.task.id;
    let other = store.reopen().await;
    let posts = (0..20).map(|n| {
        let store = if n % 2 == 0 { store } else { &other };
        messages::post(store, message(task, "Hello"), at(n))
    });
    let written: Vec<_> = join_all(posts).await.into_iter().map(|post| post.unwrap().id).collect();
    let told: Vec<_> = history(store, task)
        .await
        .into_iter()
        .filter(|event| event.kind == EventKind::MessagePosted)
        .map(|event| event.payload["id"].as_str().unwrap().parse::<MessageId>().unwrap())
        .collect();
    assert_eq!(told.len(), written.len());
    assert!(told.is_sorted(), "{told:?}");
}

pub(crate) async fn messages_are_listed_in_pages(store: &TestStore) {
    let one = submit(store, new_task("one")).await.task.id;
    let two = submit(store, new_task("two")).await.task.id;
    for n in 0..5 {
        messages::post(store, message(if n % 2 == 0 { one } else { two }, &n.to_string()), T0).await.unwrap();
    }
    for (conversation, expected) in [(Some(one.into()), vec!["0", "2", "4"]), (None, vec!["0", "1", "2", "3", "4"])] {
        let mut request = PageRequest { after: None, limit: 2 };
        let mut listed = Vec::new();
        loop {
            let page = messages::list(store, conversation, &request).await.unwrap();
            listed.extend(page.items.into_iter().map(|message| message.message));
            request.after = page.next;
            if request.after.is_none() {
                break;
            }
        }
        assert_eq!(listed, expected);
    }
}
