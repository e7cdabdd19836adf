//! Who calls, and what they may do. Extracting one of the `May…` types proves the permission that it names.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use shopfloor_domain::{
    ApiKeyId,
    message::SenderType,
    role::{Permission, Role},
};
use shopfloor_store::keys;

use crate::{
    app::AppState,
    error::{ApiError, Result},
};

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The key that was shown.
    pub key_id: ApiKeyId,
    /// Its name.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
}

impl Caller {
    /// The caller as an actor in the record, e.g. `key:laptop`.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("key:{}", self.name)
    }

    /// Fails with 403 unless the caller's role includes `permission`.
    pub(crate) fn must(&self, permission: Permission) -> Result<()> {
        if self.role.may(permission) {
            return Ok(());
        }
        let detail = format!("this needs the permission `{permission}`, which the role `{}` lacks", self.role);
        Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", detail).remedy("use a key with another role"))
    }

    /// As whom the caller writes in the chat.
    pub(crate) fn sender_type(&self) -> SenderType {
        if self.role.may(Permission::Submit) { SenderType::Human } else { SenderType::Worker }
    }
}

/// The secret that a request showed; kept for streams, which ask again from time to time.
#[derive(Clone)]
pub(crate) struct Credentials(String);

impl Credentials {
    /// From `Authorization: Bearer …`.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Self> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Err(ApiError::unauthorized("this needs an API key"));
        };
        let bearer = value.to_str().ok().and_then(|text| text.split_once(' '));
        match bearer {
            Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") && values.next().is_none() => {
                Ok(Self(secret.trim().to_owned()))
            }
            _ => Err(ApiError::unauthorized("the `Authorization` header is not `Bearer` and a key")),
        }
    }

    /// For browsers' WebSockets, which cannot set headers: `Sec-WebSocket-Protocol: bearer, sf_…`.
    pub(crate) fn from_protocols(headers: &HeaderMap) -> Option<Self> {
        let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
        let (scheme, secret) = offered.split_once(',')?;
        scheme.trim().eq_ignore_ascii_case("bearer").then(|| Self(secret.trim().to_owned()))
    }

    /// The live key's holder.
    pub(crate) async fn caller(&self, state: &AppState) -> Result<Caller> {
        // A key has 67 characters; longer texts need no look at the record.
        let known = match self.0.len() {
            ..=128 if !self.0.contains('\0') => keys::authenticate(&state.store, &self.0, state.now()).await?,
            _ => None,
        };
        match known {
            Some(key) => Ok(Caller { key_id: key.id, name: key.name, role: key.role }),
            None => Err(ApiError::unauthorized("the API key is unknown, expired or revoked")),
        }
    }
}

async fn permitted(parts: &Parts, state: &AppState, permission: Permission) -> Result<Caller> {
    let caller = Credentials::from_headers(&parts.headers)?.caller(state).await?;
    caller.must(permission)?;
    Ok(caller)
}

macro_rules! permissions {
    ($($(#[$meta:meta])* $name:ident = $permission:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone)]
        pub struct $name(pub Caller);

        impl FromRequestParts<AppState> for $name {
            type Rejection = ApiError;
            async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
                permitted(parts, state, Permission::$permission).await.map(Self)
            }
        }
    )+};
}

permissions! {
    /// The caller may look.
    MayRead = Read,
    /// The caller may submit, change and cancel tasks and upload files.
    MaySubmit = Submit,
    /// The caller may answer questions.
    MayAnswer = Answer,
    /// The caller may pause queues, end sessions, remove workers and re-queue dead letters.
    MayOperate = Operate,
    /// The caller may speak the worker protocol.
    MayWork = Work,
    /// The caller may manage keys and projects.
    MayAdminister = Administer,
}

/// The caller may write in the chat: people who may submit, and workers.
#[derive(Debug, Clone)]
pub struct MayChat(pub Caller);

impl FromRequestParts<AppState> for MayChat {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let MayRead(caller) = MayRead::from_request_parts(parts, state).await?;
        may_chat(&caller)?;
        Ok(Self(caller))
    }
}

/// Fails with 403 unless the caller may write in the chat.
pub(crate) fn may_chat(caller: &Caller) -> Result<()> {
    if caller.role.may(Permission::Work) { Ok(()) } else { caller.must(Permission::Submit) }
}
