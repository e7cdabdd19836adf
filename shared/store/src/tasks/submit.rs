//! Submitting: task, run, order and log in one transaction, each under its idempotency key if it has one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, sea_query::OnConflict,
};
use shopfloor_domain::{Name, ProjectId, RunId, TaskId, Timestamp, machine::Machine as _, task::TaskStatus};

use super::{
    NewTask, Submitted, Task,
    create::{Planned, create, create_alone, may_stand_alone},
    fingerprint::fingerprint,
    row::records,
};
use crate::{
    Result, Store, StoreError, check,
    entity::{idempotency_key, task},
    error::Doing as _,
    orders::{self, NewOrder, Place},
    projects,
    runs::Run,
    tx::{Tx, retrying},
};

const DOING: &str = "submitting tasks";
/// Rows per statement: few enough that their values stay below the number that one statement may hold.
const BATCH: usize = 500;
/// How often a submission is tried that loses its idempotency key to another one at the same time.
const TRIES: u32 = 3;

/// Submits one task.
///
/// # Errors
/// `NotFound` for an unknown project, `IdempotencyMismatch`, `Invalid` for a NUL, `Database`.
pub async fn submit(store: &Store, new: NewTask, now: Timestamp) -> Result<Submitted> {
    let submitted = submit_bulk(store, vec![new], now).await?;
    submitted.into_iter().next().ok_or_else(|| StoreError::corrupt("tasks", "the new row is missing"))
}

/// Submits all of these tasks or none, in one transaction, in the order given.
///
/// # Errors
/// As [`submit`].
pub async fn submit_bulk(store: &Store, new: Vec<NewTask>, now: Timestamp) -> Result<Vec<Submitted>> {
    new.iter().try_for_each(check)?;
    let requests: Vec<Request> = new.into_iter().map(Request::new).collect();
    for _ in 1..TRIES {
        if let Some(submitted) = retrying(|| submit_once(store, &requests, now)).await? {
            return Ok(submitted);
        }
    }
    let last = retrying(|| submit_once(store, &requests, now)).await?;
    last.ok_or_else(|| StoreError::Conflict {
        what: "the idempotency key".to_owned(),
        tried: "used",
        state: "being used by other requests at the same time".to_owned(),
    })
}

fn check(new: &NewTask) -> Result<()> {
    check::text("title", &new.title)?;
    check::text("description", &new.description)?;
    check::maybe_text("repository_url", new.repository_url.as_deref())?;
    check::maybe_text("branch_name", new.branch_name.as_deref())?;
    check::text("pipeline_version", &new.pipeline_version)?;
    check::json("definition", &new.definition)?;
    check::json("input", &new.input)?;
    check::maybe_text("idempotency_key", new.idempotency_key.as_deref())?;
    check::text("created_by", &new.created_by)
}

/// The place of an idempotency key: keys of different projects have nothing to do with each other.
type Key = (String, String);

struct Request {
    new: NewTask,
    key: Option<Key>,
    fingerprint: String,
}

impl Request {
    fn new(new: NewTask) -> Self {
        let key = new.idempotency_key.clone().map(|key| (new.project.to_string(), key));
        let fingerprint = if key.is_some() { fingerprint(&new) } else { String::new() };
        Self { new, key, fingerprint }
    }

