//! The queue contract on Redis, unchanged, over both records.

use shopfloor_queue::Fairness;
use shopfloor_testkit::{Backend, queue_contract::Bench};

async fn redis_and_sqlite() -> Bench {
    Bench::redis(Backend::Sqlite, Fairness::Arrival).await
}

async fn redis_and_postgres() -> Bench {
    Bench::redis(Backend::Postgres, Fairness::Arrival).await
}

shopfloor_testkit::queue_contract!(redis_and_sqlite, redis_and_postgres);
