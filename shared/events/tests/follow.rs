//! Following the log, on both databases.

mod follow {
    use std::{pin::pin, sync::Arc};

    use futures::{Stream, StreamExt};
    use shopfloor_domain::event::EventKind;
    use shopfloor_events::EventLog;
    use shopfloor_store::{
        Backend, Store, StoreError,
        events::{self, Cursor, Event, EventFilter},
        tasks,
    };
    use shopfloor_testkit::{T0, TestStore, new_task, soon};
    use tokio::{sync::Barrier, task::JoinSet};
    use tokio_util::sync::CancellationToken;

    const WRITERS: usize = 8;
    const TASKS_PER_WRITER: usize = 15;

    fn follow(store: &Store, after: Cursor) -> impl Stream<Item = Result<Event, StoreError>> + Send + use<> {
        EventLog::new(store.clone()).follow(after, EventFilter::default(), CancellationToken::new())
    }

    async fn submit(store: &Store) -> shopfloor_domain::TaskId {
        tasks::submit(store, new_task("a task"), T0).await.expect("submitting").task.id
    }

    async fn next(stream: &mut (impl Stream<Item = Result<Event, StoreError>> + Unpin)) -> Event {
        soon("an event", stream.next()).await.expect("the log goes on").expect("reading the log")
    }

    /// The whole log, as the table has it when nothing is written any more.
    async fn whole_log(store: &TestStore) -> Vec<Event> {
        store.settle().await;
        let mut all: Vec<Event> = Vec::new();
        loop {
            let after = all.last().map_or(Cursor::START, |event| event.cursor);
            let batch = events::read(store, after, &EventFilter::default(), 100).await.expect("reading the log");
            if batch.is_empty() {
                return all;
            }
            all.extend(batch);
        }
    }

    pub(super) async fn every_cursor_is_a_place_to_resume(store: &TestStore) {
        for _ in 0..5 {
            submit(store).await;
        }
        let all = whole_log(store).await;
        assert!(all.len() >= 5);
        assert!(all.windows(2).all(|pair| pair[0].cursor < pair[1].cursor));
        for from in 0..all.len() {
            let after = from.checked_sub(1).map_or(Cursor::START, |last| all[last].cursor);
            let rest: Vec<_> = soon("the rest", follow(store, after).take(all.len() - from).collect()).await;
            let rest: Vec<_> = rest.into_iter().map(|event| event.expect("reading the log")).collect();
            assert_eq!(rest, all[from..]);
        }
    }

    pub(super) async fn a_new_event_reaches_a_waiting_follower(store: &TestStore) {
        let mut stream = pin!(follow(store, events::tail(store).await.expect("the tail")));
        for _ in 0..10 {
            let (task, event) = tokio::join!(submit(store), next(&mut stream));
            assert_eq!(event.task_id, Some(task));
            // A submission may write more than one event: catch up before the next round.
            let tail = whole_log(store).await.last().map(|event| event.cursor);
            let mut reached = event.cursor;
            while Some(reached) < tail {
                reached = next(&mut stream).await.cursor;
            }
        }
    }

