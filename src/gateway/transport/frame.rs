//! A packet encoded once, to be written to any number of connections.

use bytes::{BufMut, Bytes, BytesMut};
use socketioxide_core::packet::Packet as SocketPacket;
use socketioxide_core::parser::Parse;
use socketioxide_core::{Str, Value};
use socketioxide_parser_common::CommonParser;

/// The largest header of an unmasked WebSocket frame.
const HEADER_BYTES_MAX: usize = 10;

/// WebSocket opcodes with the FIN bit set, as the server sends them.
pub(super) const FIN_TEXT: u8 = 0x81;
pub(super) const FIN_CLOSE: u8 = 0x88;
pub(super) const FIN_PONG: u8 = 0x8A;

/// One Engine.IO packet as a finished WebSocket frame. Cloning shares the bytes; long-polling uses the payload part alone.
#[derive(Debug, Clone)]
pub struct Frame {
    bytes: Bytes,
    header_bytes: u8,
}

impl Frame {
    /// `42["name",payload]` (or `42/namespace,[…]`): an event with one argument.
    ///
    /// `payload_json` must be one JSON value; it is copied unread.
    pub fn event(namespace: &str, name: &str, payload_json: &[u8]) -> Self {
        Self::event_args(namespace, name, [payload_json])
    }

    /// An event with any number of arguments, each one JSON value.
    pub fn event_args<'a>(namespace: &str, name: &str, args_json: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut packet = packet_start("42", namespace, 128);
        packet.put_u8(b'[');
        put_json_str(&mut packet, name);
        for arg in args_json {
            packet.put_u8(b',');
            packet.put_slice(arg);
        }
        packet.put_u8(b']');
        Self::from_buffer(FIN_TEXT, packet)
    }

    /// `43id[payload]`: the answer to an event that asked for one.
    pub fn ack(namespace: &str, id: u64, payload_json: &[u8]) -> Self {
        let mut packet = packet_start("43", namespace, payload_json.len() + 24);
        put_number(&mut packet, id);
        packet.put_u8(b'[');
        packet.put_slice(payload_json);
        packet.put_u8(b']');
        Self::from_buffer(FIN_TEXT, packet)
    }

    /// `44{"message":…,"data":…}`: a namespace refused.
    pub(super) fn connect_error(namespace: &str, message: &str, data: Option<&serde_json::Value>) -> Self {
        let mut packet = packet_start("44", namespace, 128);
        packet.put_slice(b"{\"message\":");
        put_json_str(&mut packet, message);
        if let Some(data) = data {
            packet.put_slice(b",\"data\":");
            packet.put_slice(data.to_string().as_bytes());
        }
        packet.put_u8(b'}');
        Self::from_buffer(FIN_TEXT, packet)
    }

    /// `40{"sid":…}`: a namespace joined.
    pub(super) fn connected(namespace: &str, socket_id: &str) -> Self {
        let sid = Value::Str(format!("{{\"sid\":\"{socket_id}\"}}").into(), None);
        Self::packet(SocketPacket::connect(Str::copy_from_slice(namespace), Some(sid)))
    }

    /// `41`: out of the namespace.
    pub(super) fn disconnect(namespace: &str) -> Self {
        Self::packet(SocketPacket::disconnect(Str::copy_from_slice(namespace)))
    }

    fn packet(packet: SocketPacket) -> Self {
        let encoded = CommonParser.encode(packet);
        let text = encoded.as_str().expect("the common parser encodes text");
        Self::control(FIN_TEXT, &[b"4", text.as_bytes()].concat())
    }

    /// A whole Engine.IO packet as text.
    pub(super) fn text(packet: &str) -> Self {
        Self::control(FIN_TEXT, packet.as_bytes())
    }

    /// A frame of any opcode.
    pub(super) fn control(opcode: u8, payload: &[u8]) -> Self {
        let mut buffer = BytesMut::with_capacity(HEADER_BYTES_MAX + payload.len());
        buffer.put_bytes(0, HEADER_BYTES_MAX);
        buffer.put_slice(payload);
        Self::from_buffer(opcode, buffer)
    }

    /// A Close frame with its status code.
    pub(super) fn close(code: u16) -> Self {
        Self::control(FIN_CLOSE, &code.to_be_bytes())
    }

    /// Header and payload: what goes over a WebSocket.
    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The frame as plain bytes, to be kept until [`Frame::take_from`] brings it back.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Takes the first of the frames that lie in these bytes one behind the other; none when there is none left. Shares them.
    ///
    /// The bytes must be those of [`Frame::into_bytes`].
    pub fn take_from(bytes: &mut Bytes) -> Option<Self> {
        let (header_bytes, payload_bytes) = match bytes.get(1)? {
            126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
            127 => (HEADER_BYTES_MAX, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
            short => (2, usize::from(*short)),
        };
        let frame_bytes = header_bytes.checked_add(payload_bytes).filter(|frame_bytes| *frame_bytes <= bytes.len())?;
        Some(Self { bytes: bytes.split_to(frame_bytes), header_bytes: header_bytes as u8 })
    }

    /// The payload alone: the Engine.IO packet, as long-polling carries it.
    pub(super) fn payload(&self) -> &[u8] {
        &self.bytes[usize::from(self.header_bytes)..]
    }

    /// True for a text frame, false for the frames that only a WebSocket has.
    pub(super) fn is_packet(&self) -> bool {
        self.bytes[0] == FIN_TEXT
    }

    /// The size on a WebSocket, in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Never true: a frame has at least its header.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Writes the header right before the payload, into the room that [`packet_start`] left.
    fn from_buffer(opcode: u8, mut buffer: BytesMut) -> Self {
        let payload_bytes = buffer.len() - HEADER_BYTES_MAX;
        let header_bytes = match payload_bytes {
            0..=125 => 2,
            126..=0xFFFF => 4,
            _ => HEADER_BYTES_MAX,
        };
        let start = HEADER_BYTES_MAX - header_bytes;
        let header = &mut buffer[start..HEADER_BYTES_MAX];
        header[0] = opcode;
        match header_bytes {
            2 => header[1] = payload_bytes.to_le_bytes()[0],
            4 => {
                header[1] = 126;
                header[2..].copy_from_slice(&payload_bytes.to_be_bytes()[6..]);
            }
            _ => {
                header[1] = 127;
                header[2..].copy_from_slice(&payload_bytes.to_be_bytes());
            }
        }
        let bytes = buffer.freeze().slice(start..);
        Self { bytes, header_bytes: header_bytes as u8 }
    }
}

