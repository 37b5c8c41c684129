//! Reads one Engine.IO packet and the Socket.IO packet inside it.
//!
//! The packets are taken apart by the socketioxide project's parser crates. Before they see one, [`check_header`] refuses everything
//! whose header is not of the few bytes that a real client sends, so that no hostile number or length reaches them.

use engineioxide_core::{Packet as EnginePacket, ProtocolVersion};
use serde_json::value::RawValue;
use socketioxide_core::packet::PacketData;
use socketioxide_core::parser::{Parse, ParseConfig, ParserState};
use socketioxide_core::{Str, Value};
use socketioxide_parser_common::CommonParser;

use super::event::{InboundEvent, Pace};

/// The longest namespace with its slash, in bytes.
const NAMESPACE_BYTES_MAX: usize = 64;
/// As many digits as the largest ack id has.
const ACK_DIGITS_MAX: usize = 19;

/// What a client says in one packet.
#[derive(Debug)]
pub(super) enum Packet {
    /// `1`: it closes the connection.
    Close,
    /// `3`: it is alive.
    Pong,
    /// Something that has no meaning here but does no harm: `5`, `6`, an ack that nobody waits for.
    Ignored,
    /// `40`: it asks to join.
    Connect { namespace: Str, auth: Option<Box<RawValue>> },
    /// `41`: it leaves.
    Disconnect { namespace: Str },
    /// `42`.
    Event { namespace: Str, event: InboundEvent },
}

/// The packet is not one that a client of these protocols sends: the connection is closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Packet {
    /// Reads one packet. Binary ones are malformed here: no vocabulary has any.
    pub(super) fn parse(text: &str, pace: Pace) -> Result<Self, Malformed> {
        if text.starts_with('b') {
            return Err(Malformed);
        }
        match EnginePacket::parse(ProtocolVersion::V4, Str::copy_from_slice(text)).map_err(|_| Malformed)? {
            EnginePacket::Message(message) => parse_message(message, pace),
            EnginePacket::Close => Ok(Self::Close),
            EnginePacket::Pong => Ok(Self::Pong),
            EnginePacket::PongUpgrade | EnginePacket::Upgrade | EnginePacket::Noop => Ok(Self::Ignored),
            // Only servers open and ping; a probe is the upgrade's affair and never comes here.
            EnginePacket::Open(_)
            | EnginePacket::Ping
            | EnginePacket::PingUpgrade
            | EnginePacket::Binary(_)
            | EnginePacket::BinaryV3(_) => Err(Malformed),
        }
    }
}

fn parse_message(message: Str, pace: Pace) -> Result<Packet, Malformed> {
    let body = check_header(message.as_str())?;
    let body_missing = body.is_empty();
    let packet =
        CommonParser.decode_str(&ParseConfig::default(), &ParserState::default(), message).map_err(|_| Malformed)?;
    let namespace = packet.ns;
    match packet.inner {
        PacketData::Connect(auth) => Ok(Packet::Connect { namespace, auth: auth.map(read_auth).transpose()? }),
        PacketData::Disconnect if body_missing => Ok(Packet::Disconnect { namespace }),
        PacketData::Event(Value::Str(text, None), ack) => {
            let event = InboundEvent::parse(text, ack.and_then(|id| u64::try_from(id).ok()), pace).ok_or(Malformed)?;
            Ok(Packet::Event { namespace, event })
        }
        PacketData::EventAck(Value::Str(text, None), _) => {
            serde_json::from_str::<Vec<serde::de::IgnoredAny>>(text.as_str()).map_err(|_| Malformed)?;
            Ok(Packet::Ignored)
        }
        PacketData::Disconnect
        | PacketData::Event(..)
        | PacketData::EventAck(..)
        | PacketData::ConnectError(_)
        | PacketData::BinaryEvent(..)
        | PacketData::BinaryAck(..) => Err(Malformed),
    }
}

/// Checks type, namespace and ack id against their bounds and gives back what follows them.
fn check_header(message: &str) -> Result<&str, Malformed> {
    let kind = *message.as_bytes().first().ok_or(Malformed)?;
    if !matches!(kind, b'0'..=b'3') {
        return Err(Malformed);
    }
    let mut rest = &message[1..];
    if rest.starts_with('/') {
        let head = &rest.as_bytes()[..rest.len().min(NAMESPACE_BYTES_MAX + 1)];
        let end = match memchr::memchr(b',', head) {
            Some(comma) => comma,
            None if rest.len() <= NAMESPACE_BYTES_MAX => rest.len(),
            None => return Err(Malformed),
        };
        rest = rest.get(end + 1..).unwrap_or("");
    }
    let digits = rest.bytes().take(ACK_DIGITS_MAX + 1).take_while(u8::is_ascii_digit).count();
    let id = &rest[..digits];
    let id_fits = id.is_empty() || (digits <= ACK_DIGITS_MAX && id.parse::<i64>().is_ok());
    let body = &rest[digits..];
    // Between an id and its array the parser would take anything, and forget the id.
    let body_belongs = if matches!(kind, b'2' | b'3') { body.starts_with('[') } else { id.is_empty() };
    if id_fits && body_belongs { Ok(body) } else { Err(Malformed) }
}

