//! A TCP proxy that can be told to misbehave.
//!
//! Every connection to it is one to its target. It forwards until it is told to cut, to stall, to be slow or to refuse; to
//! lose what PostgreSQL replies to a commit, which is made then and acknowledged to nobody; or to hold a commit up, which
//! arrives then when its sender may long have been given up.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, watch},
    task::JoinHandle,
};

use super::wire::Wire;

/// Connections at once, at most; more are refused.
const MAX_CONNECTIONS: usize = 512;

/// A proxy on the loopback interface. It ends when dropped, with all its connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    control: Arc<Control>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Control {
    /// Grows with every cut.
    cuts: watch::Sender<u64>,
    stalled: watch::Sender<bool>,
    refusing: AtomicBool,
    delay_ms: AtomicU64,
    /// How many commits are still to lose their reply.
    to_lose: AtomicU32,
    /// How many have.
    lost: AtomicU32,
    /// Which commit is to be held up.
    to_hold: Mutex<Option<String>>,
    /// How many were.
    held: AtomicU32,
}

impl Proxy {
    /// Starts a proxy for a server on this port of the loopback interface, which need not be there yet.
    ///
    /// # Panics
    /// When there is no port to listen on.
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port for the proxy");
        let port = listener.local_addr().expect("the proxy's address").port();
        let control = Arc::new(Control {
            cuts: watch::Sender::new(0),
            stalled: watch::Sender::new(false),
            refusing: AtomicBool::new(false),
            delay_ms: AtomicU64::new(0),
            to_lose: AtomicU32::new(0),
            lost: AtomicU32::new(0),
            to_hold: Mutex::default(),
            held: AtomicU32::new(0),
        });
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, target));
        let accepting = tokio::spawn(accept(listener, target, Arc::clone(&control)));
        Self { port, control, accepting }
    }

    /// The port that clients connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Closes every connection.
    pub fn cut(&self) {
        self.control.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Closes new connections at once, or no longer.
    pub fn refuse(&self, refuse: bool) {
        self.control.refusing.store(refuse, Ordering::SeqCst);
    }

    /// Forwards nothing, or goes on. Connections stay open; nothing is lost.
    pub fn stall(&self, stall: bool) {
        self.control.stalled.send_replace(stall);
    }

    /// Holds every piece up for this long, in both directions.
    pub fn delay(&self, delay: Duration) {
        self.control.delay_ms.store(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Loses PostgreSQL's reply to the next `count` commits, and the connection with it. A commit is a `COMMIT`, or a
    /// statement outside of a transaction that writes.
    pub fn lose_commits(&self, count: u32) {
        self.control.to_lose.store(count, Ordering::SeqCst);
    }

    /// How many commits have lost their reply so far.
    #[must_use]
    pub fn lost(&self) -> u32 {
        self.control.lost.load(Ordering::SeqCst)
    }

    /// When PostgreSQL is sent the next commit whose text contains this (`COMMIT`, or that of a statement outside of a
    /// transaction that writes), stalls everything, this commit included, until it is told otherwise.
    pub fn hold_commit(&self, containing: &str) {
        *self.control.to_hold() = Some(containing.to_owned());
    }

    /// How many commits were held up so far.
    #[must_use]
    pub fn held(&self) -> u32 {
        self.control.held.load(Ordering::SeqCst)
    }

    /// Forwards like a wire from now on.
    pub fn heal(&self) {
        *self.control.to_hold() = None;
        self.refuse(false);
        self.stall(false);
        self.delay(Duration::ZERO);
        self.lose_commits(0);
    }
}

impl Control {
    fn to_hold(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        // Every change is one step: a panic elsewhere leaves nothing half-done here.
        self.to_hold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to become of a commit that is about to be forwarded.
    fn seen(&self, commit: &str, losing: &AtomicBool) {
        let held = self.to_hold().take_if(|wanted| commit.contains(wanted.as_str()));
        if held.is_some() {
            self.held.fetch_add(1, Ordering::SeqCst);
            self.stalled.send_replace(true);
        }
        if take_one(&self.to_lose) {
            losing.store(true, Ordering::SeqCst);
        }
    }

    async fn flowing(&self) -> Option<()> {
        self.stalled.subscribe().wait_for(|stalled| !stalled).await.ok().map(|_| ())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, control: Arc<Control>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        if control.refusing.load(Ordering::SeqCst) {
            continue;
        }
        let control = Arc::clone(&control);
        tokio::spawn(async move {
            forward(client, target, &control).await;
            drop(place);
        });
    }
}

/// Forwards both ways until one side closes, or until the cut. Errors end the connection like a close.
async fn forward(client: TcpStream, target: SocketAddr, control: &Control) {
    let mut cuts = control.cuts.subscribe();
    let Ok(server) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let losing = AtomicBool::new(false);
    tokio::select! {
        () = requests(from_client, to_server, control, &losing) => {}
        () = replies(from_server, to_client, control, &losing) => {}
        _ = cuts.changed() => {}
    }
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, control: &Control, losing: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    let mut wire = Wire::default();
    while let Some(piece) = receive(&mut from, &mut buffer, control).await {
        for commit in wire.commits(piece) {
            control.seen(&commit, losing);
        }
        if control.flowing().await.is_none() {
            return;
        }
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
}

async fn replies(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, control: &Control, losing: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Some(piece) = receive(&mut from, &mut buffer, control).await {
        if losing.load(Ordering::SeqCst) {
            control.lost.fetch_add(1, Ordering::SeqCst);
            return;
        }
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
}

/// The next piece, held up as long as the proxy is told to; `None` at the end.
async fn receive<'b>(from: &mut OwnedReadHalf, buffer: &'b mut [u8], control: &Control) -> Option<&'b [u8]> {
    let read = from.read(buffer).await.ok().filter(|read| *read > 0)?;
    let delay = control.delay_ms.load(Ordering::SeqCst);
    if delay > 0 {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    control.flowing().await?;
    Some(&buffer[..read])
}

fn take_one(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soon;

    /// A server that replies `ok` to every piece, and counts them.
    async fn server() -> (u16, Arc<AtomicU32>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let pieces = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&pieces);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let count = Arc::clone(&count);
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                        count.fetch_add(1, Ordering::SeqCst);
                        stream.write_all(b"ok").await.unwrap();
                    }
                });
            }
        });
        (port, pieces)
    }

    const STARTUP: &[u8] = b"\0\0\0\x08\0\x03\0\0";
    const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";
    const BEGIN: &[u8] = b"Q\0\0\0\x0aBEGIN\0";

    async fn ask(stream: &mut TcpStream, piece: &[u8]) -> Option<()> {
        stream.write_all(piece).await.ok()?;
        let mut reply = [0; 2];
        stream.read_exact(&mut reply).await.ok()?;
        Some(())
    }

    #[tokio::test]
    async fn it_forwards_cuts_and_refuses() {
        let (port, _) = server().await;
        let proxy = Proxy::start(port).await;
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        assert!(ask(&mut stream, b"hello").await.is_some());
        proxy.cut();
        soon("the end of the connection", async { while ask(&mut stream, b"hello").await.is_some() {} }).await;
        proxy.refuse(true);
        let mut refused = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        assert!(ask(&mut refused, b"hello").await.is_none());
        proxy.heal();
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        assert!(ask(&mut stream, b"hello").await.is_some());
    }

    async fn transaction(proxy: &Proxy) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        assert!(ask(&mut stream, STARTUP).await.is_some());
        assert!(ask(&mut stream, BEGIN).await.is_some());
        stream
    }

    #[tokio::test]
    async fn a_lost_commit_arrives_and_is_acknowledged_to_nobody() {
        let (port, pieces) = server().await;
        let proxy = Proxy::start(port).await;
        proxy.lose_commits(1);
        assert!(ask(&mut transaction(&proxy).await, COMMIT).await.is_none());
        assert_eq!((pieces.load(Ordering::SeqCst), proxy.lost()), (3, 1));
        assert!(ask(&mut transaction(&proxy).await, COMMIT).await.is_some(), "only as many as asked for");
    }

    #[tokio::test]
    async fn a_commit_that_is_held_up_arrives_later_though_its_sender_is_gone() {
        let (port, pieces) = server().await;
        let proxy = Proxy::start(port).await;
        let mut stream = transaction(&proxy).await;
        proxy.hold_commit("COMMIT");
        stream.write_all(COMMIT).await.unwrap();
        soon("the hold", async {
            while proxy.held() == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        drop(stream);
        assert_eq!(pieces.load(Ordering::SeqCst), 2);
        proxy.heal();
        soon("the commit", async {
            while pieces.load(Ordering::SeqCst) < 3 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    #[tokio::test]
    async fn what_was_stalled_arrives_later() {
        let (port, pieces) = server().await;
        let proxy = Proxy::start(port).await;
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        assert!(ask(&mut stream, b"before").await.is_some());
        proxy.stall(true);
        let stalled = tokio::time::timeout(Duration::from_millis(50), ask(&mut stream, b"meanwhile")).await;
        assert!(stalled.is_err() && pieces.load(Ordering::SeqCst) == 1);
        proxy.stall(false);
        let mut reply = [0; 2];
        soon("the reply", stream.read_exact(&mut reply)).await.unwrap();
        assert_eq!(&reply, b"ok");
    }
}
