//! Wake-up calls: "something changed, look again". Rung after commit, never instead of looking.

use tokio::sync::watch;

/// Rung when something changed. Cloning gives another handle to the same bell.
#[derive(Debug, Clone)]
pub struct Bell(watch::Sender<u64>);

/// Listens to a [`Bell`]. Made before looking, so that a ring between the look and the wait is not lost.
#[derive(Debug)]
pub struct Ear(watch::Receiver<u64>);

impl Default for Bell {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Bell {
    /// Wakes every ear.
    pub fn ring(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// An ear that hears every ring from now on.
    #[must_use]
    pub fn ear(&self) -> Ear {
        Ear(self.0.subscribe())
    }
}

impl Ear {
    /// Waits until the bell has been rung since this ear was made or last woke. Cancel-safe. Pends for ever once the
    /// bell is gone.
    pub async fn heard(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
