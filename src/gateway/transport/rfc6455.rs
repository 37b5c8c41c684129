//! WebSocket framing of what a client sends (RFC 6455).
//!
//! Why no crate: the frames that go out are encoded once and shared by all their receivers, and what comes in is unmasked where the
//! socket's bytes were read, so that an idle connection owns no buffer in either direction. The crates keep both per connection.

/// The largest payload of a control frame.
const CONTROL_BYTES_MAX: usize = 125;
/// Into how many frames a message may be cut. Empty ones count too, so that nobody can be kept busy for nothing.
pub(super) const FRAGMENTS_MAX: u16 = 1_024;

/// One thing that a client said. Text is known to be UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming<'a> {
    /// A whole message.
    Text(&'a str),
    /// A whole binary message; its content is of no use to anybody here.
    Binary,
    /// To be answered with the same bytes.
    Ping(&'a [u8]),
    /// An answer that nobody asked for.
    Pong,
    /// The client closes.
    Close,
    /// A part of a message.
    Part,
}

/// The client broke a rule; the connection is closed with this status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Violation {
    /// Against the framing.
    Protocol = 1002,
    /// Text that is not UTF-8.
    Encoding = 1007,
    /// A message in more pieces than [`FRAGMENTS_MAX`].
    TooManyFragments = 1008,
    /// A message larger than the limit.
    TooLarge = 1009,
}

/// Takes frames out of the bytes of one connection.
pub(super) struct Decoder {
    /// The pieces of a message so far; there only while one is incomplete.
    partial: Option<Box<Partial>>,
    message_bytes_max: usize,
}

struct Partial {
    is_text: bool,
    is_complete: bool,
    fragments: u16,
    bytes: Vec<u8>,
}

/// The header of one frame.
struct Header {
    is_final: bool,
    opcode: u8,
    /// Where the payload starts.
    start: usize,
    payload_bytes: usize,
    mask: [u8; 4],
}

impl Decoder {
    pub(super) fn new(message_bytes_max: usize) -> Self {
        Self { partial: None, message_bytes_max }
    }

    /// Takes the first frame out of `bytes` and says how many bytes it had; `None` until all of it is there. Unmasks in place.
    pub(super) fn next<'a>(&'a mut self, bytes: &'a mut [u8]) -> Result<Option<(usize, Incoming<'a>)>, Violation> {
        if self.partial.as_ref().is_some_and(|partial| partial.is_complete) {
            self.partial = None;
        }
        let Some(header) = self.header(bytes)? else { return Ok(None) };
        let end = header.start + header.payload_bytes;
        let Some(payload) = bytes.get_mut(header.start..end) else { return Ok(None) };
        unmask(payload, header.mask);
        let incoming = match header.opcode {
            0x8 => {
                check_close(payload)?;
                Incoming::Close
            }
            0x9 => Incoming::Ping(payload),
            0xA => Incoming::Pong,
            0x1 if header.is_final => Incoming::Text(utf8(payload)?),
            0x2 if header.is_final => Incoming::Binary,
            _ => self.append(&header, payload)?,
        };
        Ok(Some((end, incoming)))
    }

    /// Reads and checks a header before any of its payload is waited for.
    fn header(&self, bytes: &[u8]) -> Result<Option<Header>, Violation> {
        let &[first, second, ..] = bytes else { return Ok(None) };
        let (is_final, opcode) = (first & 0x80 != 0, first & 0x0F);
        let is_control = opcode & 0x8 != 0;
        let is_masked = second & 0x80 != 0;
        let continues = self.partial.is_some();
        let in_order = match opcode {
            0x0 => continues,
            0x1 | 0x2 => !continues,
            0x8..=0xA => is_final,
            _ => false,
        };
        if first & 0x70 != 0 || !is_masked || !in_order {
            return Err(Violation::Protocol);
        }
        let (length_bytes, payload_bytes) = match second & 0x7F {
            126 => (2, bytes.get(2..4).map(|length| u64::from(u16::from_be_bytes([length[0], length[1]])))),
            127 => (8, bytes.get(2..10).map(|length| length.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))),
            short => (0, Some(u64::from(short))),
        };
        if is_control && length_bytes != 0 {
            return Err(Violation::Protocol);
        }
        let Some(payload_bytes) = payload_bytes else { return Ok(None) };
        let before = self.partial.as_ref().map_or(0, |partial| partial.bytes.len());
        let room = if is_control { CONTROL_BYTES_MAX } else { self.message_bytes_max.saturating_sub(before) };
        let payload_bytes =
            usize::try_from(payload_bytes).ok().filter(|size| *size <= room).ok_or(Violation::TooLarge)?;
        let start = 2 + length_bytes + 4;
        let Some(mask) = bytes.get(start - 4..start) else { return Ok(None) };
        Ok(Some(Header { is_final, opcode, start, payload_bytes, mask: [mask[0], mask[1], mask[2], mask[3]] }))
    }

    fn append(&mut self, header: &Header, payload: &[u8]) -> Result<Incoming<'_>, Violation> {
        let partial = self.partial.get_or_insert_with(|| {
            Box::new(Partial { is_text: header.opcode == 0x1, is_complete: false, fragments: 0, bytes: Vec::new() })
        });
        partial.fragments += 1;
        if partial.fragments > FRAGMENTS_MAX {
            return Err(Violation::TooManyFragments);
        }
        partial.bytes.extend_from_slice(payload);
        if !header.is_final {
            return Ok(Incoming::Part);
        }
        partial.is_complete = true;
        if partial.is_text { utf8(&partial.bytes).map(Incoming::Text) } else { Ok(Incoming::Binary) }
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, Violation> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| Violation::Encoding)
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let mut words = payload.chunks_exact_mut(8);
    for word in &mut words {
        let plain = u64::from_ne_bytes(word.try_into().expect("the chunk has 8 bytes")) ^ wide;
        word.copy_from_slice(&plain.to_ne_bytes());
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}

