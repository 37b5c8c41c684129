//! Why the settings cannot be used: always one line.

/// A setting that cannot be used. Never holds the value, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct SettingsError {
    /// `section.key`, or the name of the file or variable that could not be understood.
    pub key: String,
    /// Why, and what would do.
    pub reason: String,
}

impl SettingsError {
    /// Names the key and the reason; line breaks in the reason become spaces.
    pub fn new(key: impl Into<String>, reason: impl AsRef<str>) -> Self {
        let reason = reason.as_ref().split_whitespace().collect::<Vec<_>>().join(" ");
        Self { key: key.into(), reason }
    }
}