/// A buffer with room for the header, the packet's type and its namespace.
fn packet_start(kind: &str, namespace: &str, more_bytes: usize) -> BytesMut {
    let mut packet = BytesMut::with_capacity(HEADER_BYTES_MAX + kind.len() + namespace.len() + 1 + more_bytes);
    packet.put_bytes(0, HEADER_BYTES_MAX);
    packet.put_slice(kind.as_bytes());
    if namespace != "/" {
        packet.put_slice(namespace.as_bytes());
        packet.put_u8(b',');
    }
    packet
}

fn put_json_str(packet: &mut BytesMut, text: &str) {
    let quoted = serde_json::to_string(text).expect("a string is always JSON");
    packet.put_slice(quoted.as_bytes());
}

fn put_number(packet: &mut BytesMut, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10).to_le_bytes()[0];
        number /= 10;
        if number == 0 {
            break;
        }
    }
    packet.put_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(frame: &Frame) -> &str {
        std::str::from_utf8(frame.payload()).unwrap()
    }

    #[test]
    fn an_event_carries_its_namespace_only_when_it_is_not_the_default_one() {
        assert_eq!(payload(&Frame::event("/", "greet", b"{\"a\":1}")), "42[\"greet\",{\"a\":1}]");
        assert_eq!(payload(&Frame::event("/messages", "x", b"1")), "42/messages,[\"x\",1]");
        assert_eq!(payload(&Frame::event_args("/", "x\"y", [b"1".as_slice(), b"[]"])), "42[\"x\\\"y\",1,[]]");
        assert_eq!(payload(&Frame::event_args("/", "x", [])), "42[\"x\"]");
    }

    #[test]
    fn an_ack_and_a_refusal_are_as_the_client_expects_them() {
        assert_eq!(payload(&Frame::ack("/", 0, b"{}")), "430[{}]");
        assert_eq!(payload(&Frame::ack("/m", u64::MAX, b"{}")), "43/m,18446744073709551615[{}]");
        assert_eq!(payload(&Frame::connect_error("/", "no", None)), "44{\"message\":\"no\"}");
        let data = serde_json::json!({"code": "unauthorized"});
        assert_eq!(
            payload(&Frame::connect_error("/m", "no", Some(&data))),
            "44/m,{\"message\":\"no\",\"data\":{\"code\":\"unauthorized\"}}"
        );
    }

    #[test]
    fn joining_and_leaving_are_said_in_the_official_words() {
        assert_eq!(payload(&Frame::connected("/", "x")), "40{\"sid\":\"x\"}");
        assert_eq!(payload(&Frame::connected("/m", "x")), "40/m,{\"sid\":\"x\"}");
        assert_eq!(payload(&Frame::disconnect("/")), "41");
        assert_eq!(payload(&Frame::disconnect("/m")), "41/m,");
    }

    #[test]
    fn frames_that_lie_one_behind_the_other_are_taken_apart_again() {
        let frames: Vec<Frame> =
            [0, 125, 126, 65_535, 65_536].map(|bytes| Frame::control(FIN_TEXT, &vec![b'x'; bytes])).into();
        let mut all = Bytes::from(frames.iter().map(|frame| frame.clone().into_bytes()).collect::<Vec<_>>().concat());
        for frame in frames {
            let taken = Frame::take_from(&mut all).unwrap();
            assert_eq!((taken.bytes(), taken.payload()), (frame.bytes(), frame.payload()));
        }
        assert!(Frame::take_from(&mut all).is_none());
    }

    #[test]
    fn the_header_has_the_shortest_of_the_three_lengths() {
        for (payload_bytes, header) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_535, vec![0x81, 126, 0xFF, 0xFF]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = Frame::control(FIN_TEXT, &vec![b'x'; payload_bytes]);
            assert_eq!(&frame.bytes()[..header.len()], header.as_slice());
            assert_eq!(frame.payload().len(), payload_bytes);
            assert_eq!(frame.len(), header.len() + payload_bytes);
        }
    }
}
