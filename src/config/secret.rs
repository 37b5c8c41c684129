//! A text that must not be seen.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// What is shown in place of a secret.
const MASK: &str = "********";

/// A secret: shown as `********` wherever it is printed, logged or serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text that was generated or read from its file.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself: for a key, never for a message.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == MASK {
            return Err("is the mask that `rookery config` prints in place of a secret");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// A URL without the password of its user and without the values of its parameters that look like one.
pub(super) fn masked_url(url: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let mut shown = masked_user(address);
    if let Some(query) = query {
        let parameters: Vec<_> = query.split('&').map(masked_parameter).collect();
        shown.push('?');
        shown.push_str(&parameters.join("&"));
    }
    shown
}

fn masked_user(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    // A password may hold `/` or `@` unescaped: everything up to the last `@` may belong to it.
    let Some((user, host)) = rest.rsplit_once('@') else { return address.to_owned() };
    match user.split_once(':') {
        Some((name, _)) => format!("{scheme}://{name}:{MASK}@{host}"),
        None => format!("{scheme}://{user}@{host}"),
    }
}

fn masked_parameter(parameter: &str) -> String {
    let Some((name, _)) = parameter.split_once('=') else { return parameter.to_owned() };
    let lower = name.to_lowercase();
    let hidden = ["pass", "secret", "token", "key"].iter().any(|word| lower.contains(word));
    if hidden { format!("{name}={MASK}") } else { parameter.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_passwords() {
        for (url, shown) in [
            ("postgres://ann:pw@db:5432/chat", "postgres://ann:********@db:5432/chat"),
            ("postgres://ann:p@w/x@db/chat", "postgres://ann:********@db/chat"),
            ("redis://:pw@cache", "redis://:********@cache"),
            ("postgres:///chat?user=ann&password=pw", "postgres:///chat?user=ann&password=********"),
            ("sqlite://data/rookery.db?mode=rwc", "sqlite://data/rookery.db?mode=rwc"),
            ("memory:", "memory:"),
        ] {
            assert_eq!(masked_url(url), shown);
        }
    }

    #[test]
    fn a_secret_is_never_printed() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some(********)");
        assert!("********".parse::<Secret>().is_err());
    }
}
