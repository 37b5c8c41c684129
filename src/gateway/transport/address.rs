//! The client's address: of the connection, or as told by proxies that are trusted.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::HeaderName;
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// More proxies in a row than anybody has.
const HOPS_MAX: usize = 16;

/// The address a request comes from, put into the extensions of every request that is not the transport's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

/// Follows `X-Forwarded-For` from the right for as long as the one who added an entry is trusted.
pub(super) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    let mut address = peer.to_canonical();
    let values = headers.get_all(X_FORWARDED_FOR).iter().collect::<Vec<_>>();
    let entries = values.iter().rev().flat_map(|value| value.to_str().unwrap_or("").rsplit(','));
    for entry in entries.take(HOPS_MAX) {
        if !is_trusted(address) {
            break;
        }
        let Some(told) = parse_entry(entry.trim()) else { break };
        address = told;
    }
    address
}

/// An address, with or without a port.
fn parse_entry(entry: &str) -> Option<IpAddr> {
    let address = entry.parse::<IpAddr>().or_else(|_| entry.parse::<std::net::SocketAddr>().map(|told| told.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, forwarded: &[&str]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(X_FORWARDED_FOR, value.parse().unwrap());
        }
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_what_trusted_proxies_added_is_believed() {
        assert_eq!(address("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(address("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["1.1.1.1", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(address("fd00::1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(address("::ffff:10.0.0.1", &["198.51.100.1:5000"]), "198.51.100.1");
    }

    #[test]
    fn what_is_no_address_ends_the_search() {
        assert_eq!(address("10.0.0.1", &["198.51.100.1, unknown"]), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &["", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &[&"10.0.0.3,".repeat(60)]), "10.0.0.1");
    }
}
