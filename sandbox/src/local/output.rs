//! Takes in what a job prints: the head is kept, live pieces go to the sink in order, a flood is noticed at once.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use shopfloor_domain::sandbox::Limits;
use tokio::{io::AsyncReadExt, net::unix::pipe, sync::Notify, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{Output, OutputSink, Stream};

const CHUNK: usize = 64 * 1024;
/// How many pieces may wait for a slow sink before they are joined.
const PIECES: usize = 4096;
/// How long a sink may take for the rest of the output once the job has ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// The head of what was printed, and how much it was in all.
#[derive(Debug, Default)]
pub(super) struct Captured {
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) bytes: u64,
}

/// The tasks that listen to a job. Dropping it stops them.
pub(super) struct Listening {
    pumps: [JoinHandle<(String, u64)>; 2],
    teller: JoinHandle<()>,
    news: Arc<News>,
}

/// Starts to listen. `flooded` is cancelled when one of the streams exceeds its limit.
pub(super) fn listen(
    stdout: pipe::Receiver,
    stderr: pipe::Receiver,
    limits: &Limits,
    sink: OutputSink,
    flooded: &CancellationToken,
) -> Listening {
    let news = Arc::new(News::default());
    let cap = usize::try_from(limits.output_bytes).unwrap_or(usize::MAX);
    let pump = |stream, pipe| tokio::spawn(pump(stream, pipe, cap, Arc::clone(&news), flooded.clone()));
    let pumps = [pump(Stream::Stdout, stdout), pump(Stream::Stderr, stderr)];
    let teller = tokio::spawn(tell(Arc::clone(&news), sink));
    Listening { pumps, teller, news }
}

impl Listening {
    /// Waits for the end of both streams and until the sink has heard everything. The writers must be dead.
    pub(super) async fn finish(mut self) -> Captured {
        let [stdout, stderr] = &mut self.pumps;
        let (stdout, stderr) = tokio::join!(timeout(PATIENCE, stdout), timeout(PATIENCE, stderr));
        self.news.close();
        if timeout(PATIENCE, &mut self.teller).await.is_err() {
            tracing::warn!("Gave up on a listener that took too long to hear a job's output");
        }
        let (stdout, stdout_bytes) = stdout.ok().and_then(Result::ok).unwrap_or_default();
        let (stderr, stderr_bytes) = stderr.ok().and_then(Result::ok).unwrap_or_default();
        Captured { stdout, stderr, bytes: stdout_bytes + stderr_bytes }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.pumps.iter().for_each(JoinHandle::abort);
        self.teller.abort();
    }
}

async fn pump(
    stream: Stream,
    mut pipe: pipe::Receiver,
    cap: usize,
    news: Arc<News>,
    flooded: CancellationToken,
) -> (String, u64) {
    let mut buffer = vec![0; CHUNK];
    let (mut head, mut text) = (String::new(), Decoder::default());
    let mut seen = 0_usize;
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        let room = cap.saturating_sub(seen).min(count);
        seen += count;
        let piece = text.decode(&buffer[..room]);
        keep(&mut head, &piece, cap);
        news.add(stream, piece);
        if seen > cap {
            flooded.cancel();
            break;
        }
    }
    let rest = text.finish();
    keep(&mut head, &rest, cap);
    news.add(stream, rest);
    (head, seen as u64)
}

/// Replacement characters are longer than what they replace, so the text has the limit too.
fn keep(head: &mut String, piece: &str, cap: usize) {
    let room = cap.saturating_sub(head.len());
    let end = if piece.len() <= room { piece.len() } else { piece.floor_char_boundary(room) };
    head.push_str(&piece[..end]);
}

/// Hands the pieces to the sink on a thread that may block, so that a slow sink delays nothing but itself.
async fn tell(news: Arc<News>, sink: OutputSink) {
    while let Some(pieces) = news.next().await {
        let sink = Arc::clone(&sink);
        let told = tokio::task::spawn_blocking(move || pieces.into_iter().for_each(|piece| sink(piece)));
        if told.await.is_err() {
            tracing::warn!("A listener to a job's output panicked");
            return;
        }
    }
}

/// Pieces that the sink has not heard yet. Bounded, for what is listened to is bounded.
#[derive(Default)]
struct News {
    waiting: Mutex<(Vec<Output>, bool)>,
    bell: Notify,
}

impl News {
    fn add(&self, stream: Stream, text: String) {
        if text.is_empty() {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let pieces = &mut waiting.0;
        // When the sink is far behind, the order between the two streams gives way; the order within each one never does.
        let reach = if pieces.len() < PIECES { 1 } else { PIECES };
        match pieces.iter_mut().rev().take(reach).find(|piece| piece.stream == stream) {
            Some(last) => last.text.push_str(&text),
            None => pieces.push(Output { stream, text }),
        }
        drop(waiting);
        self.bell.notify_one();
    }

    fn close(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.bell.notify_one();
    }

    async fn next(&self) -> Option<Vec<Output>> {
        loop {
            {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if !waiting.0.is_empty() {
                    return Some(mem::take(&mut waiting.0));
                }
                if waiting.1 {
                    return None;
                }
            }
            self.bell.notified().await;
        }
    }
}

/// Makes text of bytes that come in pieces: a character cut in two by a border is put together again.
#[derive(Debug, Default)]
struct Decoder {
    begun: Vec<u8>,
}

impl Decoder {
    fn decode(&mut self, bytes: &[u8]) -> String {
        let mut all = mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let mut text = String::with_capacity(all.len());
        let mut chunks = all.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            if chunks.peek().is_none() && may_go_on(chunk.invalid()) {
                self.begun = chunk.invalid().to_vec();
            } else if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        text
    }

    fn finish(&mut self) -> String {
        String::from_utf8_lossy(&mem::take(&mut self.begun)).into_owned()
    }
}

fn may_go_on(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_the_same_wherever_it_is_cut() {
        let bytes = b"gr\xc3\xbc\xc3\x9fe \xf0\x9f\xa6\x80 \xff\xc3( \xe2\x82".as_slice();
        let whole = String::from_utf8_lossy(bytes);
        for cut in 0..=bytes.len() {
            for second in cut..=bytes.len() {
                let mut decoder = Decoder::default();
                let mut text = decoder.decode(&bytes[..cut]);
                text += &decoder.decode(&bytes[cut..second]);
                text += &decoder.decode(&bytes[second..]);
                text += &decoder.finish();
                assert_eq!(text, whole, "cut at {cut} and {second}");
            }
        }
    }

    #[test]
    fn the_head_ends_at_a_character() {
        let mut head = String::from("ab");
        keep(&mut head, "cü", 4);
        assert_eq!(head, "abc");
        keep(&mut head, "x", 4);
        assert_eq!(head, "abcx");
    }

    #[tokio::test]
    async fn pieces_keep_their_order_and_neighbours_are_joined() {
        let news = News::default();
        news.add(Stream::Stdout, "a".into());
        news.add(Stream::Stdout, "b".into());
        news.add(Stream::Stderr, "c".into());
        news.add(Stream::Stdout, "d".into());
        news.close();
        let pieces: Vec<String> = news.next().await.unwrap().into_iter().map(|piece| piece.text).collect();
        assert_eq!(pieces, ["ab", "c", "d"]);
        assert!(news.next().await.is_none());
    }
}
