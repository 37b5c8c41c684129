//! Where in a request a token may be.

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};

use crate::config::TokenPlace;

/// Whether the request comes from a page that may use cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginVerdict {
    /// It names an allowed Origin.
    Allowed,
    /// It names a foreign one, or none.
    NotNamed,
}

/// Finds the token of a request: in the `Authorization` header, else in the configured extra places.
#[derive(Debug, Clone, Default)]
pub struct TokenPlaces(Vec<TokenPlace>);

impl TokenPlaces {
    /// With these extra places, in order of preference.
    #[must_use]
    pub const fn new(extra: Vec<TokenPlace>) -> Self {
        Self(extra)
    }

    /// The token, unverified; an empty one counts as none. `query` is the raw query of the URL.
    #[must_use]
    pub fn find(&self, headers: &HeaderMap, query: &str, origin: OriginVerdict) -> Option<String> {
        let named = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).map(bearer);
        let found = named.filter(|token| !token.is_empty()).map(str::to_owned);
        found.or_else(|| self.0.iter().find_map(|place| look(place, headers, query, origin)))
    }
}

/// The token of a value that may start with `Bearer`.
#[must_use]
pub fn bearer(value: &str) -> &str {
    let value = value.trim();
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => value,
    }
}

fn look(place: &TokenPlace, headers: &HeaderMap, query: &str, origin: OriginVerdict) -> Option<String> {
    let found = match place {
        TokenPlace::Query(name) => parameter(query, name),
        TokenPlace::Header(name) => headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned),
        // Another site's page sends the victim's cookies along: only a page that we know may be helped by them.
        TokenPlace::Cookie(name) if origin == OriginVerdict::Allowed => cookie(headers, name),
        TokenPlace::Cookie(_) => None,
    };
    found.map(|value| bearer(&value).to_owned()).filter(|token| !token.is_empty())
}

/// A token has no character that a URL escapes; only the blank after `Bearer` comes as `+` or `%20`.
fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.replace("%20", " ").replace('+', " ")).next()
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn places(extra: &[&str]) -> TokenPlaces {
        TokenPlaces::new(extra.iter().map(|place| place.parse().unwrap()).collect())
    }

    #[test]
    fn a_token_counts_bare_and_with_bearer() {
        for value in ["t.o.k", "Bearer t.o.k", "bearer  t.o.k "] {
            assert_eq!(bearer(value), "t.o.k");
        }
    }

    #[test]
    fn the_authorization_header_goes_before_the_extra_places() {
        let places = places(&["query:token", "header:x-auth-token"]);
        let both = headers(&[("authorization", "Bearer a"), ("x-auth-token", "b")]);
        assert_eq!(places.find(&both, "token=c", OriginVerdict::NotNamed).unwrap(), "a");
        let extra = headers(&[("x-auth-token", "b")]);
        assert_eq!(places.find(&extra, "EIO=4&token=c", OriginVerdict::NotNamed).unwrap(), "c");
        assert_eq!(places.find(&extra, "EIO=4", OriginVerdict::NotNamed).unwrap(), "b");
        assert_eq!(places.find(&headers(&[]), "tokens=c", OriginVerdict::NotNamed), None);
    }

    #[test]
    fn a_place_that_is_not_configured_is_not_looked_at() {
        let found = places(&[]).find(&headers(&[("x-auth-token", "b")]), "token=c", OriginVerdict::Allowed);
        assert_eq!(found, None);
    }

    #[test]
    fn a_cookie_counts_only_with_an_allowed_origin() {
        let places = places(&["cookie:accessToken"]);
        let sent = headers(&[("cookie", "a=1; accessToken=t.o.k; b=2")]);
        assert_eq!(places.find(&sent, "", OriginVerdict::Allowed).unwrap(), "t.o.k");
        assert_eq!(places.find(&sent, "", OriginVerdict::NotNamed), None);
    }
}
