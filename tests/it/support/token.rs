//! Access tokens, as an application that knows the cluster's secret would mint them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// The secret that every cluster of the tests is started with.
pub const SECRET: &str = "a-secret-of-the-tests-that-is-long-enough";

/// The key of `/service/…` that every cluster of the tests is started with.
pub const SERVICE_KEY: &str = "service-key-of-the-tests";

/// A token of `user`, valid for an hour; the name is the id with a capital.
pub fn token(user: &str) -> String {
    token_for(user, Duration::from_secs(3600))
}

/// A token of `user` that lives `ttl` from now.
pub fn token_for(user: &str, ttl: Duration) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let mut name = user.to_owned();
    name[..1].make_ascii_uppercase();
    signed(&json!({ "sub": user, "name": name, "iat": now.as_secs(), "exp": (now + ttl).as_secs() }))
}

/// Any claims, signed with the right secret.
pub fn signed(claims: &Value) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(SECRET.as_bytes())).expect("HS256 signs")
}
