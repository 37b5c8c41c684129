//! What the application gets to know of the HTTP request that opened a connection, and the parameters that the protocol reads from it.

use std::net::IpAddr;

use axum::extract::Query;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Uri};

use super::origin::Origin;

/// Parameters of the protocol itself, which no application asks for.
const OWN_PARAMETERS: [&str; 6] = ["EIO", "transport", "sid", "t", "b64", "j"];

/// Copied out of the request, so that nothing of hyper's buffers is kept. Lives as long as the connection, because a client may join a
/// namespace at any time; it holds only the headers that the configuration names.
#[derive(Debug)]
pub struct Handshake {
    /// The client's address, after trusted proxies.
    pub address: IpAddr,
    /// What the request's `Origin` means; a cookie counts only with [`Origin::Allowed`].
    pub origin: Origin,
    headers: Box<[(HeaderName, HeaderValue)]>,
    query: Box<[(Box<str>, Box<str>)]>,
}

impl Handshake {
    pub(super) fn new(address: IpAddr, origin: Origin, head: (&Uri, &HeaderMap), kept: &[HeaderName]) -> Self {
        let (uri, headers) = head;
        let copy = |name: &HeaderName| {
            let value = HeaderValue::from_bytes(headers.get(name)?.as_bytes()).ok()?;
            Some((name.clone(), value))
        };
        let Query(query) = Query::<Vec<(Box<str>, Box<str>)>>::try_from_uri(uri).unwrap_or_default();
        let query = query.into_iter().filter(|(name, _)| !OWN_PARAMETERS.contains(&&**name)).collect();
        Self { address, origin, headers: kept.iter().filter_map(copy).collect(), query }
    }

    /// A header that the configuration asked to keep.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(kept, _)| kept == name)?;
        value.to_str().ok()
    }

    /// A parameter of the URL, decoded; the first of that name.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(given, _)| **given == *name).map(|(_, value)| &**value)
    }
}

/// The parameters of the protocol, as they stand in the URL. Their real values need no decoding.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters<'a> {
    pub version: Option<&'a str>,
    pub transport: Option<&'a str>,
    pub sid: Option<&'a str>,
}

impl<'a> Parameters<'a> {
    pub(super) fn read(uri: &'a Uri) -> Self {
        let mut parameters = Self::default();
        for (name, value) in uri.query().unwrap_or("").split('&').filter_map(|pair| pair.split_once('=')) {
            let place = match name {
                "EIO" => &mut parameters.version,
                "transport" => &mut parameters.transport,
                "sid" => &mut parameters.sid,
                _ => continue,
            };
            place.get_or_insert(value);
        }
        parameters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_wanted_headers_and_the_clients_own_parameters_are_kept() {
        let uri = Uri::from_static("/socket.io/?EIO=4&transport=polling&t=x&dialect=snake&userId=a%20b");
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Bearer x"));
        headers.insert("cookie", HeaderValue::from_static("secret"));
        let kept = [HeaderName::from_static("authorization"), HeaderName::from_static("x-auth-token")];
        let handshake = Handshake::new([127, 0, 0, 1].into(), Origin::Absent, (&uri, &headers), &kept);
        assert_eq!(handshake.header(&kept[0]), Some("Bearer x"));
        assert_eq!(handshake.header(&kept[1]), None);
        assert_eq!(handshake.header(&HeaderName::from_static("cookie")), None);
        assert_eq!((handshake.query("dialect"), handshake.query("userId")), (Some("snake"), Some("a b")));
        assert_eq!((handshake.query("EIO"), handshake.query("t")), (None, None));
    }

    #[test]
    fn the_first_of_equal_parameters_counts() {
        let uri = Uri::from_static("/socket.io/?EIO=4&transport=polling&sid=a&sid=b&transport=websocket&x");
        let expected = Parameters { version: Some("4"), transport: Some("polling"), sid: Some("a") };
        assert_eq!(Parameters::read(&uri), expected);
        assert_eq!(Parameters::read(&Uri::from_static("/socket.io/")), Parameters::default());
    }
}
