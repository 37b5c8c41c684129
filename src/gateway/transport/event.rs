//! An event from a client: its name and the JSON text of its arguments, over one copy of the packet.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;
use socketioxide_core::Str;

/// More arguments than any vocabulary has; an event with more is not read.
pub const EVENT_ARGS_MAX: usize = 16;

/// Names that the clients' library keeps for itself.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Whether the client keeps to the frame rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// It does.
    Within,
    /// It does not: answer `rate_limited` and do nothing else.
    TooFast,
}

/// An event as the client sent it. The arguments are known to be JSON and are otherwise unread.
#[derive(Clone)]
pub struct InboundEvent {
    /// The whole `["name",…]`.
    text: Str,
    name: Name,
    args: SmallVec<[Range<u32>; 2]>,
    /// The id to answer under with [`Socket::ack`](super::Socket::ack), if the client asked for an answer.
    pub ack: Option<u64>,
    /// Whether the client keeps to the frame rate.
    pub pace: Pace,
}

/// Names without escapes, which is all that real clients send, stay where they are.
#[derive(Clone)]
enum Name {
    Within(Range<u32>),
    Unescaped(Box<str>),
}

impl InboundEvent {
    /// Reads `["name",…]`; `None` when it is no such array, or its name is not one that a client may use.
    pub(super) fn parse(text: Str, ack: Option<u64>, pace: Pace) -> Option<Self> {
        let pieces: Pieces<'_> = serde_json::from_str(text.as_str()).ok()?;
        let name: std::borrow::Cow<'_, str> = serde_json::from_str::<BorrowedStr<'_>>(pieces.name).ok()?.0;
        if RESERVED.contains(&&*name) {
            return None;
        }
        let within = |piece: &str| {
            let start = piece.as_ptr() as usize - text.as_str().as_ptr() as usize;
            start as u32..(start + piece.len()) as u32
        };
        let name = match name {
            std::borrow::Cow::Borrowed(plain) => Name::Within(within(plain)),
            std::borrow::Cow::Owned(unescaped) => Name::Unescaped(unescaped.into()),
        };
        let args = pieces.args.iter().map(|piece| within(piece)).collect();
        drop(pieces);
        Some(Self { name, args, ack, pace, text })
    }

    /// The event's name, unescaped. Never one of the names that Socket.IO reserves.
    pub fn name(&self) -> &str {
        match &self.name {
            Name::Within(range) => self.piece(range),
            Name::Unescaped(name) => name,
        }
    }

    /// The JSON text of each argument after the name; at most [`EVENT_ARGS_MAX`].
    pub fn args(&self) -> impl ExactSizeIterator<Item = &str> {
        self.args.iter().map(|range| self.piece(range))
    }

    /// The JSON text of one argument.
    pub fn arg(&self, index: usize) -> Option<&str> {
        self.args.get(index).map(|range| self.piece(range))
    }

    /// The bytes that the event holds, for bounds on queues of them.
    pub fn len(&self) -> usize {
        self.text.as_str().len()
    }

    /// Never true: an event has at least its name.
    pub fn is_empty(&self) -> bool {
        self.text.as_str().is_empty()
    }

    fn piece(&self, range: &Range<u32>) -> &str {
        &self.text.as_str()[range.start as usize..range.end as usize]
    }
}

impl fmt::Debug for InboundEvent {
    /// Without the arguments: they hold what people write.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundEvent")
            .field("name", &self.name())
            .field("args", &self.args.len())
            .field("ack", &self.ack)
            .finish()
    }
}

/// The array, with every element still as text.
struct Pieces<'a> {
    name: &'a str,
    args: SmallVec<[&'a str; 2]>,
}

impl<'de> Deserialize<'de> for Pieces<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PiecesVisitor)
    }
}

struct PiecesVisitor;

impl<'de> Visitor<'de> for PiecesVisitor {
    type Value = Pieces<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event's name and its arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let name: &RawValue = array.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        let mut args = SmallVec::new();
        while let Some(arg) = array.next_element::<&RawValue>()? {
            if args.len() == EVENT_ARGS_MAX {
                return Err(A::Error::invalid_length(args.len() + 2, &self));
            }
            args.push(arg.get());
        }
        Ok(Pieces { name: name.get(), args })
    }
}

/// A JSON string that is copied only when it has escapes.
struct BorrowedStr<'a>(std::borrow::Cow<'a, str>);

impl<'de> Deserialize<'de> for BorrowedStr<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StrVisitor;
        impl<'de> Visitor<'de> for StrVisitor {
            type Value = BorrowedStr<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: Error>(self, plain: &'de str) -> Result<Self::Value, E> {
                Ok(BorrowedStr(plain.into()))
            }
            fn visit_str<E: Error>(self, unescaped: &str) -> Result<Self::Value, E> {
                Ok(BorrowedStr(unescaped.to_owned().into()))
            }
        }
        deserializer.deserialize_str(StrVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<InboundEvent> {
        InboundEvent::parse(text.to_owned().into(), None, Pace::Within)
    }

    #[test]
    fn name_and_arguments_are_read_as_they_stand() {
        let event = parse(r#" [ "greet" , {"a": [1, 2]} ,"x", 1e400,null ] "#).unwrap();
        assert_eq!(event.name(), "greet");
        assert_eq!(event.args().collect::<Vec<_>>(), [r#"{"a": [1, 2]}"#, r#""x""#, "1e400", "null"]);
        assert_eq!((event.arg(1), event.arg(4)), (Some(r#""x""#), None));
        let escaped = parse(r#"["gr\u0065et"]"#).unwrap();
        assert_eq!((escaped.name(), escaped.args().len()), ("greet", 0));
    }

    #[test]
    fn what_is_no_event_is_not_read() {
        for text in [
            "",
            "[]",
            "{}",
            "1",
            "null",
            "\"greet\"",
            "[1]",
            "[true,\"foo\"]",
            "[null,\"bar\"]",
            r#"[{"toString":"foo"}]"#,
            "[\"some\",\"data\"",
            "[\"a\",]",
            "[\"a\"]]",
            "[\"a\" \"b\"]",
            "[\"a\",{]",
            "[\"\\ud800\"]",
            "[\"a\",\"\\x\"]",
            "[\"connect\"]",
            "[\"connect_error\"]",
            "[\"disconnect\",\"123\"]",
            "[\"disconnecting\"]",
            "[\"newListener\"]",
            "[\"removeListener\"]",
            "[\"c\\u006fnnect\"]",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn depth_and_number_of_arguments_do_not_grow_the_process() {
        let deep = format!("[\"a\",{}{}]", "[".repeat(100_000), "]".repeat(100_000));
        assert!(parse(&deep).is_some_and(|event| event.arg(0).is_some_and(|arg| arg.len() == 200_000)));
        assert!(parse(&format!("[\"a\"{}]", ",1".repeat(EVENT_ARGS_MAX))).is_some());
        assert!(parse(&format!("[\"a\"{}]", ",1".repeat(EVENT_ARGS_MAX + 1))).is_none());
        assert!(parse(&format!("[\"a\"{}]", ",1".repeat(60_000))).is_none());
    }

    #[test]
    fn prototype_like_names_are_names_like_others() {
        for name in ["__proto__", "constructor", "toString", "error", "hasOwnProperty"] {
            assert_eq!(parse(&format!("[\"{name}\"]")).unwrap().name(), name);
        }
    }
}
