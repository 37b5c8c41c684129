//! Users.

use async_trait::async_trait;
use sqlx::FromRow;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::connection::classify;
use super::transaction::Writing;
use crate::domain::{Profile, UserId};
use crate::store::batch::Failure;
use crate::store::rows::{ProfileRow, defect};
use crate::store::{StoreError, UserStore};

statements! {
    ENSURE = "
        INSERT INTO users (id, name, username, avatar, email, created_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (id) DO NOTHING";
    /// A name that is the id was never given, so it replaces none.
    UPSERT = "
        INSERT INTO users (id, name, username, avatar, email, created_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (id) DO UPDATE SET
            name = CASE WHEN excluded.name = excluded.id THEN users.name ELSE excluded.name END,
            username = coalesce(excluded.username, users.username),
            avatar = coalesce(excluded.avatar, users.avatar),
            email = coalesce(excluded.email, users.email)";
    ENSURE_FEED = "INSERT INTO feeds (id, kind, owner) VALUES (randomblob(16), 'user', $1) ON CONFLICT (owner) DO NOTHING";
    USERS = "
        SELECT id, name, username, avatar, email FROM users WHERE id IN (SELECT value FROM json_each($1))";
    USER = "SELECT id, name, username, avatar, email FROM users WHERE id = $1";
}

fn profile(row: &SqliteRow) -> Result<Profile, StoreError> {
    ProfileRow::from_row(row).map_err(classify)?.into_profile()
}

/// A user and the personal feed are made together.
async fn put(writing: &mut Writing, sql: &'static str, profile: &Profile) -> Result<(), Failure> {
    let query = sqlx::query(sql)
        .bind(profile.id.as_str())
        .bind(&profile.name)
        .bind(profile.username.as_deref())
        .bind(profile.avatar.as_deref())
        .bind(profile.email.as_deref())
        .bind(writing.now);
    writing.change(query).await?;
    writing.change(sqlx::query(ENSURE_FEED).bind(profile.id.as_str())).await.map(|_| ())
}

impl SqliteStore {
    async fn put_all(&self, sql: &'static str, profiles: &[Profile]) -> Result<Vec<Profile>, Failure> {
        let mut writing = Writing::begin(self.writer.pool()).await?;
        for profile in profiles {
            put(&mut writing, sql, profile).await?;
        }
        let mut now = Vec::with_capacity(profiles.len());
        for asked in profiles {
            let row = writing.row(sqlx::query(USER).bind(asked.id.as_str())).await?;
            now.push(profile(&row.ok_or_else(|| defect("a user that was put is not there"))?)?);
        }
        writing.commit().await?;
        Ok(now)
    }
}

#[async_trait]
impl UserStore for SqliteStore {
    async fn ensure_users(&self, profiles: &[Profile]) -> Result<(), StoreError> {
        self.writer.in_time(self.put_all(ENSURE, profiles)).await?;
        Ok(())
    }

    async fn upsert_users(&self, profiles: &[Profile]) -> Result<Vec<Profile>, StoreError> {
        Ok(self.writer.in_time(self.put_all(UPSERT, profiles)).await?)
    }

    async fn users(&self, ids: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        let ids = serde_json::to_string(ids).map_err(defect)?;
        self.readers.rows(sqlx::query(USERS).bind(ids)).await?.iter().map(profile).collect()
    }
}
