//! The log as the store holds it, read past the server: what every delivery and every ack is compared with.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::{Connection, PgConnection, Row, SqliteConnection};

/// One event of a conversation.
#[derive(Debug, Clone)]
pub struct Entry {
    pub seq: u64,
    /// `message.new`, as stored.
    pub kind: String,
    /// The acting user, empty for the system.
    pub actor: String,
    pub client_id: Option<String>,
    pub message: Option<String>,
    /// The message's content as it is now; `None` once deleted.
    pub content: Option<Value>,
    /// Whether the content may differ from what was shown when the event was new.
    pub edited: bool,
    /// Of a membership event: the user it is about.
    pub user: Option<String>,
}

/// A conversation's events by seq, and the head that its feed claims.
#[derive(Debug, Clone, Default)]
pub struct Feed {
    pub entries: Vec<Entry>,
    pub head: u64,
}

/// The feeds of the conversations of a run, by id.
pub type Log = BTreeMap<String, Feed>;

const ENTRIES: &str = "SELECT e.seq, e.kind, e.actor, e.client_id, @message AS message, m.content, m.content_json, \
     m.edited_at, m.deleted_at, @args AS args \
     FROM events e LEFT JOIN messages m ON m.id = e.message WHERE @feed = $1 ORDER BY e.seq";

/// Reads the feeds of these conversations from `postgres://…` or `sqlite://…`.
pub async fn read(store_url: &str, conversations: &[&str]) -> Log {
    let mut log = Log::new();
    for conversation in conversations {
        let feed = if store_url.starts_with("postgres") {
            from_postgres(store_url, conversation).await
        } else {
            from_sqlite(store_url, conversation).await
        };
        log.insert((*conversation).to_owned(), feed.unwrap_or_else(|error| panic!("{store_url}: {error}")));
    }
    log
}

fn with_columns(sql: &str, message: &str, args: &str, feed: &str) -> String {
    sql.replace("@message", message).replace("@args", args).replace("@feed", feed)
}

async fn from_postgres(url: &str, conversation: &str) -> sqlx::Result<Feed> {
    let mut connection = PgConnection::connect(url).await?;
    let sql = with_columns(ENTRIES, "e.message::text", "e.args::text", "e.feed::text");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(conversation).fetch_all(&mut connection).await?;
    let head = "SELECT head FROM feeds WHERE id::text = $1";
    let head: i64 = sqlx::query_scalar(head).bind(conversation).fetch_one(&mut connection).await?;
    Ok(Feed { entries: rows.iter().map(entry).collect::<sqlx::Result<_>>()?, head: unsigned(head) })
}

async fn from_sqlite(url: &str, conversation: &str) -> sqlx::Result<Feed> {
    let mut connection = SqliteConnection::connect(url).await?;
    let id = uuid::Uuid::parse_str(conversation).expect("a conversation's id is a UUID");
    let sql = with_columns(ENTRIES, "lower(hex(e.message))", "e.args", "e.feed");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).fetch_all(&mut connection).await?;
    let head: i64 =
        sqlx::query_scalar("SELECT head FROM feeds WHERE id = $1").bind(id).fetch_one(&mut connection).await?;
    Ok(Feed { entries: rows.iter().map(entry).collect::<sqlx::Result<_>>()?, head: unsigned(head) })
}

fn entry<'r, R: Row>(row: &'r R) -> sqlx::Result<Entry>
where
    &'static str: sqlx::ColumnIndex<R>,
    i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    bool: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    let content: Option<String> = row.try_get("content")?;
    let json: Option<bool> = row.try_get("content_json")?;
    let changed = |at: &'static str| row.try_get::<Option<i64>, _>(at).map(|at| at.is_some());
    let args: Option<Value> =
        row.try_get::<Option<String>, _>("args")?.and_then(|args| serde_json::from_str(&args).ok());
    Ok(Entry {
        seq: unsigned(row.try_get("seq")?),
        kind: row.try_get("kind")?,
        actor: row.try_get("actor")?,
        client_id: row.try_get("client_id")?,
        message: row
            .try_get::<Option<String>, _>("message")?
            .and_then(|id| uuid::Uuid::parse_str(&id).ok())
            .map(|id| id.to_string()),
        content: content.map(|text| match json {
            Some(true) => serde_json::from_str(&text).unwrap_or(Value::Null),
            Some(false) | None => Value::String(text),
        }),
        edited: changed("edited_at")? || changed("deleted_at")?,
        user: args.and_then(|args| args["user"].as_str().map(str::to_owned)),
    })
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).expect("a seq is never negative")
}
