//! Reads a body up to a limit.

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};

use crate::error::{ApiError, Result};

/// How much of a refused body is read and thrown away, so that the client sees the refusal and no broken connection.
const DRAIN_BYTES: u64 = 64 * 1024 * 1024;

/// The whole body, at most `most` bytes.
pub(crate) async fn read(headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes> {
    let mut stream = body.into_data_stream();
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > most as u64) {
        drain(stream).await;
        return Err(ApiError::too_large(None, most as u64));
    }
    let mut whole = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| broken())?;
        if whole.len() + chunk.len() > most {
            drain(stream).await;
            return Err(ApiError::too_large(None, most as u64));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// Reads on and forgets, up to a bound.
pub(crate) async fn drain<E>(mut stream: impl Stream<Item = Result<Bytes, E>> + Unpin) {
    let mut left = DRAIN_BYTES;
    while let Some(Ok(chunk)) = stream.next().await {
        match left.checked_sub(chunk.len() as u64) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

fn broken() -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "broken_body", "the body ended before it was complete").field("body")
}

/// Whether the media type is JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}