/// The `auth` of a CONNECT is an object or absent.
fn read_auth(auth: Value) -> Result<Box<RawValue>, Malformed> {
    let Value::Str(text, None) = auth else { return Err(Malformed) };
    if !text.as_str().trim_start().starts_with('{') {
        return Err(Malformed);
    }
    serde_json::from_str(text.as_str()).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Packet, Malformed> {
        Packet::parse(text, Pace::Within)
    }

    #[test]
    fn the_packets_of_a_real_client_are_read() {
        assert!(matches!(parse("1"), Ok(Packet::Close)));
        assert!(matches!(parse("3"), Ok(Packet::Pong)));
        assert!(matches!(parse("4312[1]"), Ok(Packet::Ignored)));
        assert!(matches!(parse("40"), Ok(Packet::Connect { namespace, auth: None }) if namespace == "/"));
        assert!(matches!(parse("40/m,"), Ok(Packet::Connect { namespace, auth: None }) if namespace == "/m"));
        let Ok(Packet::Connect { namespace, auth: Some(auth) }) = parse(r#"40/m,{"token":"t"}"#) else { panic!() };
        assert_eq!((namespace.as_str(), auth.get()), ("/m", r#"{"token":"t"}"#));
        assert!(matches!(parse("41"), Ok(Packet::Disconnect { namespace }) if namespace == "/"));
        assert!(matches!(parse("41/m,"), Ok(Packet::Disconnect { namespace }) if namespace == "/m"));
        assert!(matches!(parse("41/m"), Ok(Packet::Disconnect { namespace }) if namespace == "/m"));
    }

    #[test]
    fn an_event_keeps_its_ack_id_up_to_the_largest() {
        for (text, id) in [
            (r#"42["greet"]"#, None),
            (r#"420["greet"]"#, Some(0)),
            (r#"42/m,17["greet"]"#, Some(17)),
            (r#"429223372036854775807["greet"]"#, Some(i64::MAX as u64)),
        ] {
            let Ok(Packet::Event { event, .. }) = parse(text) else { panic!("{text}") };
            assert_eq!((event.name(), event.ack), ("greet", id));
        }
    }

    /// One packet a line.
    const MALFORMED: &str = r#"
4
x
0
2
2probe
7
9
é
b
bAAAA
4é
44
44{}
45
46
4999
442["some","data"
40/admin,"invalid"
40[]
401{}
40{
40null
41/admin,{}
411
42/admin,"invalid
42/admin,{}
42
42{}
42"a"
42[]
42[1]
42["connect"]
42["disconnect","123"]
42[{"toString":"foo"}]
42[true,"foo"]
42[null,"bar"]
451
45a-
451.23-
451-["x",{"_placeholder":true,"num":"splice"}]
4599999999-["x"]
461-1[]
43["a"]
43[1]
431
431{}
42-1["a"]
42 ["a"]
4217 ["a"]
429223372036854775808["a"]
4200000000000000000001["a"]"#;

    #[test]
    fn the_corpus_of_malformed_packets_is_refused() {
        // The first of them is the empty one.
        for text in MALFORMED.lines() {
            assert!(parse(text).is_err(), "{text}");
        }
        let (digits, letters) = ("9".repeat(1_000_000), "a".repeat(1_000_000));
        for text in [format!("42{digits}[\"a\"]"), format!("40/{letters}"), format!("45{digits}-[\"a\"]")] {
            assert!(parse(&text).is_err(), "{}", &text[..40]);
        }
    }

    #[test]
    fn a_namespace_has_at_most_64_bytes() {
        let longest = format!("/{}", "n".repeat(NAMESPACE_BYTES_MAX - 1));
        assert!(parse(&format!("40{longest},")).is_ok());
        assert!(parse(&format!("40{longest}")).is_ok());
        assert!(parse(&format!("40{longest}n,")).is_err());
        assert!(parse(&format!("40{longest}n")).is_err());
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in "[0-9b]{0,3}(/[a-zé]{0,4},?)?[0-9]{0,22}[\\PC]{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_read_was_a_json_array_with_a_name(text in r#"42[\[\]"a,:{}0\\u]{0,24}"#) {
            if let Ok(Packet::Event { event, .. }) = parse(&text) {
                let array: Vec<serde_json::Value> = serde_json::from_str(text[2..].trim_start_matches(|c: char| c.is_ascii_digit())).unwrap();
                prop_assert_eq!(array[0].as_str(), Some(event.name()));
                prop_assert_eq!(array.len(), event.args().len() + 1);
            }
        }
    }
}
