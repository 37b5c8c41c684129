//! Lays the sources of settings over each other: embedded defaults < file < environment < flags.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, File, FileFormat, Map, Source, Value, ValueKind};

use super::{Settings, SettingsError};

/// Every key with its default; what is not in here is not a key, and the type there is the type of the key.
const DEFAULTS: &str = include_str!("../../config/default.toml");

/// The prefix of environment variables that are ours.
const PREFIX: &str = "ROOKERY__";

/// Names that other programs use too, and the key that they stand for. Our own name for the key wins over them.
const BORROWED: [(&str, &str); 3] =
    [("DATABASE_URL", "store.url"), ("REDIS_URL", "bus.url"), ("RUST_LOG", "log.level")];

/// Where settings come from besides the defaults.
#[derive(Debug, Default)]
pub struct Sources {
    /// `--config FILE`.
    pub file: Option<PathBuf>,
    /// Variables by name; those that are not ours are left alone.
    pub environment: Vec<(String, String)>,
    /// `section.key` and value, from flags.
    pub flags: Vec<(String, String)>,
}

impl Sources {
    /// The variables of this process that concern us.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn environment_of_process() -> Vec<(String, String)> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| name.starts_with(PREFIX) || BORROWED.iter().any(|(borrowed, _)| name == borrowed))
            .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
            .collect()
    }
}

/// All layers as one, each key of the type that its default has.
pub(super) fn merge(sources: &Sources) -> Result<Settings, SettingsError> {
    let mut layers = Layers::of_defaults()?;
    if let Some(path) = &sources.file {
        layers.add_file(path)?;
    }
    layers.add_environment(&sources.environment)?;
    for (key, text) in &sources.flags {
        layers.add_text(key, text, "from the command line")?;
    }
    layers.finish()
}

/// What was set so far.
struct Layers {
    defaults: BTreeMap<String, ValueKind>,
    set: BTreeMap<String, (ValueKind, String)>,
}

impl Layers {
    fn of_defaults() -> Result<Self, SettingsError> {
        let defaults = leaves(&parse(DEFAULTS, "the defaults")?);
        Ok(Self { defaults, set: BTreeMap::new() })
    }

    fn add_file(&mut self, path: &Path) -> Result<(), SettingsError> {
        let name = path.display().to_string();
        let origin = format!("in {name}");
        let text = fs::read_to_string(path).map_err(|error| SettingsError::new(&name, error.to_string()))?;
        for (key, given) in leaves(&parse(&text, &name)?) {
            let kind = fitting(self.default_of(&key, &origin)?, given)
                .map_err(|reason| SettingsError::new(&key, format!("{reason} ({origin})")))?;
            self.set.insert(key, (kind, origin.clone()));
        }
        Ok(())
    }

    fn add_environment(&mut self, environment: &[(String, String)]) -> Result<(), SettingsError> {
        for (name, key) in BORROWED {
            for (_, text) in environment.iter().filter(|(given, text)| given == name && !text.is_empty()) {
                self.add_text(key, text, &format!("from {name}"))?;
            }
        }
        for (name, text) in environment {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            let key = rest.to_lowercase().replace("__", ".");
            self.add_text(&key, text, &format!("from {name}"))?;
        }
        Ok(())
    }

    fn add_text(&mut self, key: &str, text: &str, origin: &str) -> Result<(), SettingsError> {
        let kind = parsed(self.default_of(key, origin)?, text)
            .map_err(|reason| SettingsError::new(key, format!("{reason} ({origin})")))?;
        self.set.insert(key.to_owned(), (kind, origin.to_owned()));
        Ok(())
    }

    fn default_of(&self, key: &str, origin: &str) -> Result<&ValueKind, SettingsError> {
        self.defaults.get(key).ok_or_else(|| SettingsError::new(key, format!("there is no such setting ({origin})")))
    }

    fn finish(self) -> Result<Settings, SettingsError> {
        let mut builder = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        for (key, (kind, _)) in &self.set {
            let value = Value::new(None, kind.clone());
            builder = builder.set_override(key, value).map_err(|error| SettingsError::new(key, error.to_string()))?;
        }
        let merged = builder.build().and_then(Config::try_deserialize::<Settings>);
        merged.map_err(|error| {
            let (key, reason) = explain(error);
            match self.set.get(&key) {
                Some((_, origin)) => SettingsError::new(key, format!("{reason} ({origin})")),
                None => SettingsError::new(key, reason),
            }
        })
    }
}

