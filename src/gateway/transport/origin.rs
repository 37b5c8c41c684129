//! Decides from which web pages a browser may connect, and says so in CORS headers.

use hyper::HeaderMap;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, HOST, HeaderValue, ORIGIN, VARY,
};

/// What the `Origin` of a request means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// No such header: not a browser, or a browser on the server's own page.
    Absent,
    /// The server's own, or one on the list.
    Allowed,
    /// Another, or `null`. Gets no WebSocket and no CORS header; a cookie it carries proves nothing.
    Foreign,
}

/// The origins that may connect.
pub(super) struct Origins {
    allowed: Vec<Box<str>>,
}

impl Origins {
    pub(super) fn new(allowed: &[String]) -> Self {
        Self { allowed: allowed.iter().map(|origin| origin.trim_end_matches('/').into()).collect() }
    }

    /// Judges a request. Exact matches only: no suffixes, no wildcards.
    pub(super) fn judge(&self, headers: &HeaderMap) -> Origin {
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else { return Origin::Absent };
        let (Ok(origin), None) = (origin.to_str(), origins.next()) else { return Origin::Foreign };
        let is_listed = self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin));
        let is_own = || headers.get(HOST).and_then(|host| host.to_str().ok()).is_some_and(|host| is_same(origin, host));
        if is_listed || is_own() { Origin::Allowed } else { Origin::Foreign }
    }
}

impl Origin {
    /// The word by which nodes pass a decision on.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Allowed => "allowed",
            Self::Foreign => "foreign",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Absent, Self::Allowed, Self::Foreign].into_iter().find(|origin| origin.word() == word)
    }

    /// Adds the headers that let a page of an allowed origin read the response.
    pub(super) fn allow(self, origin: Option<&HeaderValue>, response: &mut HeaderMap) {
        response.insert(VARY, HeaderValue::from_static("Origin"));
        if let (Self::Allowed, Some(origin)) = (self, origin) {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            response.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }

    /// Adds what a preflight asks for besides.
    pub(super) fn allow_preflight(self, response: &mut HeaderMap) {
        if self == Self::Allowed {
            response.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
            let headers = HeaderValue::from_static("Content-Type, Authorization, X-Auth-Token");
            response.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers);
            response.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
    }
}

/// Whether `origin` is a page of the host that was asked. The scheme may differ from ours: TLS may end before us.
fn is_same(origin: &str, host: &str) -> bool {
    let (default_port, authority) = match origin.split_once("://") {
        Some(("http", authority)) => (":80", authority),
        Some(("https", authority)) => (":443", authority),
        _ => return false,
    };
    let bare = |authority: &str| authority.strip_suffix(default_port).unwrap_or(authority).to_ascii_lowercase();
    !authority.is_empty() && bare(authority) == bare(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(origin: Option<&str>, host: &str) -> Origin {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        Origins::new(&["https://app.example.com".to_owned()]).judge(&headers)
    }

    #[test]
    fn the_list_and_the_own_host_are_matched_exactly() {
        let host = "chat.example.org:8443";
        assert_eq!(judge(None, host), Origin::Absent);
        assert_eq!(judge(Some("https://app.example.com"), host), Origin::Allowed);
        assert_eq!(judge(Some("https://chat.example.org:8443"), host), Origin::Allowed);
        for foreign in [
            "null",
            "",
            "https://evil.example",
            "https://app.example.com.evil.tld",
            "https://app.example.com:1",
            "http://app.example.com",
            "https://xapp.example.com",
            "https://chat.example.org",
            "file://",
            "chat.example.org:8443",
            "https://app.example.com/",
            "https://user@app.example.com",
            "ftp://chat.example.org:8443",
        ] {
            assert_eq!(judge(Some(foreign), host), Origin::Foreign, "{foreign}");
        }
    }

    #[test]
    fn the_default_port_may_be_written_or_not() {
        assert_eq!(judge(Some("https://chat.example.org"), "chat.example.org"), Origin::Allowed);
        assert_eq!(judge(Some("https://chat.example.org"), "chat.example.org:443"), Origin::Allowed);
        assert_eq!(judge(Some("http://Chat.Example.org:80"), "chat.example.org"), Origin::Allowed);
        assert_eq!(judge(Some("http://chat.example.org"), "chat.example.org:443"), Origin::Foreign);
    }

    #[test]
    fn two_origins_in_one_request_are_foreign() {
        let mut headers = HeaderMap::new();
        headers.append(ORIGIN, "https://app.example.com".parse().unwrap());
        headers.append(ORIGIN, "https://evil.example".parse().unwrap());
        assert_eq!(Origins::new(&["https://app.example.com".to_owned()]).judge(&headers), Origin::Foreign);
    }
}
