//! What one node tells another about a request that it sends on, in one signed header.

use std::net::IpAddr;

use aws_lc_rs::{constant_time, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};

use super::origin::Origin;
use super::refusal::Refused;

/// `address;origin;mac`.
pub(super) const HOP: HeaderName = HeaderName::from_static("x-rookery-hop");

/// Who asks, as the node decided that the client reached first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caller {
    /// The client's address, after trusted proxies.
    pub address: IpAddr,
    /// What the request's `Origin` means.
    pub origin: Origin,
    /// The request comes from another node, and is not sent on again.
    pub is_forwarded: bool,
}

/// Signs and checks the header, so that only nodes of the cluster can speak for a client.
pub(super) struct Hops {
    key: hmac::Key,
}

impl Hops {
    pub(super) fn new(cluster_secret: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, cluster_secret) }
    }

    /// The header for a request. It holds for this method, path and query alone.
    pub(super) fn sign(&self, caller: Caller, method: &Method, target: &str) -> Option<HeaderValue> {
        let told = format!("{};{}", caller.address, caller.origin.word());
        HeaderValue::from_str(&format!("{told};{}", self.mac(&told, method, target))).ok()
    }

    /// What another node says; `None` when the request comes from a client, refused when somebody pretends.
    pub(super) fn read(&self, headers: &HeaderMap, method: &Method, target: &str) -> Result<Option<Caller>, Refused> {
        let Some(hop) = headers.get(HOP) else { return Ok(None) };
        self.check(hop, method, target).map(Some).ok_or(Refused::BadRequest)
    }

    fn check(&self, hop: &HeaderValue, method: &Method, target: &str) -> Option<Caller> {
        let (told, mac) = hop.to_str().ok()?.rsplit_once(';')?;
        let expected = self.mac(told, method, target);
        constant_time::verify_slices_are_equal(expected.as_bytes(), mac.as_bytes()).ok()?;
        let (address, origin) = told.split_once(';')?;
        Some(Caller { address: address.parse().ok()?, origin: Origin::from_word(origin)?, is_forwarded: true })
    }

    fn mac(&self, told: &str, method: &Method, target: &str) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        for piece in ["hop:", told, " ", method.as_str(), " ", target] {
            context.update(piece.as_bytes());
        }
        URL_SAFE_NO_PAD.encode(context.sign())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_node_of_the_cluster_speaks_for_a_client_and_only_of_one_request() {
        let (hops, caller) = (
            Hops::new(b"secret"),
            Caller { address: [192, 0, 2, 1].into(), origin: Origin::Foreign, is_forwarded: false },
        );
        let hop = hops.sign(caller, &Method::GET, "/socket.io/?sid=a").unwrap();
        let mut headers = HeaderMap::new();
        assert_eq!(hops.read(&headers, &Method::GET, "/socket.io/?sid=a"), Ok(None));
        headers.insert(HOP, hop.clone());
        let told = hops.read(&headers, &Method::GET, "/socket.io/?sid=a");
        assert_eq!(told, Ok(Some(Caller { is_forwarded: true, ..caller })));
        assert_eq!(hops.read(&headers, &Method::POST, "/socket.io/?sid=a"), Err(Refused::BadRequest));
        assert_eq!(hops.read(&headers, &Method::GET, "/socket.io/?sid=b"), Err(Refused::BadRequest));
        assert_eq!(Hops::new(b"other").read(&headers, &Method::GET, "/socket.io/?sid=a"), Err(Refused::BadRequest));
        for wrong in ["", ";", ";;", "192.0.2.1;allowed;", &hop.to_str().unwrap().replace("foreign", "allowed")] {
            headers.insert(HOP, HeaderValue::from_str(wrong).unwrap());
            assert_eq!(hops.read(&headers, &Method::GET, "/socket.io/?sid=a"), Err(Refused::BadRequest), "{wrong}");
        }
    }
}
