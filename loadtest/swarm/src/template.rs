//! Fills the templates of the command line.

use jsonwebtoken::{EncodingKey, Header};

/// Puts a number where `{i}` and `{i12}` stand.
pub fn fill_number(template: &str, i: u64) -> String {
    template.replace("{i}", &i.to_string()).replace("{i12}", &format!("{i:012x}"))
}

/// Signs claims (a JSON object) with HS256.
pub fn token(secret: &str, claims: &str) -> anyhow::Result<String> {
    let claims: serde_json::Value = serde_json::from_str(claims)?;
    Ok(jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes()))?)
}

/// Fills a content up to its size behind the marker.
pub fn pad(mut content: String, bytes: usize) -> String {
    const WORDS: &str = "lorem ipsum dolor sit amet ";
    while content.len() < bytes {
        content.push_str(&WORDS[..WORDS.len().min(bytes - content.len())]);
    }
    content
}
