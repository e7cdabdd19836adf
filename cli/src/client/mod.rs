//! The HTTP client: one request, one answer, errors as sentences.

pub(crate) mod fields;
pub(crate) mod follow;
pub(crate) mod ids;
mod problem;
pub(crate) mod settings;
pub(crate) mod upload;

use std::time::Duration;

use anyhow::Context;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use settings::{Access, ClientArgs};

use crate::exit::{Exit, Failure};

/// How long one request may take; streams have their own rule.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long the connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Speaks with the server.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    access: Access,
}

impl Client {
    /// A client for the server that the options name.
    pub(crate) fn new(args: &ClientArgs) -> anyhow::Result<Self> {
        let access = args.access()?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("shopfloor/", env!("CARGO_PKG_VERSION")));
        if access.url.starts_with("http://") {
            // Without TLS there is no need to load the system's certificates, which takes longer than a request.
            builder = builder.tls_certs_only([]);
        }
        if is_loopback(&access.url) {
            builder = builder.no_proxy();
        }
        Ok(Self { http: builder.build().context("setting up the HTTP client")?, access })
    }

    /// The server's address.
    pub(crate) fn url(&self) -> &str {
        &self.access.url
    }

    /// A request below `/api/v1`.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}/api/v1{path}", self.access.url));
        match &self.access.api_key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Sends a request; anything but success is a [`Failure`].
    pub(crate) async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(problem::read(response).await.into())
    }

    /// Sends a request and reads its JSON answer.
    pub(crate) async fn json(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let response = self.send(request.timeout(TIMEOUT)).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        response.json().await.context("reading the server's answer")
    }

    /// `GET` with a query.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<Value> {
        self.json(self.request(Method::GET, path).query(query)).await
    }

    /// `POST` with a JSON body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.json(self.request(Method::POST, path).json(body)).await
    }

    /// The rows of a list, at most `max`.
    pub(crate) async fn rows(&self, path: &str, query: &[(&str, String)], max: usize) -> anyhow::Result<Vec<Value>> {
        let mut pages = self.pages(path, query, max);
        let mut rows = Vec::new();
        while rows.len() < max
            && let Some(page) = pages.next().await?
        {
            rows.extend(page);
        }
        rows.truncate(max);
        Ok(rows)
    }

    /// A list that always comes whole.
    pub(crate) async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        items(path, &mut self.get(path, &[]).await?)
    }

    /// The pages of a list.
    pub(crate) fn pages<'a>(&'a self, path: &'a str, query: &[(&'a str, String)], size: usize) -> Pages<'a> {
        let mut query = query.to_vec();
        query.push(("limit", size.clamp(1, 500).to_string()));
        Pages { client: self, path, query, ended: false }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let url = self.url();
        if error.is_builder() {
            return Failure::usage(format!("`{url}` is not an address")).remedy("write it like http://127.0.0.1:8000");
        }
        if error.is_timeout() && !error.is_connect() {
            return Failure::new(Exit::Unreachable, format!("the server at {url} did not answer in time"));
        }
        let cause = std::iter::successors(Some(error as &dyn std::error::Error), |e| e.source()).last();
        let cause = cause.map(ToString::to_string).unwrap_or_default();
        Failure::new(Exit::Unreachable, format!("the server at {url} cannot be reached: {cause}"))
            .remedy("start it with `shopfloor up`, or name another one with --url or SHOPFLOOR_URL")
    }
}

/// The pages of a list, one request each.
pub(crate) struct Pages<'a> {
    client: &'a Client,
    path: &'a str,
    query: Vec<(&'a str, String)>,
    ended: bool,
}

impl Pages<'_> {
    /// The next page; `None` after the last one.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Vec<Value>>> {
        if self.ended {
            return Ok(None);
        }
        let mut page = self.client.get(self.path, &self.query).await?;
        self.query.retain(|(name, _)| *name != "after");
        match page["next"].as_str() {
            Some(next) => self.query.push(("after", next.to_owned())),
            None => self.ended = true,
        }
        items(self.path, &mut page).map(Some)
    }
}

fn items(path: &str, page: &mut Value) -> anyhow::Result<Vec<Value>> {
    match page["items"].take() {
        Value::Array(items) => Ok(items),
        _ => anyhow::bail!("the server's answer to {path} is not a list"),
    }
}

fn is_loopback(url: &str) -> bool {
    reqwest::Url::parse(url).ok().is_some_and(|url| {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn loopback_is_told_by_the_host() {
        for url in ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:8000/x"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["http://10.0.0.1", "https://example.org", "not an address"] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
