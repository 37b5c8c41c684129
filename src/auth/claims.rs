//! What a token says, and whether it may be believed now.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

use super::TokenRefused;
use crate::config::AuthSettings;
use crate::domain::{Profile, Timestamp, UserId};

/// Characters kept of a display name; the rest is cut.
const NAME_CHARS_MAX: usize = 200;
/// Bytes of a picture's URL; a longer one is left out.
const AVATAR_BYTES_MAX: usize = 2_048;
/// Bytes of an e-mail address; a longer one is left out.
const EMAIL_BYTES_MAX: usize = 320;
/// The last second that has a year of four digits.
const SECONDS_MAX: i64 = 253_402_300_799;

/// Who a believed token speaks for, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user, as the token shows them. The name is the id where the token has none.
    pub profile: Profile,
    /// The token's own end: what clients are told.
    pub expires_at: Timestamp,
    /// When it stops counting: its end and the leeway.
    pub ends_at: Timestamp,
    /// When it was made, if it says so; revocation asks for it.
    pub issued_at: Option<Timestamp>,
}

impl Identity {
    /// Who it is.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.profile.id
    }
}

/// What claims must say to be believed.
#[derive(Debug, Clone)]
pub struct ClaimRules {
    user_claim: Vec<String>,
    issuer: Option<String>,
    audience: Option<String>,
    leeway_ms: i64,
}

impl ClaimRules {
    /// As configured.
    #[must_use]
    pub fn new(settings: &AuthSettings) -> Self {
        Self {
            user_claim: settings.user_claim.clone(),
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            leeway_ms: i64::try_from(settings.leeway_ms).unwrap_or(i64::MAX),
        }
    }

    /// The identity that these claims, whose signature holds, speak for at this moment.
    pub(super) fn judge(&self, claims: &Claims, now: Timestamp) -> Result<Identity, TokenRefused> {
        let expires_at = claims.time("exp")?.ok_or(TokenRefused::Claim("exp is missing"))?;
        let ends_at = Timestamp::from_unix_ms(expires_at.unix_ms().saturating_add(self.leeway_ms));
        if ends_at <= now {
            return Err(TokenRefused::Expired);
        }
        if claims.time("nbf")?.is_some_and(|from| from.unix_ms() > now.unix_ms().saturating_add(self.leeway_ms)) {
            return Err(TokenRefused::NotYet);
        }
        self.judge_parties(claims)?;
        let profile = claims.profile(self.user(claims)?);
        Ok(Identity { profile, expires_at, ends_at, issued_at: claims.time("iat")? })
    }

    fn judge_parties(&self, claims: &Claims) -> Result<(), TokenRefused> {
        if let Some(issuer) = &self.issuer
            && claims.text("iss") != Some(issuer)
        {
            return Err(TokenRefused::Claim("iss is not the configured issuer"));
        }
        if let Some(audience) = &self.audience
            && !claims.is_for(audience)
        {
            return Err(TokenRefused::Claim("aud does not name the configured audience"));
        }
        Ok(())
    }

    /// The first claim that is there decides: a later one must not make up for one that is wrong.
    fn user(&self, claims: &Claims) -> Result<UserId, TokenRefused> {
        let mut found = self.user_claim.iter().filter_map(|name| claims.0.get(name)).filter(|value| !value.is_null());
        let user = match found.next() {
            Some(Value::String(text)) => UserId::parse(text),
            Some(Value::Number(number)) if number.is_i64() || number.is_u64() => UserId::parse(&number.to_string()),
            Some(_) => return Err(TokenRefused::Claim("the user's id is neither a text nor a whole number")),
            None => return Err(TokenRefused::Claim("no claim names the user")),
        };
        user.map_err(|error| TokenRefused::Claim(error.0))
    }
}

/// The claims of a token by name, each once.
#[derive(Debug)]
pub(super) struct Claims(BTreeMap<String, Value>);

impl Claims {
    /// A point in time in whole seconds; a text, a fraction or a number beyond the calendar is refused rather than guessed at.
    fn time(&self, name: &'static str) -> Result<Option<Timestamp>, TokenRefused> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        match value.as_i64() {
            Some(seconds) if seconds.abs() <= SECONDS_MAX => Ok(Some(Timestamp::from_unix_ms(seconds * 1_000))),
            Some(_) | None => Err(TokenRefused::Claim("exp, nbf and iat must be whole seconds")),
        }
    }

    fn text(&self, name: &str) -> Option<&String> {
        match self.0.get(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    fn is_for(&self, audience: &str) -> bool {
        match self.0.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        }
    }

    fn profile(&self, id: UserId) -> Profile {
        let name = self.shown("name").or_else(|| self.shown("username")).unwrap_or_else(|| id.to_string());
        let bounded = |name: &str, bytes_max| {
            self.text(name)
                .filter(|text| text.len() <= bytes_max && !text.is_empty() && !text.chars().any(char::is_control))
        };
        let avatar = bounded("avatar", AVATAR_BYTES_MAX).cloned();
        let email = bounded("email", EMAIL_BYTES_MAX).cloned();
        Profile { id, name, username: self.shown("username"), avatar, email }
    }

    /// A text fit to be shown in one line: without control characters, at most [`NAME_CHARS_MAX`] characters.
    fn shown(&self, name: &str) -> Option<String> {
        let text: String = self.text(name)?.chars().filter(|char| !char.is_control()).take(NAME_CHARS_MAX).collect();
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

impl<'de> Deserialize<'de> for Claims {
    /// A claim that is there twice is refused: two readers could believe different ones.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Unique;

        impl<'de> Visitor<'de> for Unique {
            type Value = Claims;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of claims")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims, A::Error> {
                let mut claims = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if claims.insert(name, value).is_some() {
                        return Err(A::Error::custom("a claim is there twice"));
                    }
                }
                Ok(Claims(claims))
            }
        }

        deserializer.deserialize_map(Unique)
    }
}
