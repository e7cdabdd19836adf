//! Sets up `tracing`.

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Installs the global subscriber, writing to standard error; `filter` is an `EnvFilter` directive list such as `info`.
/// A second call does nothing.
pub fn init(format: Format, filter: &str) {
    use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let layer = match format {
        Format::Text => fmt::layer().with_writer(std::io::stderr).boxed(),
        Format::Json => fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed(),
    };
    let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
}
