//! Which lanes a claim may serve, and how much to take from each.
//!
//! Looked at outside the claim's transaction: a claim that finds nothing never writes. What another process changes
//! meanwhile counts as having come after this claim, save the projects' limits, which [`super::claim`] checks again under
//! a lock.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement, Value, prelude::Uuid};
use shopfloor_domain::{Name, ProjectId, Timestamp};

use super::{ClaimRequest, row::Lane};
use crate::{Result, StoreError, error::Doing as _, projects::pace, rows::word};

const DOING: &str = "looking for orders to claim";

/// The lanes that hold queued orders, and NULL after the last one. Jumps from lane to lane in the index.
pub(super) const LANES: &str = "
    RECURSIVE lanes (lane) AS (
        SELECT (SELECT o.lane FROM work_orders o WHERE o.status = 'queued' ORDER BY o.lane LIMIT 1)
        UNION ALL
        SELECT (SELECT o.lane FROM work_orders o
                WHERE o.status = 'queued' AND o.lane > lanes.lane ORDER BY o.lane LIMIT 1)
        FROM lanes WHERE lanes.lane IS NOT NULL
    )";

/// After [`LANES`], everything that a claim has to know first, in one look: the lanes, each with the score of its first due
/// order, and with every row what concerns them all. One row at least.
const LOOK: &str = "
    SELECT lanes.lane,
           (SELECT o.score FROM work_orders o
            WHERE o.status = 'queued' AND o.lane = lanes.lane AND o.score <= $1 AND o.run_at <= $1
            ORDER BY o.score, o.id LIMIT 1) AS head,
           (SELECT string_agg(name, ',') FROM queues WHERE paused_at IS NOT NULL) AS paused,
           CASE WHEN EXISTS (SELECT 1 FROM projects
                             WHERE max_concurrency IS NOT NULL OR max_starts_per_minute IS NOT NULL)
                THEN 1 ELSE 0 END AS limits,
           (SELECT CASE WHEN removed_at IS NULL THEN 1 ELSE 0 END FROM workers WHERE id = $2) AS wanted
    FROM (SELECT 1 AS one) AS always LEFT JOIN lanes ON lanes.lane IS NOT NULL";

/// How many more orders each limited project may run.
const ROOM: &str = "
    SELECT p.id, p.max_starts_per_minute AS pace, p.starts_spent_until AS spent,
           CASE WHEN p.max_concurrency IS NOT NULL
                THEN p.max_concurrency - (SELECT count(*) FROM work_orders o
                                          WHERE o.status = 'claimed' AND o.project_id = p.id) END AS room
    FROM projects p WHERE (p.max_concurrency IS NOT NULL OR p.max_starts_per_minute IS NOT NULL)";

/// How many more orders limited projects may run; a project that is not here has no limit.
pub(super) type Room = BTreeMap<ProjectId, i64>;

/// How many orders to take from one lane.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quota {
    pub(super) lane: Lane,
    pub(super) take: u64,
}

/// What to take from where so that the lowest scores go first.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) quotas: Vec<Quota>,
    /// The limited projects among them.
    pub(super) limited: BTreeSet<ProjectId>,
}

/// Plans a claim. Empty for a worker that was removed.
///
/// # Errors
/// `NotFound` for a worker that never registered, `Database`.
pub(super) async fn plan(db: &DatabaseConnection, request: &ClaimRequest, limit: u64, now: Timestamp) -> Result<Plan> {
    let look = look(db, request, now).await?;
    if look.lanes.is_empty() {
        return Ok(Plan::default());
    }
    let room = if look.limits { room(db, None, now).await? } else { Room::new() };
    let lanes = promising(look.lanes, &look.paused, &room, limit);
    let limited = lanes.iter().map(|lane| lane.project).filter(|project| room.contains_key(project)).collect();
    let quotas = match <[Lane; 1]>::try_from(lanes) {
        Ok([lane]) => {
            let room = room.get(&lane.project).copied().unwrap_or(i64::MAX);
            vec![Quota { take: limit.min(u64::try_from(room).unwrap_or(0)), lane }]
        }
        Err(lanes) => share(heads(db, &lanes, limit, now).await?, &lanes, room, limit),
    };
    Ok(Plan { quotas, limited })
}