fn parse(text: &str, name: &str) -> Result<Map<String, Value>, SettingsError> {
    let source = Config::builder().add_source(File::from_str(text, FileFormat::Toml)).build();
    source.and_then(|config| config.collect()).map_err(|error| match error {
        ConfigError::FileParse { cause, .. } => SettingsError::new(name, without_snippet(text, cause.as_ref())),
        error => SettingsError::new(name, error.to_string()),
    })
}

/// The parser's message without the line that it would quote, which may hold a secret.
fn without_snippet(text: &str, cause: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    let Some(error) = cause.downcast_ref::<toml::de::Error>() else { return "is not TOML".into() };
    let line =
        error.span().and_then(|span| text.get(..span.start)).map_or(1, |before| before.matches('\n').count() + 1);
    format!("line {line}: {}", error.message())
}

/// The tree as `section.key` and value.
fn leaves(table: &Map<String, Value>) -> BTreeMap<String, ValueKind> {
    let mut found = BTreeMap::new();
    for (name, value) in table {
        match &value.kind {
            ValueKind::Table(inner) => {
                found.extend(leaves(inner).into_iter().map(|(key, kind)| (format!("{name}.{key}"), kind)));
            }
            kind => {
                found.insert(name.clone(), kind.clone());
            }
        }
    }
    found
}

/// A value of a file, if it has the type of its default. A list may be written as a comma-separated text.
fn fitting(default: &ValueKind, given: ValueKind) -> Result<ValueKind, String> {
    match (default, given) {
        (ValueKind::Boolean(_), kind @ ValueKind::Boolean(_))
        | (ValueKind::I64(_), kind @ ValueKind::I64(_))
        | (ValueKind::String(_), kind @ ValueKind::String(_)) => Ok(kind),
        (ValueKind::Array(_), ValueKind::String(text)) => Ok(list(&text)),
        (ValueKind::Array(_), ValueKind::Array(items)) => {
            let texts = items.iter().all(|item| matches!(item.kind, ValueKind::String(_)));
            texts.then_some(ValueKind::Array(items)).ok_or_else(|| expected(default))
        }
        _ => Err(expected(default)),
    }
}

/// A value of the environment or of a flag, read as the type of its default.
fn parsed(default: &ValueKind, text: &str) -> Result<ValueKind, String> {
    match default {
        ValueKind::Boolean(_) => text.parse().map(ValueKind::Boolean).map_err(|_| expected(default)),
        ValueKind::I64(_) => text.parse().map(ValueKind::I64).map_err(|_| expected(default)),
        ValueKind::Array(_) => Ok(list(text)),
        _ => Ok(ValueKind::String(text.to_owned())),
    }
}

fn list(text: &str) -> ValueKind {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    ValueKind::Array(items.map(|item| Value::new(None, item)).collect())
}

fn expected(default: &ValueKind) -> String {
    let wanted = match default {
        ValueKind::Boolean(_) => "true or false",
        ValueKind::I64(_) => "a whole number",
        ValueKind::Array(_) => "a list of texts",
        _ => "a text",
    };
    format!("expected {wanted}")
}

/// Key and reason of a value that its section did not take.
fn explain(error: ConfigError) -> (String, String) {
    match error {
        ConfigError::At { error, key: Some(key), .. } => (key, explain(*error).1),
        ConfigError::Type { expected, key, .. } => (key.unwrap_or_default(), format!("expected {expected}")),
        error => (String::from("settings"), error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_taken_by_its_section() {
        let settings = merge(&Sources::default()).unwrap();
        assert_eq!(settings.server.listen.to_string(), "127.0.0.1:3000");
        assert_eq!(settings.auth.user_claim, ["sub", "userId", "id", "_id", "user_id"]);
    }

    #[test]
    fn a_line_that_is_not_toml_is_named_by_its_number_and_not_quoted() {
        let error = parse("[auth]\nhs256_secret = \"hunter2", "x.toml").unwrap_err().to_string();
        assert!(error.starts_with("x.toml: line 2:"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
