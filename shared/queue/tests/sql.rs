//! The queue contract on SQL, on both databases.

use shopfloor_testkit::{Backend, queue_contract::Bench};

async fn sqlite() -> Bench {
    Bench::sql(Backend::Sqlite).await
}

async fn postgres() -> Bench {
    Bench::sql(Backend::Postgres).await
}

shopfloor_testkit::queue_contract!(sqlite, postgres);
