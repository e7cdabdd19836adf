//! `keys create --local`: makes a key in the database itself, for whoever has access to that.

use anyhow::{Context, bail};
use shopfloor_store::{Store, keys};

use super::{clock, data_dir};
use crate::{
    client::settings::ClientArgs,
    commands::keys::{Action, Keys, print_new},
    exit::Exit,
};

/// Makes the key.
pub(crate) async fn run(args: Keys, client: &ClientArgs) -> anyhow::Result<Exit> {
    let Action::Create(create) = args.action else { bail!("only `keys create` works on the database") };
    let data_dir = data_dir::make(&client.data_dir)?;
    let store = Store::open(&create.database.store(&data_dir)).await.context("opening the record")?;
    let now = clock::now(&store).await?.now();
    let expires_at = create.expires.map(|expires| now + expires);
    let new = keys::create(&store, &create.name, create.role, expires_at, now).await.context("making the key")?;
    let mut key = serde_json::to_value(&new.key)?;
    key["secret"] = new.secret.into();
    store.close().await.context("closing the record")?;
    print_new(&key, client.json)?;
    Ok(Exit::Ok)
}
