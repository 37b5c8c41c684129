//! Reads the `auth` object of the handshake, which all vocabularies share.

use serde_json::value::RawValue;

use super::fields::Fields;
use crate::domain::{ChatError, Seq};

/// The longest device name, in bytes.
const DEVICE_BYTES_MAX: usize = 128;

/// What a client says of itself when it connects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hello {
    /// Its token, with or without `Bearer`.
    pub token: Option<String>,
    /// The vocabulary that it speaks.
    pub dialect: Option<String>,
    /// What it calls its device. ≤ 128 bytes.
    pub device: Option<String>,
    /// The last personal event that it knows.
    pub personal: Option<Seq>,
}

impl Hello {
    /// Reads it; without an `auth` object nothing was said.
    ///
    /// # Errors
    /// `invalid`, naming the field.
    pub fn parse(auth: Option<&RawValue>) -> Result<Self, ChatError> {
        let Some(auth) = auth else { return Ok(Self::default()) };
        let fields = Fields::parse("auth", auth.get())?;
        let text = |name| fields.optional_text(name).map(|text| text.map(std::borrow::Cow::into_owned));
        let device = text("device")?;
        if device.as_ref().is_some_and(|device| device.len() > DEVICE_BYTES_MAX) {
            return Err(ChatError::invalid(format!("device: at most {DEVICE_BYTES_MAX} bytes")));
        }
        Ok(Self {
            token: text("token")?.filter(|token| !token.is_empty()),
            dialect: text("dialect")?,
            device,
            personal: fields.optional_seq("personal")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Hello, ChatError> {
        Hello::parse(Some(&RawValue::from_string(json.to_owned()).unwrap()))
    }

    #[test]
    fn every_field_may_be_missing_and_none_may_be_malformed() {
        assert_eq!(Hello::parse(None), Ok(Hello::default()));
        assert_eq!(parse(r#"{"token":"","username":"Ann"}"#), Ok(Hello::default()));
        assert_eq!(parse(r#"{"token":"x","personal":3}"#).unwrap().personal, Some(Seq(3)));
        for (bad, field) in [
            (r#"{"token":1}"#, "token"),
            (r#"{"dialect":[]}"#, "dialect"),
            (r#"{"device":{}}"#, "device"),
            (r#"{"personal":-1}"#, "personal"),
            (r#"{"personal":"3"}"#, "personal"),
            (r#"{"token":"\u0000"}"#, "token"),
        ] {
            assert!(parse(bad).unwrap_err().message.starts_with(field), "{bad}");
        }
        assert!(parse(&format!("{{\"device\":\"{}\"}}", "x".repeat(129))).is_err());
    }
}