/// The lanes that hold the first `limit` orders: the `limit` lanes whose heads have the lowest scores, and those that tie
/// with the last of them, for there the ids decide. A limited project may give fewer orders than its share, so its lanes
/// do not count; those of a full one and of paused queues drop out.
fn promising(mut lanes: Vec<(i64, Lane)>, paused: &BTreeSet<Name>, room: &Room, limit: u64) -> Vec<Lane> {
    let (mut free, mut last) = (0, None);
    lanes.retain(|(_, lane)| !paused.contains(&lane.queue) && room.get(&lane.project).is_none_or(|room| *room > 0));
    lanes.retain(|(head, lane)| {
        let wanted = free < limit || last == Some(*head);
        if wanted {
            free += u64::from(!room.contains_key(&lane.project));
            last = Some(*head);
        }
        wanted
    });
    lanes.into_iter().map(|(_, lane)| lane).collect()
}

/// What a look found.
#[derive(Debug, Default)]
struct Look {
    /// Lanes with a due order that the request covers, each with the score of its first due order, the lowest first.
    lanes: Vec<(i64, Lane)>,
    paused: BTreeSet<Name>,
    /// Whether any project has a limit.
    limits: bool,
}

async fn look(db: &DatabaseConnection, request: &ClaimRequest, now: Timestamp) -> Result<Look> {
    let mut look = Look::default();
    let values = [now.0.into(), request.worker_id.0.into()];
    for (place, row) in
        db.query_all_raw(statement(db, &format!("WITH {LANES} {LOOK}"), values)).await.doing(DOING)?.iter().enumerate()
    {
        if place == 0 {
            let wanted: Option<i32> = row.try_get("", "wanted").doing(DOING)?;
            if wanted.ok_or_else(|| StoreError::not_found("worker", request.worker_id))? == 0 {
                return Ok(Look::default());
            }
            look.limits = row.try_get::<i32>("", "limits").doing(DOING)? == 1;
            let paused: Option<String> = row.try_get("", "paused").doing(DOING)?;
            let paused = paused.iter().flat_map(|names| names.split(','));
            look.paused = paused.map(|name| word("queues.name", name)).collect::<Result<_>>()?;
        }
        let Some(head) = row.try_get::<Option<i64>>("", "head").doing(DOING)? else { continue };
        look.lanes.push((head, Lane::parse(row.try_get("", "lane").doing(DOING)?)?));
    }
    look.lanes.retain(|(_, lane)| {
        request.capabilities.cover(&lane.needs) && (request.queues.is_empty() || request.queues.contains(&lane.queue))
    });
    look.lanes.sort_by_key(|(head, _)| *head);
    Ok(look)
}

/// The room of all limited projects, or of one. Under that project's lock, it is exact.
pub(super) async fn room<C: ConnectionTrait>(db: &C, project: Option<ProjectId>, now: Timestamp) -> Result<Room> {
    let rows = match project {
        None => db.query_all_raw(statement(db, ROOM, [])).await,
        Some(project) => db.query_all_raw(statement(db, &format!("{ROOM} AND p.id = $1"), [project.0.into()])).await,
    };
    let row = |row: sea_orm::QueryResult| {
        let project: Uuid = row.try_get("", "id").doing(DOING)?;
        let slots: Option<i64> = row.try_get("", "room").doing(DOING)?;
        let spent: Option<i64> = row.try_get("", "spent").doing(DOING)?;
        let starts = pace(row.try_get("", "pace").doing(DOING)?)?.map(|pace| pace.room(spent, now));
        Ok((project.into(), slots.unwrap_or(i64::MAX).min(starts.unwrap_or(i64::MAX))))
    };
    rows.doing(DOING)?.into_iter().map(row).collect()
}

/// A due order at the front of its lane.
#[derive(Debug)]
struct Head {
    lane: usize,
    score: i64,
    id: Uuid,
}

