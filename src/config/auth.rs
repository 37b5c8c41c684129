//! Section `auth`: who may come in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use super::{Secret, text};

/// Who may come in.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSettings {
    /// `ROOKERY__AUTH__HS256_SECRET`: verifies and makes tokens.
    #[serde(with = "text::optional")]
    pub hs256_secret: Option<Secret>,
    /// `ROOKERY__AUTH__ISSUER`: what a token's `iss` must be.
    #[serde(with = "text::optional")]
    pub issuer: Option<String>,
    /// `ROOKERY__AUTH__AUDIENCE`: what must be among a token's `aud`.
    #[serde(with = "text::optional")]
    pub audience: Option<String>,
    /// `ROOKERY__AUTH__USER_CLAIM`: claims that may name the user, in order of preference. ≥ 1.
    pub user_claim: Vec<String>,
    /// `ROOKERY__AUTH__EXTRA_TOKEN_PLACES`: where a token may be besides the handshake and the `Authorization` header.
    #[serde(with = "text::list")]
    pub extra_token_places: Vec<TokenPlace>,
    /// `ROOKERY__AUTH__ALLOW_QUERY_USER`: dialect `nest`'s `query.userId` without a token.
    pub allow_query_user: bool,
    /// `ROOKERY__AUTH__LEEWAY_MS`: how far clocks may differ. ≤ 600000.
    pub leeway_ms: u64,
    /// `ROOKERY__AUTH__EXPIRING_BEFORE_MS`: how long before the token's end a session is told.
    pub expiring_before_ms: u64,
    /// `ROOKERY__AUTH__SERVICE_KEYS`: bearer keys of the server-to-server API.
    #[serde(with = "text::list")]
    pub service_keys: Vec<Secret>,
}

/// A place of a request where a token may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// A parameter of the URL.
    Query(String),
    /// A cookie; counts only with an allowed Origin.
    Cookie(String),
    /// A header, in lower case.
    Header(String),
}

impl FromStr for TokenPlace {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "expected query:NAME, cookie:NAME or header:NAME";
        let (place, name) = text.split_once(':').ok_or(WANTED)?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
            return Err(WANTED);
        }
        match place {
            "query" => Ok(Self::Query(name.to_owned())),
            "cookie" => Ok(Self::Cookie(name.to_owned())),
            "header" => Ok(Self::Header(name.to_lowercase())),
            _ => Err(WANTED),
        }
    }
}

impl fmt::Display for TokenPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Header(name) => write!(f, "header:{name}"),
        }
    }
}

impl Serialize for TokenPlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