    /// `IdempotencyMismatch` unless the key stands for this very request.
    fn expect(&self, fingerprint: &str) -> Result<()> {
        match &self.key {
            Some((_, key)) if fingerprint != self.fingerprint => {
                Err(StoreError::IdempotencyMismatch { key: key.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// `None` when another submission took one of the keys meanwhile: nothing is written, and the next try finds its result.
async fn submit_once(store: &Store, requests: &[Request], now: Timestamp) -> Result<Option<Vec<Submitted>>> {
    // Before the transaction: an in-memory database has one connection only.
    let projects = projects::ids(store, requests.iter().map(|request| &request.new.project)).await?;
    if requests.iter().all(|request| request.key.is_none()) {
        let planned = plan(&projects, requests, now)?;
        if may_stand_alone(store, &planned) {
            create_alone(store, &planned, now).await?;
        } else {
            let tx = store.begin(DOING).await?;
            create(&tx, &planned, now).await?;
            tx.commit().await?;
        }
        return Ok(Some(submitted(planned)));
    }
    submit_keyed(store, &projects, requests, now).await
}

async fn submit_keyed(
    store: &Store,
    projects: &HashMap<Name, ProjectId>,
    requests: &[Request],
    now: Timestamp,
) -> Result<Option<Vec<Submitted>>> {
    let tx = store.begin(DOING).await?;
    let known = known(&tx, requests).await?;
    let mut fresh: Vec<&Request> = Vec::new();
    let mut first: BTreeMap<&Key, (usize, &Request)> = BTreeMap::new();
    let mut outcomes = Vec::with_capacity(requests.len());
    for request in requests {
        outcomes.push(match request.key.as_ref() {
            Some(key) if known.contains_key(key) => {
                request.expect(&known[key].0)?;
                Outcome::Known(key)
            }
            Some(key) if first.contains_key(key) => {
                let (index, earlier) = first[key];
                request.expect(&earlier.fingerprint)?;
                Outcome::Repeated(index)
            }
            key => {
                if let Some(key) = key {
                    first.insert(key, (fresh.len(), request));
                }
                fresh.push(request);
                Outcome::Fresh(fresh.len() - 1)
            }
        });
    }
    let planned = plan(projects, fresh.iter().copied(), now)?;
    create(&tx, &planned, now).await?;
    let created = submitted(planned);
    if !take_keys(&tx, &first, &created, now).await? {
        return Ok(None);
    }
    tx.commit().await?;
    let outcomes = outcomes.into_iter().map(|outcome| match outcome {
        Outcome::Known(key) => known[key].1.clone(),
        Outcome::Repeated(index) => Submitted { created: false, place: None, ..created[index].clone() },
        Outcome::Fresh(index) => created[index].clone(),
    });
    Ok(Some(outcomes.collect()))
}

/// Where one request's answer comes from.
enum Outcome<'a> {
    /// From an earlier submission.
    Known(&'a Key),
    /// From an earlier request of this submission.
    Repeated(usize),
    /// It is created now.
    Fresh(usize),
}

/// What earlier submissions with these keys made, with their fingerprints.
async fn known(tx: &Tx, requests: &[Request]) -> Result<HashMap<Key, (String, Submitted)>> {
    use idempotency_key::{Column, Entity, Model};
    let mut scopes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (scope, key) in requests.iter().filter_map(|request| request.key.as_ref()) {
        scopes.entry(scope).or_default().insert(key);
    }
    let mut rows: Vec<Model> = Vec::new();
    for (scope, keys) in scopes {
        let keys: Vec<&str> = keys.into_iter().collect();
        for batch in keys.chunks(BATCH) {
            let these = Condition::all().add(Column::Scope.eq(scope)).add(Column::Key.is_in(batch.iter().copied()));
            rows.extend(Entity::find().filter(these).all(tx.db()).await.doing("looking up idempotency keys")?);
        }
    }
    let mut tasks: HashMap<TaskId, Task> = HashMap::new();
    for batch in rows.chunks(BATCH) {
        let ids = batch.iter().map(|row| row.task_id);
        let found = task::Entity::find().filter(task::Column::Id.is_in(ids)).all(tx.db()).await.doing(DOING)?;
        tasks.extend(records(tx.db(), found).await?.into_iter().map(|task| (task.id, task)));
    }
    rows.into_iter()
        .map(|row| {
            let task = tasks.get(&TaskId(row.task_id)).cloned();
            let task = task.ok_or_else(|| StoreError::not_found("task", row.task_id))?;
            let (order_id, run_id) = (row.order_id.into(), row.run_id.into());
            let submitted = Submitted { task, order_id, run_id, created: false, place: None };
            Ok(((row.scope, row.key), (row.request_hash, submitted)))
        })
        .collect()
}

/// What these requests are to make, in the order given.
fn plan<'a>(
    projects: &HashMap<Name, ProjectId>,
    requests: impl IntoIterator<Item = &'a Request>,
    now: Timestamp,
) -> Result<Vec<Planned>> {
    let planned = requests.into_iter().map(|request| {
        let id = projects.get(&request.new.project);
        let id = id.ok_or_else(|| StoreError::not_found("project", &request.new.project))?;
        let task = task_of(&request.new, *id, now);
        let run = run_of(&request.new, &task, now);
        let order = orders::planned(order_of(&request.new, &task, &run), now);
        Ok(Planned { task, run, order })
    });
    planned.collect()
}

fn submitted(planned: Vec<Planned>) -> Vec<Submitted> {
    let submitted = planned.into_iter().map(|Planned { task, run, order }| Submitted {
        order_id: order.id,
        run_id: run.id,
        created: true,
        place: Some(Place::from(&order)),
        task,
    });
    submitted.collect()
}

/// Takes the keys for what was created. `false` when one of them was taken by another transaction at the same time,
/// which has committed by now.
async fn take_keys(
    tx: &Tx,
    first: &BTreeMap<&Key, (usize, &Request)>,
    created: &[Submitted],
    now: Timestamp,
) -> Result<bool> {
    use idempotency_key::{ActiveModel, Column, Entity};
    // In the order of the keys, so that two submissions with several keys in common do not wait for each other.
    let rows: Vec<ActiveModel> = first
        .iter()
        .map(|((scope, key), (index, request))| ActiveModel {
            scope: Set(scope.clone()),
            key: Set(key.clone()),
            request_hash: Set(request.fingerprint.clone()),
            task_id: Set(created[*index].task.id.0),
            order_id: Set(created[*index].order_id.0),
            run_id: Set(created[*index].run_id.0),
            created_at: Set(now.0),
        })
        .collect();
    for batch in rows.chunks(BATCH) {
        let nothing = OnConflict::columns([Column::Scope, Column::Key]).do_nothing().to_owned();
        let insert = Entity::insert_many(batch.to_vec()).on_conflict(nothing).exec_without_returning(tx.db());
        let taken = insert.await.doing("taking idempotency keys")?;
        if usize::try_from(taken) != Ok(batch.len()) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn task_of(new: &NewTask, project_id: ProjectId, now: Timestamp) -> Task {
    Task {
        id: TaskId::new(),
        project_id,
        project: new.project.clone(),
        title: new.title.clone(),
        description: new.description.clone(),
        task_type: new.task_type,
        status: TaskStatus::INITIAL,
        priority: new.priority,
        repository_url: new.repository_url.clone(),
        branch_name: new.branch_name.clone(),
        pipeline: new.pipeline.clone(),
        input: new.input.clone(),
        result: None,
        error: None,
        created_by: new.created_by.clone(),
        created_at: now,
        updated_at: now,
        completed_at: None,
    }
}

fn run_of(new: &NewTask, task: &Task, now: Timestamp) -> Run {
    Run {
        id: RunId::new(),
        task_id: task.id,
        title: task.title.clone(),
        template: task.pipeline.clone(),
        version: new.pipeline_version.clone(),
        definition: new.definition.clone(),
        input: task.input.clone(),
        branch: task.branch_name.clone(),
        status: task.status,
        created_at: now,
        updated_at: now,
    }
}

fn order_of(new: &NewTask, task: &Task, run: &Run) -> NewOrder {
    NewOrder {
        task_id: task.id,
        run_id: run.id,
        project_id: task.project_id,
        queue: new.queue.clone(),
        priority: new.priority,
        needs: new.needs.clone(),
        run_at: new.run_at,
        max_attempts: new.max_attempts,
    }
}
