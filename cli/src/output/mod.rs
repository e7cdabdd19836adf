//! What is printed: results on standard output, everything else on standard error.

pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod time;

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

/// Prints one line of a result.
///
/// # Errors
/// When standard output is closed; `| head` does that, and `main` then ends quietly.
pub(crate) fn line(text: impl AsRef<str>) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref().as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}

/// Prints a JSON document as one line.
pub(crate) fn json(value: &Value) -> anyhow::Result<()> {
    line(value.to_string())
}

/// Prints output of a task as it is, made harmless when a terminal would act on it.
pub(crate) fn raw(stream: &str, text: &str) -> anyhow::Result<()> {
    fn write(mut out: impl Write, is_terminal: bool, text: &str) -> io::Result<()> {
        if is_terminal {
            out.write_all(text::clean_block(text).as_bytes())?
        } else {
            out.write_all(text.as_bytes())?
        }
        out.flush()
    }
    if stream == "stderr" {
        write(io::stderr().lock(), io::stderr().is_terminal(), text)?;
    } else {
        write(io::stdout().lock(), io::stdout().is_terminal(), text)?;
    }
    Ok(())
}

/// Tells the person something that is no result. A closed standard error changes nothing.
pub(crate) fn note(text: impl AsRef<str>) {
    let mut out = io::stderr().lock();
    let _ = out.write_all(text.as_ref().as_bytes());
    let _ = out.write_all(b"\n");
}

/// Whether the reader of standard output went away.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
