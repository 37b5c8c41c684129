//! What a client may ask for: the bounds and content rules that every door needs, checked where a wish becomes a [`Draft`].

use serde_json::Value;
use serde_json::value::RawValue;

use super::mentions::mentions;
use crate::config::LimitSettings;
use crate::domain::{ChatError, Content, Draft, ErrorCode, MessageId, MessageKind};

/// Characters of a message's type.
const KIND_CHARS_MAX: usize = 32;
/// Characters of a title.
const TITLE_CHARS_MAX: usize = 200;
/// Characters of a person's name.
const NAME_CHARS_MAX: usize = 200;
/// Characters of an e-mail address.
const EMAIL_CHARS_MAX: usize = 320;
/// Bytes of a picture's URL.
const AVATAR_BYTES_MAX: usize = 2_048;

/// The configured bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Whether the rates are kept; sizes always are.
    pub rates_kept: bool,
    /// Messages that one session may send in 10 s.
    pub messages_per_10s: u32,
    /// Commands of any kind, messages included, that one session may give in 10 s.
    pub commands_per_10s: u32,
    /// Bytes of a message's content: of the text as UTF-8, or of the JSON object as it came.
    pub message_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rates_kept: true, messages_per_10s: 50, commands_per_10s: 200, message_bytes: 65_536 }
    }
}

impl From<&LimitSettings> for Limits {
    fn from(settings: &LimitSettings) -> Self {
        Self {
            rates_kept: settings.enabled,
            messages_per_10s: settings.messages_per_10s,
            commands_per_10s: settings.commands_per_10s,
            message_bytes: usize::try_from(settings.message_bytes).unwrap_or(usize::MAX),
        }
    }
}

/// A wish to send as a client uttered it.
#[derive(Debug, Clone, Copy)]
pub struct DraftAsk<'a> {
    /// The content as JSON: a text or an object.
    pub content: &'a RawValue,
    /// What sort of message; none for `text`.
    pub kind: Option<&'a str>,
    /// The message that it answers.
    pub reply_to: Option<MessageId>,
    /// Who is named beside those whom a text names by `@userId`, as they were written.
    pub mentions: &'a [String],
}

impl Limits {
    /// Checks a wish to send; `id` comes from [`super::Chat::new_message_id`].
    ///
    /// # Errors
    /// `invalid` or `too_large`; the message names the field and the rule.
    pub fn draft(&self, id: MessageId, ask: DraftAsk<'_>) -> Result<Draft, ChatError> {
        let content = self.content(ask.content)?;
        let mentions = mentions(ask.mentions, &content)?;
        let kind = ask.kind.map_or_else(|| Ok(MessageKind::default()), message_kind)?;
        Ok(Draft { id, content, kind, reply_to: ask.reply_to, mentions })
    }

    /// Checks content given as JSON: a text or an object.
    ///
    /// # Errors
    /// `invalid` for what is neither, empty, holds a NUL or is not sound JSON; `too_large` beyond `message_bytes`.
    pub fn content(&self, json: &RawValue) -> Result<Content, ChatError> {
        match json.get().as_bytes().first() {
            Some(b'"') => {
                let text = serde_json::from_str(json.get())
                    .map_err(|_| ChatError::invalid("content is not a text of whole characters"))?;
                self.text(text)
            }
            Some(b'{') => self.object(json),
            Some(_) | None => Err(ChatError::invalid("content is a text or a JSON object")),
        }
    }

    /// Checks content given as text.
    ///
    /// # Errors
    /// `invalid` when it is empty or holds a NUL; `too_large` beyond `message_bytes`.
    pub fn text(&self, text: String) -> Result<Content, ChatError> {
        if text.is_empty() {
            return Err(ChatError::invalid("content is empty"));
        }
        self.fits(text.len())?;
        if memchr::memchr(0, text.as_bytes()).is_some() {
            return Err(ChatError::invalid("content holds a NUL character"));
        }
        Ok(Content::Text(text))
    }

    fn object(&self, json: &RawValue) -> Result<Content, ChatError> {
        self.fits(json.get().len())?;
        // Read once as a tree, for what a raw value lets through and others choke on: half characters, numbers beyond all bounds, endless nesting.
        let tree: Value = serde_json::from_str(json.get())
            .map_err(|_| ChatError::invalid("content is not sound JSON, or nested too deeply"))?;
        if holds_nul(&tree) {
            return Err(ChatError::invalid("content holds a NUL character"));
        }
        Ok(Content::Object(json.to_owned()))
    }

    fn fits(&self, bytes: usize) -> Result<(), ChatError> {
        if bytes > self.message_bytes {
            return Err(ChatError::new(
                ErrorCode::TooLarge,
                format!("content is larger than {} bytes", self.message_bytes),
            ));
        }
        Ok(())
    }
}

