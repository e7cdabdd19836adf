//! Sets up `tracing`. Every line passes [`mask`](crate::mask()) on its way out.

use std::io::{self, Write};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{self, MakeWriter, format::JsonFields},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{flat::Flat, mask};

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One flat JSON object per line.
    Json,
}

/// Installs the global subscriber, writing to standard error; `filter` is an `EnvFilter` directive list such as `info`.
/// A second call does nothing.
pub fn init(format: Format, filter: &str) {
    let _ = subscriber(format, filter, io::stderr).try_init();
}

/// The subscriber that [`init`] installs, writing to `out`.
pub fn subscriber<W>(format: Format, filter: &str, out: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let layer = fmt::layer().with_writer(Masked(out));
    let layer = match format {
        Format::Text => layer.with_ansi(false).boxed(),
        Format::Json => layer.fmt_fields(JsonFields::new()).event_format(Flat).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(layer)
}

/// Masks every line. The formatting layer writes each event in one call, so that no secret is cut in two.
#[derive(Debug)]
struct Masked<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Masked<W> {
    type Writer = MaskedWriter<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        MaskedWriter(self.0.make_writer())
    }
}

/// The writer of one event.
#[derive(Debug)]
struct MaskedWriter<W>(W);

impl<W: Write> Write for MaskedWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(mask(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing::{info, info_span, warn};

    use super::*;

    const KEY: &str = "sf_0123456789abcdef0123456789";

    /// What `log` writes in this format.
    fn written(format: Format, log: impl FnOnce()) -> String {
        let out = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&out);
        let writer = move || Sink(Arc::clone(&sink));
        tracing::subscriber::with_default(subscriber(format, "info", writer), log);
        let bytes = out.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_json_line_is_flat_and_carries_the_request_id() {
        let lines = written(Format::Json, || {
            let request = info_span!("request", request_id = "r-1", route = "/tasks").entered();
            let _claim = info_span!("claim", order_id = "o-1", route = "inner").entered();
            info!(attempt = 2, ok = true, "Finished order `{}`", "o-1");
            drop(request);
        });
        let mut line: Value = serde_json::from_str(&lines).unwrap();
        assert!(line["timestamp"].take().as_str().is_some_and(|time| time.ends_with('Z')));
        assert!(line["target"].take().as_str().is_some_and(|target| target.contains("logging")));
        let expected = json!({
            "timestamp": null, "target": null, "level": "INFO", "message": "Finished order `o-1`",
            "request_id": "r-1", "order_id": "o-1", "route": "inner", "attempt": 2, "ok": true,
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn secrets_are_masked_in_both_formats() {
        for format in [Format::Text, Format::Json] {
            let lines = written(format, || {
                let _span = info_span!("request", authorization = format!("Bearer {KEY}")).entered();
                warn!(key = KEY, url = "postgres://a:hunter2@db/x", "Refused `{KEY}`");
            });
            assert_eq!(lines.lines().count(), 1);
            assert!(!lines.contains(&KEY[3..]) && !lines.contains("hunter2"), "{lines}");
            assert!(lines.contains("Refused `sf_***`"), "{lines}");
        }
    }

    #[test]
    fn the_filter_holds_and_a_bad_one_means_info() {
        let lines = written(Format::Text, || {
            tracing::debug!("Hidden");
            info!("Shown");
        });
        assert!(lines.contains("Shown") && !lines.contains("Hidden"), "{lines}");
        let subscriber = subscriber(Format::Text, "a=b=c", io::sink);
        tracing::subscriber::with_default(subscriber, || assert!(tracing::enabled!(tracing::Level::INFO)));
    }
}