/// A Close carries nothing, or a status code that may be sent and a reason in UTF-8.
fn check_close(payload: &[u8]) -> Result<(), Violation> {
    let (code, reason) = match payload {
        [] => return Ok(()),
        [_] => return Err(Violation::Protocol),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    match code {
        1000..=1003 | 1007..=1014 | 3000..=4999 => utf8(reason).map(|_| ()),
        _ => Err(Violation::Protocol),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

    /// A client's frame: `first` is FIN, RSV and opcode.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..=125 => bytes.push(0x80 | short as u8),
            middle @ 126..=0xFFFF => {
                bytes.push(0x80 | 126);
                bytes.extend_from_slice(&(middle as u16).to_be_bytes());
            }
            long => {
                bytes.push(0x80 | 127);
                bytes.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(&MASK);
        let start = bytes.len();
        bytes.extend_from_slice(payload);
        unmask(&mut bytes[start..], MASK);
        bytes
    }

    fn one(mut bytes: Vec<u8>) -> Result<Option<String>, Violation> {
        let mut decoder = Decoder::new(1_000);
        let read = decoder.next(&mut bytes)?;
        Ok(read.map(|(used, incoming)| format!("{used} {incoming:?}")))
    }

    #[test]
    fn whole_messages_and_control_frames_are_read() {
        assert_eq!(one(frame(0x81, "héllo".as_bytes())), Ok(Some("12 Text(\"héllo\")".to_owned())));
        assert_eq!(one(frame(0x81, b"")), Ok(Some("6 Text(\"\")".to_owned())));
        assert_eq!(one(frame(0x82, b"ab")), Ok(Some("8 Binary".to_owned())));
        assert_eq!(one(frame(0x89, b"a")), Ok(Some("7 Ping([97])".to_owned())));
        assert_eq!(one(frame(0x8A, b"a")), Ok(Some("7 Pong".to_owned())));
        assert_eq!(one(frame(0x88, b"")), Ok(Some("6 Close".to_owned())));
        assert_eq!(one(frame(0x88, b"\x03\xE8bye")), Ok(Some("11 Close".to_owned())));
        let long = "x".repeat(1_000);
        assert_eq!(one(frame(0x81, long.as_bytes())), Ok(Some(format!("1008 Text({long:?})"))));
    }

    #[test]
    fn broken_frames_are_refused_with_their_code() {
        let mut unmasked = frame(0x81, b"a");
        unmasked[1] &= 0x7F;
        let reserved_close = |code: u16| frame(0x88, &code.to_be_bytes());
        for (bytes, violation) in [
            (b"test".to_vec(), Violation::Protocol),
            (unmasked, Violation::Protocol),
            (frame(0xC1, b"a"), Violation::Protocol),
            (frame(0x83, b"a"), Violation::Protocol),
            (frame(0x8B, b"a"), Violation::Protocol),
            (frame(0x80, b"a"), Violation::Protocol),
            (frame(0x09, b"a"), Violation::Protocol),
            (frame(0x89, &[0; 126]), Violation::Protocol),
            (frame(0x88, b"a"), Violation::Protocol),
            (reserved_close(999), Violation::Protocol),
            (reserved_close(1005), Violation::Protocol),
            (reserved_close(1006), Violation::Protocol),
            (reserved_close(2999), Violation::Protocol),
            (reserved_close(5000), Violation::Protocol),
            (frame(0x88, b"\x03\xE8\xFF"), Violation::Encoding),
            (frame(0x81, b"\xFF"), Violation::Encoding),
            (frame(0x81, &[b'a'; 1_001]), Violation::TooLarge),
            (vec![0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], Violation::TooLarge),
        ] {
            assert_eq!(one(bytes.clone()), Err(violation), "{bytes:?}");
        }
    }

    #[test]
    fn fragments_are_joined_around_control_frames() {
        let mut decoder = Decoder::new(1_000);
        // The two bytes of one character may lie in two fragments.
        assert_eq!(decoder.next(&mut frame(0x01, b"h\xC3")), Ok(Some((8, Incoming::Part))));
        assert_eq!(decoder.next(&mut frame(0x89, b"")), Ok(Some((6, Incoming::Ping(b"")))));
        assert_eq!(decoder.next(&mut frame(0x00, b"")), Ok(Some((6, Incoming::Part))));
        assert_eq!(decoder.next(&mut frame(0x80, b"\xA9")), Ok(Some((7, Incoming::Text("hé")))));
        assert_eq!(decoder.next(&mut frame(0x81, b"next")), Ok(Some((10, Incoming::Text("next")))));
    }

    #[test]
    fn a_message_in_pieces_is_bounded_in_bytes_and_in_pieces() {
        let mut decoder = Decoder::new(10);
        assert_eq!(decoder.next(&mut frame(0x01, b"12345678")), Ok(Some((14, Incoming::Part))));
        assert_eq!(decoder.next(&mut frame(0x80, b"901")), Err(Violation::TooLarge));
        let mut decoder = Decoder::new(10);
        assert_eq!(decoder.next(&mut frame(0x01, b"")), Ok(Some((6, Incoming::Part))));
        for _ in 1..FRAGMENTS_MAX {
            assert_eq!(decoder.next(&mut frame(0x00, b"")), Ok(Some((6, Incoming::Part))));
        }
        assert_eq!(decoder.next(&mut frame(0x00, b"")), Err(Violation::TooManyFragments));
        let mut decoder = Decoder::new(10);
        assert_eq!(decoder.next(&mut frame(0x01, b"")), Ok(Some((6, Incoming::Part))));
        assert_eq!(decoder.next(&mut frame(0x81, b"")), Err(Violation::Protocol), "a new message inside another");
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_decoder(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut decoder = Decoder::new(200);
            let mut at = 0;
            while let Ok(Some((used, _))) = decoder.next(&mut bytes[at..]) {
                at += used;
            }
            prop_assert!(at <= bytes.len());
        }

        #[test]
        fn a_message_reads_alike_however_it_is_cut(text in "\\PC{0,400}", cut in 0_usize..500) {
            let whole = frame(0x81, text.as_bytes());
            let mut decoder = Decoder::new(2_000);
            let mut head = whole[..cut.min(whole.len() - 1)].to_vec();
            prop_assert_eq!(decoder.next(&mut head), Ok(None));
            let mut all = whole.clone();
            prop_assert_eq!(decoder.next(&mut all), Ok(Some((whole.len(), Incoming::Text(&text)))));
        }
    }
}
