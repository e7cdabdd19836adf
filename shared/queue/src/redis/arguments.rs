//! How the record's words are written for Redis.

use shopfloor_domain::{Capabilities, Name, OrderId, ProjectId, Timestamp};
use shopfloor_store::orders::{Place, ProjectRoom};
use uuid::Uuid;

use super::library::bytes;

/// Queues to serve: `*` for all, or `,a,b,`.
pub(super) fn queue_list(queues: &[Name]) -> String {
    if queues.is_empty() { "*".to_owned() } else { commas(queues.iter().map(Name::as_str)) }
}

/// Capabilities: `,a,b,`.
pub(super) fn capability_list(capabilities: &Capabilities) -> String {
    commas(capabilities.0.iter().map(Name::as_str))
}

fn commas<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.fold(",".to_owned(), |list, word| list + word + ",")
}

/// An order's id: 16 bytes, since Redis holds one per waiting order.
pub(super) fn order(id: OrderId) -> Vec<u8> {
    id.0.as_bytes().to_vec()
}

/// A project's id.
pub(super) fn project(id: ProjectId) -> Vec<u8> {
    id.0.simple().to_string().into_bytes()
}

/// The opposite of [`project`].
pub(super) fn project_from(text: &str) -> Option<ProjectId> {
    Uuid::parse_str(text).ok().map(ProjectId::from)
}

/// The class of an order: `queue/needs`.
fn class(place: &Place) -> Vec<u8> {
    format!("{}/{}", place.queue, place.needs.to_key()).into_bytes()
}

/// The arguments of the publish move.
pub(super) fn publish(places: &[Place], now: Timestamp) -> Vec<Vec<u8>> {
    let mut arguments = vec![bytes(now.0)];
    for place in places {
        let id = order(place.id);
        arguments.extend([id, project(place.project), class(place), bytes(place.score), bytes(place.run_at.0)]);
    }
    arguments
}

/// The arguments of the withdraw move.
pub(super) fn withdraw(places: &[Place]) -> Vec<Vec<u8>> {
    places.iter().flat_map(|place| [order(place.id), project(place.project), class(place)]).collect()
}

/// The arguments of the room move.
pub(super) fn rooms(rooms: &[ProjectRoom]) -> Vec<Vec<u8>> {
    let mut arguments = Vec::new();
    for room in rooms {
        let limit = room.limit.map(bytes).unwrap_or_default();
        arguments.extend([project(room.project), limit]);
        arguments.extend(match room.pace {
            Some(pace) => [bytes(pace.interval_us()), bytes(pace.burst()), bytes(room.spent_until.unwrap_or(0))],
            None => [Vec::new(), Vec::new(), Vec::new()],
        });
        arguments.push(bytes(room.held.len()));
        arguments.extend(room.held.iter().map(|id| order(*id)));
    }
    arguments
}

/// The arguments of the release move.
pub(super) fn ended(orders: &[(ProjectId, OrderId)]) -> Vec<Vec<u8>> {
    orders.iter().flat_map(|(of, id)| [project(*of), order(*id)]).collect()
}
