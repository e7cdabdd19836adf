//! Which Redis URLs are understood, and a clear word about those that are not.

use redis::{Client, ConnectionAddr, IntoConnectionInfo};

/// A URL that cannot be used, or a server behind it that cannot.
#[derive(Debug, thiserror::Error)]
pub enum RedisUrlError {
    /// Not a Redis URL.
    #[error(
        "`{shown}` is not a Redis URL: expected `redis://[user:password@]host[:port][/db]`, `rediss://…` or `unix:///path`"
    )]
    Malformed {
        /// The URL without its password.
        shown: String,
        /// What the driver says.
        source: redis::RedisError,
    },
    /// Sentinel or Cluster.
    #[error(
        "`{shown}`: Redis {what} is not supported. Name one server; behind a failover, the address that follows its primary"
    )]
    Unsupported {
        /// The URL without its password.
        shown: String,
        /// `Sentinel` or `Cluster`.
        what: &'static str,
    },
}

/// A client for this URL. Does not connect.
///
/// # Errors
/// [`RedisUrlError`].
pub(super) fn client(url: &str) -> Result<Client, RedisUrlError> {
    let shown = masked(url);
    let scheme = url.split("://").next().unwrap_or_default().to_ascii_lowercase();
    let authority = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if scheme.contains("sentinel") {
        return Err(RedisUrlError::Unsupported { shown, what: "Sentinel" });
    }
    if scheme.contains("cluster") || authority.contains(',') {
        return Err(RedisUrlError::Unsupported { shown, what: "Cluster" });
    }
    let malformed = |source| RedisUrlError::Malformed { shown: shown.clone(), source };
    let info = url.into_connection_info().map_err(malformed)?;
    if let ConnectionAddr::TcpTls { insecure: true, .. } = info.addr() {
        tracing::warn!("The Redis URL asks for TLS without checking the certificate");
    }
    Client::open(info).map_err(malformed)
}

/// The URL without its password.
pub(super) fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_tls_and_socket_urls_are_taken() {
        for url in [
            "redis://localhost",
            "redis://:secret@127.0.0.1:6380/2",
            "rediss://user:secret@host:6379",
            "unix:///run/redis.sock",
        ] {
            assert!(client(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name_and_without_the_password() {
        for (url, what) in [
            ("redis+sentinel://:secret@host:26379/mymaster", "Sentinel"),
            ("redis-cluster://:secret@host:6379", "Cluster"),
            ("redis://:secret@one:6379,two:6379", "Cluster"),
            ("http://:secret@host", "not a Redis URL"),
            ("redis", "not a Redis URL"),
            ("", "not a Redis URL"),
        ] {
            let problem = client(url).expect_err(url).to_string();
            assert!(problem.contains(what), "{url}: {problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
