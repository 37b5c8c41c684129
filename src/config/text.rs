//! Settings that are written as texts: an empty text means "not set".

use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// For `#[serde(with)]`: one value.
pub(super) mod one {
    use super::{Deserialize, Deserializer, Display, Error, FromStr, Serialize, Serializer};

    pub fn deserialize<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }

    pub fn serialize<S: Serializer, T: Serialize>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }
}

/// For `#[serde(with)]`: a value that may be not set.
pub(super) mod optional {
    use super::{Deserialize, Deserializer, Display, Error, FromStr, Serialize, Serializer};

    pub fn deserialize<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        D: Deserializer<'de>,
        T: FromStr<Err: Display>,
    {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
    }

    pub fn serialize<S: Serializer, T: Serialize>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => value.serialize(serializer),
            None => serializer.serialize_str(""),
        }
    }
}

/// For `#[serde(with)]`: a list of values.
pub(super) mod list {
    use super::{Deserialize, Deserializer, Display, Error, FromStr, Serialize, Serializer};

    pub fn deserialize<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
    where
        D: Deserializer<'de>,
        T: FromStr<Err: Display>,
    {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
    }

    pub fn serialize<S: Serializer, T: Serialize>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        values.serialize(serializer)
    }
}