    pub(super) async fn concurrent_writers_hide_nothing_from_any_reader(store: &TestStore) {
        let start = Arc::new(Barrier::new(WRITERS + 3));
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            let (store, start) = (Store::clone(store), start.clone());
            writers.spawn(async move {
                start.wait().await;
                for _ in 0..TASKS_PER_WRITER {
                    submit(&store).await;
                }
            });
        }
        let (finished, all) = tokio::sync::watch::channel(None);
        let mut readers = JoinSet::new();
        // Readers that begin anew at their last cursor after so many events.
        for patience in [3, 17, usize::MAX] {
            let (store, start, mut all) = (Store::clone(store), start.clone(), all.clone());
            readers.spawn(async move {
                start.wait().await;
                let mut seen: Vec<Event> = Vec::new();
                loop {
                    let after = seen.last().map_or(Cursor::START, |event| event.cursor);
                    let mut stream = pin!(follow(&store, after).take(patience));
                    loop {
                        let total: Option<usize> = *all.borrow_and_update();
                        if total.is_some_and(|total| seen.len() >= total) {
                            return seen;
                        }
                        tokio::select! {
                            event = stream.next() => match event {
                                Some(event) => seen.push(event.expect("reading the log")),
                                None => break,
                            },
                            changed = all.changed(), if total.is_none() => changed.expect("the writers"),
                        }
                    }
                }
            });
        }
        writers.join_all().await;
        let table = whole_log(store).await;
        assert!(table.len() >= WRITERS * TASKS_PER_WRITER);
        finished.send_replace(Some(table.len()));
        for seen in soon("the readers", readers.join_all()).await {
            assert_eq!(seen, table);
        }
    }

    pub(super) async fn an_old_open_transaction_delays_events_and_loses_none(store: &TestStore) {
        if store.backend() == Backend::Sqlite {
            // SQLite has one writer: no transaction can be older and still open.
            return;
        }
        let tail = events::tail(store).await.expect("the tail");
        let mut stream = pin!(follow(store, tail));
        let open = store.open_transaction().await;
        let task = submit(store).await;
        let seen = events::read(store, tail, &EventFilter::default(), 10).await.expect("reading the log");
        assert_eq!(seen, [], "an older transaction could still write before this event");
        let (event, ()) = tokio::join!(next(&mut stream), async { drop(open) });
        assert_eq!(event.task_id, Some(task));
    }

    pub(super) async fn a_filter_lets_through_its_task_and_kinds_only(store: &TestStore) {
        let (other, wanted) = (submit(store).await, submit(store).await);
        let stop = CancellationToken::new();
        let filter =
            EventFilter { task_id: Some(wanted), kinds: vec![EventKind::TaskSubmitted, EventKind::TaskUpdated] };
        let mut stream = pin!(EventLog::new(Store::clone(store)).follow(Cursor::START, filter, stop));
        let first = next(&mut stream).await;
        assert_eq!((first.task_id, first.kind), (Some(wanted), EventKind::TaskSubmitted));
        let patch = || tasks::TaskPatch { title: Some("new".to_owned()), ..tasks::TaskPatch::default() };
        for task in [other, wanted] {
            tasks::update(store, task, patch(), T0).await.expect("editing");
        }
        let second = next(&mut stream).await;
        assert_eq!((second.task_id, second.kind), (Some(wanted), EventKind::TaskUpdated));
    }

    pub(super) async fn a_follower_ends_when_told_to_stop(store: &TestStore) {
        submit(store).await;
        let stop = CancellationToken::new();
        let log = EventLog::new(Store::clone(store));
        let mut idle = pin!(log.follow(Cursor::START, EventFilter::default(), stop.clone()));
        let total = whole_log(store).await.len();
        for _ in 0..total {
            next(&mut idle).await;
        }
        let (end, ()) = tokio::join!(soon("the end", idle.next()), async { stop.cancel() });
        assert!(end.is_none());
        let mut late = pin!(log.follow(Cursor::START, EventFilter::default(), stop));
        assert!(soon("the end", late.next()).await.is_none());
    }

    pub(super) async fn an_error_of_the_record_is_told_and_looked_past(store: &TestStore) {
        let stop = CancellationToken::new();
        let other = store.reopen().await;
        let mut stream = pin!(EventLog::new(other.clone()).follow(Cursor::START, EventFilter::default(), stop.clone()));
        other.close().await.expect("closing");
        for _ in 0..3 {
            let item = soon("the error", stream.next()).await.expect("the log goes on");
            assert!(item.is_err_and(|error| error.is_transient()));
        }
        stop.cancel();
        assert!(soon("the end", stream.next()).await.is_none());
    }
}

shopfloor_testkit::contract!(follow::{
    every_cursor_is_a_place_to_resume,
    a_new_event_reaches_a_waiting_follower,
    concurrent_writers_hide_nothing_from_any_reader,
    an_old_open_transaction_delays_events_and_loses_none,
    a_filter_lets_through_its_task_and_kinds_only,
    a_follower_ends_when_told_to_stop,
    an_error_of_the_record_is_told_and_looked_past,
});