/// Checks a conversation's title.
///
/// # Errors
/// `invalid` when it is empty, longer than 200 characters, or holds control characters.
pub fn title(text: &str) -> Result<String, ChatError> {
    printable(text, TITLE_CHARS_MAX).ok_or_else(|| ChatError::invalid("title is 1-200 printable characters"))
}

/// Checks the URL of a picture.
///
/// # Errors
/// `invalid` when it is longer than 2,048 bytes, holds control characters or is neither `http(s)://…` nor a path of this server.
pub fn avatar(text: &str) -> Result<String, ChatError> {
    let known = text.starts_with("https://") || text.starts_with("http://") || text.starts_with('/');
    if !known || text.len() > AVATAR_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(ChatError::invalid("avatar is an http(s) URL or a path of at most 2048 bytes"));
    }
    Ok(text.to_owned())
}

/// Checks a person's display name.
///
/// # Errors
/// `invalid` when it is empty, longer than 200 characters, or holds control characters.
pub fn person_name(text: &str) -> Result<String, ChatError> {
    printable(text, NAME_CHARS_MAX).ok_or_else(|| ChatError::invalid("a name is 1-200 printable characters"))
}

/// Checks an e-mail address as far as it must be stored, not whether anybody reads it.
///
/// # Errors
/// `invalid` when it is longer than 320 characters, holds control characters or has no `@`.
pub fn email(text: &str) -> Result<String, ChatError> {
    let address = printable(text, EMAIL_CHARS_MAX).filter(|address| address.contains('@'));
    address.ok_or_else(|| ChatError::invalid("email is an address of at most 320 characters"))
}

fn printable(text: &str, chars_max: usize) -> Option<String> {
    let chars = text.chars().take(chars_max + 1).count();
    let fits = (1..=chars_max).contains(&chars) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

/// Checks a number of days that messages are kept.
///
/// # Errors
/// `invalid` when it is not within 1–36,500.
pub fn retention_days(days: u32) -> Result<u32, ChatError> {
    if (1..=36_500).contains(&days) {
        return Ok(days);
    }
    Err(ChatError::invalid("retentionDays is a whole number from 1 to 36500"))
}

fn message_kind(text: &str) -> Result<MessageKind, ChatError> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if text.is_empty() || text.len() > KIND_CHARS_MAX || !text.bytes().all(allowed) {
        return Err(ChatError::invalid("type is 1-32 characters from a-z 0-9 _ -"));
    }
    Ok(MessageKind(text.to_owned()))
}

/// The depth is bounded by the parser that made the tree.
fn holds_nul(tree: &Value) -> bool {
    match tree {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<Content, ErrorCode> {
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        Limits { message_bytes: 1_000, ..Limits::default() }.content(&raw).map_err(|error| error.code)
    }

    #[test]
    fn a_text_and_an_object_are_content_and_nothing_else_is() {
        assert_eq!(check(r#""hi""#), Ok(Content::Text("hi".into())));
        assert!(matches!(check(r#"{"poll":[1,2]}"#), Ok(Content::Object(_))));
        for bad in ["null", "1", "true", "[\"hi\"]", r#""""#] {
            assert_eq!(check(bad), Err(ErrorCode::Invalid), "{bad}");
        }
    }

    #[test]
    fn what_a_store_or_a_client_would_choke_on_is_invalid() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(400), "]".repeat(400));
        for bad in [
            r#""a\u0000b""#,
            r#""\ud800""#,
            r#"{"a":"\u0000"}"#,
            r#"{"\u0000":1}"#,
            r#"{"a":[{"b":"\u0000"}]}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":1e400}"#,
            &deep,
        ] {
            assert_eq!(check(bad), Err(ErrorCode::Invalid), "{bad}");
        }
        assert!(check(r#"{"a":"\\u0000"}"#).is_ok(), "an escaped backslash is no NUL");
    }

    #[test]
    fn the_bound_counts_bytes_of_the_text_and_of_the_json() {
        assert!(check(&format!("\"{}\"", "é".repeat(500))).is_ok());
        assert_eq!(check(&format!("\"{}\"", "é".repeat(501))), Err(ErrorCode::TooLarge));
        assert_eq!(check(&format!("{{\"a\":\"{}\"}}", "x".repeat(1_000))), Err(ErrorCode::TooLarge));
    }

    #[test]
    fn a_type_is_a_short_plain_word() {
        assert!(message_kind("system_note-2").is_ok());
        for bad in ["", "Text", "a b", &"x".repeat(33)] {
            assert!(message_kind(bad).is_err(), "{bad}");
        }
    }
}
