//! Where in a request a token may be.

use axum::http::HeaderName;
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

    /// The headers that may hold a token: whoever keeps requests needs to keep no others for [`TokenPlaces::find`].
    #[must_use]
    pub fn headers(&self) -> Vec<HeaderName> {
        let extra = self.0.iter().filter_map(|place| match place {
            TokenPlace::Header(name) => HeaderName::from_bytes(name.as_bytes()).ok(),
            TokenPlace::Cookie(_) => Some(COOKIE),
            TokenPlace::Query(_) => None,
        });
        std::iter::once(AUTHORIZATION).chain(extra).collect()
    }

    /// The token, unverified; an empty one counts as none. `header` and `query` look up a header and a parameter of the URL by name.
    #[must_use]
    pub fn find<'a>(
        &self,
        header: impl Fn(&HeaderName) -> Option<&'a str>,
        query: impl Fn(&str) -> Option<&'a str>,
        origin: OriginVerdict,
    ) -> Option<String> {
        let look = |place: &TokenPlace| match place {
            TokenPlace::Query(name) => query(name),
            TokenPlace::Header(name) => header(&HeaderName::from_bytes(name.as_bytes()).ok()?),
            // Another site's page sends the victim's cookies along: only a page that we know may be helped by them.
            TokenPlace::Cookie(name) if origin == OriginVerdict::Allowed => cookie(header(&COOKIE)?, name),
            TokenPlace::Cookie(_) => None,
        };
        let found = std::iter::once(header(&AUTHORIZATION)).chain(self.0.iter().map(look));
        found.flatten().map(bearer).find(|token| !token.is_empty()).map(str::to_owned)
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

fn cookie<'a>(cookies: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(extra: &[&str], headers: &[(&str, &str)], query: &[(&str, &str)], origin: OriginVerdict) -> Option<String> {
        let places = TokenPlaces::new(extra.iter().map(|place| place.parse().unwrap()).collect());
        places.find(
            |name| headers.iter().find(|(known, _)| *known == name.as_str()).map(|(_, value)| *value),
            |name| query.iter().find(|(known, _)| *known == name).map(|(_, value)| *value),
            origin,
        )
    }

    #[test]
    fn a_token_counts_bare_and_with_bearer() {
        for value in ["t.o.k", "Bearer t.o.k", "bearer  t.o.k "] {
            assert_eq!(bearer(value), "t.o.k");
        }
    }

    #[test]
    fn the_authorization_header_goes_before_the_extra_places() {
        let extra = ["query:token", "header:x-auth-token"];
        let (a, b, c) = (("authorization", "Bearer a"), ("x-auth-token", "b"), ("token", "c"));
        let find = |headers: &[_], query: &[_]| find(&extra, headers, query, OriginVerdict::NotNamed);
        assert_eq!(find(&[a, b], &[c]).as_deref(), Some("a"));
        assert_eq!(find(&[b], &[c]).as_deref(), Some("c"));
        assert_eq!(find(&[b], &[]).as_deref(), Some("b"));
        assert_eq!(find(&[("authorization", " "), b], &[]).as_deref(), Some("b"));
        assert_eq!(find(&[], &[("tokens", "c")]), None);
    }

    #[test]
    fn a_place_that_is_not_configured_is_not_looked_at() {
        assert_eq!(find(&[], &[("x-auth-token", "b")], &[("token", "c")], OriginVerdict::Allowed), None);
    }

    #[test]
    fn a_cookie_counts_only_with_an_allowed_origin() {
        let sent = [("cookie", "a=1; accessToken=t.o.k; b=2")];
        let extra = ["cookie:accessToken"];
        assert_eq!(find(&extra, &sent, &[], OriginVerdict::Allowed).as_deref(), Some("t.o.k"));
        assert_eq!(find(&extra, &sent, &[], OriginVerdict::NotNamed), None);
    }

    #[test]
    fn exactly_the_headers_that_may_hold_a_token_are_kept() {
        let places = TokenPlaces::new(vec!["header:x-auth-token".parse().unwrap(), "query:t".parse().unwrap()]);
        assert_eq!(places.headers(), [AUTHORIZATION, HeaderName::from_static("x-auth-token")]);
    }
}
