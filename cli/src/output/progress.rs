//! Progress of something that takes a while: a spinner on a terminal, a line per change elsewhere.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

/// Shows what is going on, on standard error.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    last: String,
}

impl Progress {
    /// Begins.
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, last: String::new() }
    }

    /// What is going on now.
    pub(crate) fn say(&mut self, text: &str) {
        if self.last == text {
            return;
        }
        self.last = text.to_owned();
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None => super::note(text),
        }
    }

    /// A line that stays.
    pub(crate) fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| super::note(text)),
            None => super::note(text),
        }
    }

    /// Ends; the spinner goes away.
    pub(crate) fn done(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
