//! Reads the fields of what a client sent, and says which one is wrong.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use crate::domain::{ChatError, InvalidId, Seq};

/// The most fields an object may have: no event has half as many.
const FIELDS_MAX: usize = 64;

/// The JSON text of an object from outside, split into its fields; their values are looked at when they are asked for. Fields that nobody asks
/// for are ignored, so that newer clients can say more.
#[derive(Debug)]
pub(super) struct Fields<'a>(Entries<'a>);

impl<'a> Fields<'a> {
    /// Splits an object; `what` names it in errors.
    ///
    /// # Errors
    /// `invalid`: not an object, a field twice, more than 64 fields.
    pub fn parse(what: &str, json: &'a str) -> Result<Self, ChatError> {
        Self::parse_up_to(FIELDS_MAX, what, json)
    }

    /// Splits an object that may have another number of fields.
    ///
    /// # Errors
    /// `invalid`: not an object, a field twice, too many fields.
    pub fn parse_up_to(fields_max: usize, what: &str, json: &'a str) -> Result<Self, ChatError> {
        if !json.starts_with('{') {
            return Err(ChatError::invalid(format!("{what}: must be an object")));
        }
        match Split(fields_max).deserialize(&mut serde_json::Deserializer::from_str(json)) {
            Ok(Ok(entries)) => Ok(Self(entries)),
            Ok(Err(rule)) => Err(ChatError::invalid(format!("{what}: {rule}"))),
            Err(_) => Err(ChatError::invalid(format!("{what}: must have proper texts as names"))),
        }
    }

    /// A field that must be there.
    ///
    /// # Errors
    /// `invalid` when it is missing or null.
    pub fn required(&self, name: &str) -> Result<&'a RawValue, ChatError> {
        self.optional(name).ok_or_else(|| ChatError::invalid(format!("{name}: required")))
    }

    /// A field that may be missing; null counts as missing.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<&'a RawValue> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        (value.get() != "null").then_some(*value)
    }

    /// All fields as they came, null ones too.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    /// An id, as a text.
    ///
    /// # Errors
    /// `invalid` when it is missing, not a text, or breaks the rule of its kind.
    pub fn id<T: FromStr<Err = InvalidId>>(&self, name: &str) -> Result<T, ChatError> {
        id(name, self.required(name)?.get())
    }

    /// An id that may be missing.
    ///
    /// # Errors
    /// `invalid` when it is not a text, or breaks the rule of its kind.
    pub fn optional_id<T: FromStr<Err = InvalidId>>(&self, name: &str) -> Result<Option<T>, ChatError> {
        self.optional(name).map(|value| id(name, value.get())).transpose()
    }

    /// A place in a feed.
    ///
    /// # Errors
    /// `invalid` when it is missing or not a whole number from 0 on.
    pub fn seq(&self, name: &str) -> Result<Seq, ChatError> {
        seq(name, self.required(name)?.get())
    }

    /// A place in a feed that may be missing.
    ///
    /// # Errors
    /// `invalid` when it is not a whole number from 0 on.
    pub fn optional_seq(&self, name: &str) -> Result<Option<Seq>, ChatError> {
        self.optional(name).map(|value| seq(name, value.get())).transpose()
    }

    /// A text without NUL.
    ///
    /// # Errors
    /// `invalid` when it is missing, not a text, or has a NUL.
    pub fn text(&self, name: &str) -> Result<Cow<'a, str>, ChatError> {
        text(name, self.required(name)?.get())
    }

    /// A text without NUL that may be missing.
    ///
    /// # Errors
    /// `invalid` when it is not a text or has a NUL.
    pub fn optional_text(&self, name: &str) -> Result<Option<Cow<'a, str>>, ChatError> {
        self.optional(name).map(|value| text(name, value.get())).transpose()
    }

    /// Whether a switch is on; off when it is missing.
    ///
    /// # Errors
    /// `invalid` when it is neither true nor false.
    pub fn switch(&self, name: &str) -> Result<bool, ChatError> {
        match self.optional(name).map(RawValue::get) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(ChatError::invalid(format!("{name}: must be true or false"))),
        }
    }

    /// A list; empty when it is missing. `item` reads one of its items.
    ///
    /// # Errors
    /// `invalid` when it is not a list, when it is longer than `items_max`, or when an item is wrong.
    pub fn list<T>(
        &self,
        name: &str,
        items_max: usize,
        item: impl Fn(&'a RawValue) -> Result<T, ChatError>,
    ) -> Result<Vec<T>, ChatError> {
        let Some(value) = self.optional(name) else { return Ok(Vec::new()) };
        let Ok(items) = serde_json::from_str::<Vec<&'a RawValue>>(value.get()) else {
            return Err(ChatError::invalid(format!("{name}: must be a list")));
        };
        if items.len() > items_max {
            return Err(ChatError::invalid(format!("{name}: at most {items_max}")));
        }
        items.into_iter().map(item).collect()
    }
}

