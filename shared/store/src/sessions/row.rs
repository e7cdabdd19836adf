//! Rows of `sessions`, and what the event log says about their changes.

use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, EntityTrait as _, IntoActiveModel as _, QuerySelect as _};
use serde_json::json;
use shopfloor_domain::{
    SessionRowId, Timestamp,
    event::EventKind,
    machine::Machine as _,
    session::{EndReason, SessionEvent, SessionStatus},
};

use super::Session;
use crate::{
    Result, StoreError,
    entity::session::{Entity, Model},
    error::Doing as _,
    rows::{maybe_word, word},
    tx::Tx,
};

impl TryFrom<Model> for Session {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            session_id: row.session_id.unwrap_or_else(|| row.id.to_string()),
            worker_id: row.worker_id.into(),
            task_id: row.task_id.map(Into::into),
            order_id: row.order_id.map(Into::into),
            status: word("sessions.status", &row.status)?,
            last_activity_at: Timestamp(row.last_activity_at),
            created_at: Timestamp(row.created_at),
            terminated_at: row.terminated_at.map(Timestamp),
            end_reason: maybe_word::<EndReason>("sessions.end_reason", row.end_reason.as_deref())?,
        })
    }
}

/// Locks a session's row.
pub(super) async fn lock(tx: &Tx, id: SessionRowId, doing: &'static str) -> Result<Model> {
    let row = Entity::find_by_id(id.0).lock_exclusive().one(tx.db()).await.doing(doing)?;
    row.ok_or_else(|| StoreError::not_found("session", id))
}

/// Moves a locked session, with its event when its status changes. `reason` goes with `Terminated` only. A session that a
/// claim opened ends with the claim, see `end_attempt`.
pub(super) async fn apply(
    tx: &Tx,
    row: Model,
    event: SessionEvent,
    reason: Option<EndReason>,
    now: Timestamp,
) -> Result<Session> {
    let from: SessionStatus = word("sessions.status", &row.status)?;
    let to = from.step(event).map_err(|illegal| StoreError::Conflict {
        what: format!("session {}", row.id),
        tried: match event {
            SessionEvent::Activity => "kept alive",
            SessionEvent::WentIdle => "marked as idle",
            SessionEvent::Terminated => "ended",
        },
        state: illegal.state.to_string(),
    })?;
    let mut row = row.into_active_model();
    row.status = Set(to.as_str().to_owned());
    match event {
        SessionEvent::Activity => row.last_activity_at = Set(now.0),
        SessionEvent::WentIdle => {}
        SessionEvent::Terminated => {
            row.terminated_at = Set(Some(now.0));
            row.end_reason = Set(reason.map(|reason| reason.as_str().to_owned()));
        }
    }
    let session: Session = row.update(tx.db()).await.doing("changing a session")?.try_into()?;
    if from != to {
        announce(tx, &session, Some(from), now);
    }
    Ok(session)
}

/// Writes a session's status into the event log.
pub(super) fn announce(tx: &Tx, session: &Session, from: Option<SessionStatus>, now: Timestamp) {
    let payload = json!({
        "session_id": session.id,
        "worker_id": session.worker_id,
        "from": from,
        "to": session.status,
        "end_reason": session.end_reason,
    });
    tx.event(EventKind::SessionStatus, session.task_id, session.order_id, payload, now);
}