/// The first `limit` due orders of each of these lanes.
async fn heads(db: &DatabaseConnection, lanes: &[Lane], limit: u64, now: Timestamp) -> Result<Vec<Head>> {
    let mut heads = Vec::new();
    for (batch, chunk) in lanes.chunks(LANES_PER_QUERY).enumerate() {
        let mut values: Vec<Value> = vec![now.0.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()];
        let mut parts = Vec::with_capacity(chunk.len());
        for (place, lane) in chunk.iter().enumerate() {
            values.push(lane.key.clone().into());
            let (number, value) = (batch * LANES_PER_QUERY + place, values.len());
            parts.push(format!(
                "SELECT * FROM (SELECT {number} AS lane, score, id FROM work_orders WHERE status = 'queued' \
                 AND lane = ${value} AND score <= $1 AND run_at <= $1 ORDER BY score, id LIMIT $2) AS lane_{place}"
            ));
        }
        let rows = db.query_all_raw(statement(db, &parts.join(" UNION ALL "), values)).await.doing(DOING)?;
        for row in rows {
            heads.push(Head {
                lane: usize::try_from(row.try_get::<i32>("", "lane").doing(DOING)?).unwrap_or(usize::MAX),
                score: row.try_get("", "score").doing(DOING)?,
                id: row.try_get("", "id").doing(DOING)?,
            });
        }
    }
    Ok(heads)
}

const LANES_PER_QUERY: usize = 50;

/// Shares `limit` out to the lanes, the lowest score first, within the projects' room.
fn share(mut heads: Vec<Head>, lanes: &[Lane], mut room: Room, limit: u64) -> Vec<Quota> {
    heads.sort_by_key(|head| (head.score, head.id));
    let mut takes = vec![0_u64; lanes.len()];
    let mut left = limit;
    for head in heads {
        let Some(lane) = lanes.get(head.lane).filter(|_| left > 0) else { continue };
        match room.get_mut(&lane.project) {
            Some(room) if *room <= 0 => continue,
            Some(room) => *room -= 1,
            None => {}
        }
        takes[head.lane] += 1;
        left -= 1;
    }
    let quotas = lanes.iter().zip(takes).map(|(lane, take)| Quota { lane: lane.clone(), take });
    quotas.filter(|quota| quota.take > 0).collect()
}

fn statement<C: ConnectionTrait>(db: &C, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shopfloor_domain::Capabilities;

    fn lane(project: ProjectId) -> Lane {
        let (queue, needs) = (Name::DEFAULT, Capabilities::default());
        Lane { key: super::super::row::lane(&queue, project, &needs), queue, project, needs }
    }

    fn head(lane: usize, score: i64) -> Head {
        Head { lane, score, id: Uuid::from_u128(u128::try_from(score).unwrap()) }
    }

    #[test]
    fn the_lowest_scores_go_first_within_the_room() {
        let (full, free) = (ProjectId::new(), ProjectId::new());
        let lanes = [lane(full), lane(free)];
        let heads = vec![head(1, 7), head(0, 1), head(0, 2), head(1, 3), head(0, 4)];
        let quotas = share(heads, &lanes, Room::from([(full, 1)]), 2);
        let takes: Vec<_> = quotas.iter().map(|quota| (quota.lane.project, quota.take)).collect();
        assert_eq!(takes, [(full, 1), (free, 1)]);
    }

    #[test]
    fn lanes_whose_heads_tie_with_the_last_one_wanted_are_looked_at_too() {
        let projects: Vec<ProjectId> = std::iter::repeat_with(ProjectId::new).take(5).collect();
        let lanes = || [1, 2, 2, 2, 3].into_iter().zip(projects.iter().map(|project| lane(*project))).collect();
        let wanted = |room: &Room, limit| -> Vec<ProjectId> {
            promising(lanes(), &BTreeSet::new(), room, limit).iter().map(|lane| lane.project).collect()
        };
        assert_eq!(wanted(&Room::new(), 1), projects[..1]);
        assert_eq!(wanted(&Room::new(), 2), projects[..4]);
        assert_eq!(wanted(&Room::new(), 5), projects);
        assert_eq!(wanted(&Room::from([(projects[0], 1)]), 1), projects[..4], "a limited project does not count");
        assert_eq!(wanted(&Room::from([(projects[0], 0)]), 1), projects[1..4], "a full one drops out");
    }

    #[test]
    fn nothing_is_shared_out_without_room() {
        let full = ProjectId::new();
        assert!(share(vec![head(0, 1)], &[lane(full)], Room::from([(full, 0)]), 5).is_empty());
    }
}