/// The JSON text of a value as an id; `name` names it in errors.
pub(super) fn id<T: FromStr<Err = InvalidId>>(name: &str, json: &str) -> Result<T, ChatError> {
    text(name, json)?.parse().map_err(|error: InvalidId| ChatError::invalid(format!("{name}: {error}")))
}

/// The JSON text of a value as a place in a feed. Beyond what a store can count it means the end of all feeds.
pub(super) fn seq(name: &str, json: &str) -> Result<Seq, ChatError> {
    match serde_json::from_str::<u64>(json) {
        Ok(number) => Ok(Seq(number.min(i64::MAX.unsigned_abs()))),
        Err(_) => Err(ChatError::invalid(format!("{name}: must be a whole number from 0 on"))),
    }
}

/// The JSON text of a value as a text without NUL.
pub(super) fn text<'a>(name: &str, json: &'a str) -> Result<Cow<'a, str>, ChatError> {
    if !json.starts_with('"') {
        return Err(ChatError::invalid(format!("{name}: must be a text")));
    }
    let Ok(Text(text)) = serde_json::from_str(json) else {
        return Err(ChatError::invalid(format!("{name}: must be proper Unicode")));
    };
    if text.contains('\0') {
        return Err(ChatError::invalid(format!("{name}: must not contain NUL")));
    }
    Ok(text)
}

type Entries<'a> = SmallVec<[(Cow<'a, str>, &'a RawValue); 8]>;

/// Splits an object of at most this many fields; the inner error is the rule that it breaks.
struct Split(usize);

impl<'de> DeserializeSeed<'de> for Split {
    type Value = Result<Entries<'de>, &'static str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Split {
    type Value = Result<Entries<'de>, &'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Entries::new();
        let mut fault = None;
        while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            if entries.len() == self.0 {
                fault = Some("has too many fields");
            } else if entries.iter().any(|(known, _)| *known == name) {
                fault = Some("must not have a field twice");
            } else {
                entries.push((name, value));
            }
        }
        Ok(fault.map_or(Ok(entries), Err))
    }
}

/// A text that is copied only when it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn error(json: &str) -> String {
        Fields::parse("payload", json).unwrap_err().message
    }

    #[test]
    fn what_is_not_a_plain_object_is_refused_with_the_reason() {
        for not_an_object in ["1", "[]", "\"{\"", "null", "true"] {
            assert_eq!(error(not_an_object), "payload: must be an object");
        }
        assert_eq!(error(r#"{"a":1,"\u0061":2}"#), "payload: must not have a field twice");
        assert_eq!(error(r#"{"\ud800":1}"#), "payload: must have proper texts as names");
        let many = (0..100_000).map(|n| format!("\"{n}\":{n}")).collect::<Vec<_>>().join(",");
        assert_eq!(error(&format!("{{{many}}}")), "payload: has too many fields");
    }

    #[test]
    fn a_seq_is_a_whole_number_and_never_beyond_what_a_store_counts() {
        for bad in ["-1", "1.0", "1e3", "\"1\"", "null", "18446744073709551616", "1e400", "{}", "-0"] {
            assert!(seq("seq", bad).is_err(), "{bad}");
        }
        assert_eq!(seq("seq", "18446744073709551615"), Ok(Seq(i64::MAX.unsigned_abs())));
        assert_eq!(seq("seq", "0"), Ok(Seq::ZERO));
    }

    #[test]
    fn null_counts_as_missing() {
        let fields = Fields::parse("payload", r#"{"a":null,"b":"x"}"#).unwrap();
        assert!(fields.optional("a").is_none());
        assert_eq!(fields.required("a").unwrap_err().message, "a: required");
        assert_eq!(fields.text("b").unwrap(), "x");
    }
}
