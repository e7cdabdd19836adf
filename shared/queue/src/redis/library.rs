//! The moves: Lua functions, one file each, loaded into the server as a library.
//!
//! Functions are replicated and kept by the server, while its cache of scripts vanishes at a restart. Where functions are
//! not to be had (an access list forbids them, an old server), the same sources run as scripts. The library's name carries
//! a hash of its source, so that versions live side by side during an upgrade.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use redis::{
    Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, Script, ServerErrorKind, ToRedisArgs,
    aio::MultiplexedConnection,
};
use tracing::{debug, warn};

const COMMON: &str = include_str!("lua/common.lua");

/// One move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    Publish,
    Claim,
    Withdraw,
    Room,
    Release,
    Pause,
    Promote,
    Complete,
}

/// Every move with its name and source.
const MOVES: [(Move, &str, &str); 8] = [
    (Move::Publish, "publish", include_str!("lua/publish.lua")),
    (Move::Claim, "claim", include_str!("lua/claim.lua")),
    (Move::Withdraw, "withdraw", include_str!("lua/withdraw.lua")),
    (Move::Room, "room", include_str!("lua/room.lua")),
    (Move::Release, "release", include_str!("lua/release.lua")),
    (Move::Pause, "pause", include_str!("lua/pause.lua")),
    (Move::Promote, "promote", include_str!("lua/promote.lua")),
    (Move::Complete, "complete", include_str!("lua/complete.lua")),
];

/// The library of this version of the program.
#[derive(Debug, Clone)]
pub(super) struct Library(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: String,
    functions: Vec<(Move, String)>,
    scripts: Vec<(Move, Script)>,
    /// Whether the server has no functions for us.
    scripts_only: AtomicBool,
}

impl Library {
    pub(super) fn new() -> Self {
        let scripts: Vec<_> =
            MOVES.iter().map(|(step, _, body)| (*step, Script::new(&format!("{COMMON}\n{body}")))).collect();
        let whole: String = MOVES.iter().map(|(_, _, body)| *body).collect();
        // Only to tell versions apart; the driver's hash of scripts is at hand.
        let hash = Script::new(&format!("{COMMON}{whole}")).get_hash()[..12].to_owned();
        let functions: Vec<_> = MOVES.iter().map(|(step, name, _)| (*step, format!("sf_{hash}_{name}"))).collect();
        let mut source = format!("#!lua name=shopfloor_{hash}\n{COMMON}\n");
        for ((_, _, body), (_, name)) in MOVES.iter().zip(&functions) {
            source.push_str(&format!("redis.register_function('{name}', function(KEYS, ARGV)\n{body}\nend)\n"));
        }
        Self(Arc::new(Inner { source, functions, scripts, scripts_only: AtomicBool::new(false) }))
    }

    /// Loads the library, or finds out that the server has no functions.
    pub(super) async fn load(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        if self.0.scripts_only.load(Ordering::Relaxed) {
            return Ok(());
        }
        let loaded: RedisResult<String> =
            redis::cmd("FUNCTION").arg("LOAD").arg("REPLACE").arg(&self.0.source).query_async(connection).await;
        match loaded {
            Ok(name) => {
                debug!(library = name, "Loaded the queue's functions into Redis");
                Ok(())
            }
            Err(error) if refuses_functions(&error) => {
                warn!(%error, "This Redis takes no functions; the queue's moves run as scripts");
                self.0.scripts_only.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Makes a move. Loads the library again when the server has lost it.
    pub(super) async fn call<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
        step: Move,
        prefix: &str,
        arguments: &[Vec<u8>],
    ) -> RedisResult<T> {
        self.call_after(connection, None, step, prefix, arguments).await
    }

    /// Makes a move right after another command, in one trip. The command must do no harm when it is repeated.
    pub(super) async fn call_after<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
        ahead: Option<Cmd>,
        step: Move,
        prefix: &str,
        arguments: &[Vec<u8>],
    ) -> RedisResult<T> {
        if !self.0.scripts_only.load(Ordering::Relaxed) {
            let call = self.function(step, prefix, arguments);
            match together(ahead.as_ref(), &call, connection).await {
                Err(error) if is_missing(&error) => {
                    self.load(connection).await?;
                    if !self.0.scripts_only.load(Ordering::Relaxed) {
                        return together(ahead.as_ref(), &call, connection).await;
                    }
                }
                outcome => return outcome,
            }
        }
        if let Some(ahead) = ahead {
            ahead.exec_async(connection).await?;
        }
        self.script(step, prefix, arguments, connection).await
    }

    fn function(&self, step: Move, prefix: &str, arguments: &[Vec<u8>]) -> Cmd {
        let name = self.0.functions.iter().find(|(known, _)| *known == step).map_or("", |(_, name)| name);
        let mut call = redis::cmd("FCALL");
        call.arg(name).arg(1).arg(prefix);
        for argument in arguments {
            call.arg(&argument[..]);
        }
        call
    }

    async fn script<T: FromRedisValue>(
        &self,
        step: Move,
        prefix: &str,
        arguments: &[Vec<u8>],
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<T> {
        let Some((_, script)) = self.0.scripts.iter().find(|(known, _)| *known == step) else {
            return Err(RedisError::from((ErrorKind::Client, "a move without a script")));
        };
        let mut call = script.key(prefix);
        for argument in arguments {
            call.arg(&argument[..]);
        }
        call.invoke_async(connection).await
    }
}

/// The answer to `call`, sent in one trip with what goes ahead of it.
async fn together<T: FromRedisValue>(
    ahead: Option<&Cmd>,
    call: &Cmd,
    connection: &mut MultiplexedConnection,
) -> RedisResult<T> {
    let Some(ahead) = ahead else { return call.query_async(connection).await };
    let mut both = Pipeline::with_capacity(2);
    both.add_command(ahead.clone()).ignore().add_command(call.clone());
    let (answer,) = both.query_async(connection).await?;
    Ok(answer)
}

/// The server does not know the function: it was emptied with FUNCTION FLUSH, or is another one.
fn is_missing(error: &RedisError) -> bool {
    error.to_string().contains("Function not found")
}

/// The server knows no functions at all, or keeps them from us.
fn refuses_functions(error: &RedisError) -> bool {
    let text = error.to_string();
    text.contains("unknown command")
        || error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
        || text.contains("NOPERM")
}

/// An argument as bytes.
pub(super) fn bytes(argument: impl ToRedisArgs) -> Vec<u8> {
    argument.to_redis_args().concat()
}
