//! Uploaded files and artifacts.

use axum::{
    Json as Reply,
    extract::{
        DefaultBodyLimit, FromRequest, Multipart, Request, State,
        multipart::{Field, MultipartError},
    },
    http::{HeaderMap, StatusCode},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use shopfloor_domain::{ArtifactId, FileId, Name};
use shopfloor_store::{artifacts, files, files::NewFile, projects};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    auth::{MayRead, MaySubmit},
    content::{self, Download},
    error::{ApiError, Result},
    extract::{Key, Query, body::drain},
    views::{
        files::{FileOut, UploadForm, UploadQuery},
        page::{PageOut, PageQuery},
    },
};

/// What a form costs beside the file itself.
const FORM_BYTES: usize = 64 * 1024;
/// Parts of a form that are looked through.
const PARTS: usize = 16;

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_files))
        .routes(routes!(get_file))
        .routes(routes!(download_file))
        .routes(routes!(download_artifact))
}

/// Uploads have their own time limit.
pub(crate) fn uploads() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(upload_file)).layer(DefaultBodyLimit::disable())
}

/// Uploads a file: a form with one part named `file`. What it is is found out by its content.
#[utoipa::path(post, path = "/files", tag = "files", params(UploadQuery),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 201, description = "Stored", body = FileOut)))]
async fn upload_file(
    MaySubmit(caller): MaySubmit,
    State(state): State<AppState>,
    Query(query): Query<UploadQuery>,
    request: Request,
) -> Result<(StatusCode, Reply<FileOut>)> {
    let project = query.project.unwrap_or(Name::DEFAULT);
    projects::get(&state.store, &project).await?;
    let Upload { name, bytes } = receive(&state, request).await?;
    let content_type = content::sniff(&name, &bytes);
    let stored = state.store.blobs().put(bytes).await?;
    let new = NewFile { project, name, content_type, stored, created_by: caller.actor() };
    Ok((StatusCode::CREATED, Reply(files::create(&state.store, new, state.now()).await?.into())))
}

/// Lists uploaded files, newest first.
#[utoipa::path(get, path = "/files", tag = "files", params(PageQuery),
    responses((status = 200, description = "A page of files", body = PageOut<FileOut>)))]
async fn list_files(
    _: MayRead,
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Reply<PageOut<FileOut>>> {
    Ok(Reply(PageOut::of(files::list(&state.store, &query.page()?).await?)))
}

/// Describes an uploaded file.
#[utoipa::path(get, path = "/files/{id}", tag = "files", params(("id" = FileId, Path)),
    responses((status = 200, description = "The file's description", body = FileOut)))]
async fn get_file(_: MayRead, State(state): State<AppState>, Key(id): Key<FileId>) -> Result<Reply<FileOut>> {
    Ok(Reply(files::get(&state.store, id).await?.into()))
}

/// Downloads an uploaded file.
#[utoipa::path(get, path = "/files/{id}/content", tag = "files", params(("id" = FileId, Path)),
    responses((status = 200, description = "The bytes", content_type = "application/octet-stream"),
        (status = 304, description = "The client has them")))]
async fn download_file(
    _: MayRead,
    State(state): State<AppState>,
    Key(id): Key<FileId>,
    headers: HeaderMap,
) -> Result<Response> {
    let file = files::get(&state.store, id).await?;
    let download = Download { name: file.name, content_type: file.content_type, sha256: file.sha256 };
    send(&state, &headers, &download, &file.storage_key).await
}

/// Downloads an artifact. Only raster images and plain texts are shown in place.
#[utoipa::path(get, path = "/artifacts/{id}", tag = "files", params(("id" = ArtifactId, Path)),
    responses((status = 200, description = "The bytes", content_type = "application/octet-stream"),
        (status = 304, description = "The client has them")))]
async fn download_artifact(
    _: MayRead,
    State(state): State<AppState>,
    Key(id): Key<ArtifactId>,
    headers: HeaderMap,
) -> Result<Response> {
    let file = artifacts::get(&state.store, id).await?;
    let download = Download { name: file.name, content_type: file.content_type, sha256: file.sha256 };
    send(&state, &headers, &download, &file.storage_key).await
}

async fn send(state: &AppState, headers: &HeaderMap, download: &Download, key: &str) -> Result<Response> {
    if download.is_cached(headers) {
        return download.not_modified();
    }
    download.respond(state.store.blobs().get(key).await?)
}

/// A file as received.
struct Upload {
    name: String,
    bytes: Bytes,
}

/// Reads the form's `file`, at most the settings' size; the rest of the form is not read.
async fn receive(state: &AppState, request: Request) -> Result<Upload> {
    let most = usize::try_from(state.settings.max_upload_bytes).unwrap_or(usize::MAX);
    let length = request.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > (most + FORM_BYTES) as u64) {
        drain(request.into_body().into_data_stream()).await;
        return Err(ApiError::too_large(Some("file"), most as u64));
    }
    let mut form = Multipart::from_request(request, state).await.map_err(|_| not_a_form())?;
    for _ in 0..PARTS {
        match form.next_field().await.map_err(|error| broken(&error))? {
            Some(field) if field.name() == Some("file") => return read(field, most).await,
            Some(_) => {}
            None => break,
        }
    }
    Err(ApiError::invalid("file", "the form has no part of that name"))
}

async fn read(mut field: Field<'_>, most: usize) -> Result<Upload> {
    let Some(name) = content::clean_name(field.file_name().unwrap_or_default()) else {
        drain(field).await;
        return Err(ApiError::invalid("file", "the part has no usable `filename`"));
    };
    let mut bytes = BytesMut::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error))? {
        if bytes.len() + chunk.len() > most {
            drain(field).await;
            return Err(ApiError::too_large(Some("file"), most as u64));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Upload { name, bytes: bytes.freeze() })
}

fn not_a_form() -> ApiError {
    let detail = "the body must be a form of type `multipart/form-data` with a boundary";
    ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail).field("Content-Type")
}

fn broken(error: &MultipartError) -> ApiError {
    ApiError::bad_request("broken_body", format!("the form cannot be read: {}", error.body_text())).field("body")
}
