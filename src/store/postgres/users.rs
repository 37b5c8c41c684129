//! Users.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::FromRow;
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;

use super::PostgresStore;
use super::connection::classify;
use crate::domain::{Profile, UserId};
use crate::store::rows::{ProfileRow, defect};
use crate::store::{StoreError, UserStore};

statements! {
    /// A user and the personal feed are made together.
    ENSURE = "
        WITH made AS (
            INSERT INTO users (id, name, username, avatar, email, created_at)
            SELECT u.*, now_ms() FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS u
            ON CONFLICT (id) DO NOTHING
            RETURNING id
        )
        INSERT INTO feeds (id, kind, owner) SELECT gen_random_uuid(), 'user', id FROM made";

    /// A name that is the id was never given, so it replaces none.
    UPSERT = "
        WITH put AS (
            INSERT INTO users AS k (id, name, username, avatar, email, created_at)
            SELECT u.*, now_ms() FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS u
            ON CONFLICT (id) DO UPDATE SET
                name = CASE WHEN excluded.name = excluded.id THEN k.name ELSE excluded.name END,
                username = coalesce(excluded.username, k.username),
                avatar = coalesce(excluded.avatar, k.avatar),
                email = coalesce(excluded.email, k.email)
            RETURNING id, name, username, avatar, email
        ), made AS (
            INSERT INTO feeds (id, kind, owner) SELECT gen_random_uuid(), 'user', id FROM put ON CONFLICT (owner) DO NOTHING
        )
        SELECT id, name, username, avatar, email FROM put";

    USERS = "SELECT id, name, username, avatar, email FROM users WHERE id = ANY ($1)";
}

/// Binds profiles as columns, each user once (the last counts) and in lock order.
fn bound(sql: &'static str, profiles: &[Profile]) -> Query<'static, Postgres, PgArguments> {
    let distinct: BTreeMap<&str, &Profile> = profiles.iter().map(|profile| (profile.id.as_str(), profile)).collect();
    let distinct: Vec<&Profile> = distinct.into_values().collect();
    let column = |pick: fn(&Profile) -> Option<&str>| distinct.iter().map(|p| pick(p)).collect::<Vec<Option<&str>>>();
    sqlx::query(sql)
        .bind(column(|profile| Some(profile.id.as_str())))
        .bind(column(|profile| Some(&profile.name)))
        .bind(column(|profile| profile.username.as_deref()))
        .bind(column(|profile| profile.avatar.as_deref()))
        .bind(column(|profile| profile.email.as_deref()))
}

fn profile(row: &PgRow) -> Result<Profile, StoreError> {
    ProfileRow::from_row(row).map_err(classify)?.into_profile()
}

#[async_trait]
impl UserStore for PostgresStore {
    async fn ensure_users(&self, profiles: &[Profile]) -> Result<(), StoreError> {
        self.writers.rows(bound(ENSURE, profiles)).await?;
        Ok(())
    }

    async fn upsert_users(&self, profiles: &[Profile]) -> Result<Vec<Profile>, StoreError> {
        let rows = self.writers.rows(bound(UPSERT, profiles)).await?;
        let put = rows.iter().map(profile).collect::<Result<Vec<_>, _>>()?;
        let by_id: BTreeMap<&UserId, &Profile> = put.iter().map(|profile| (&profile.id, profile)).collect();
        let in_order = profiles.iter().map(|asked| by_id.get(&asked.id).map(|found| (*found).clone()));
        in_order.collect::<Option<_>>().ok_or_else(|| defect("a user that was put is not there"))
    }

    async fn users(&self, ids: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        let ids: Vec<&str> = ids.iter().map(UserId::as_str).collect();
        self.readers.rows(sqlx::query(USERS).bind(ids)).await?.iter().map(profile).collect()
    }
}
