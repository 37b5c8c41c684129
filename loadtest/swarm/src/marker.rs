//! The marker in every content: `@@step.room.n.publisher.t_us@@`, t_us of CLOCK_MONOTONIC.

use crate::wire::number;

pub struct Marker {
    /// Measurement that the message belongs to.
    pub step: u32,
    /// Counts the messages of its room.
    pub n: u32,
    pub publisher: usize,
    /// When it was sent, or was due.
    pub sent_us: u64,
}

impl Marker {
    pub fn write(&self, room: usize) -> String {
        format!("@@{}.{room}.{}.{}.{}@@", self.step, self.n, self.publisher, self.sent_us)
    }

    /// Reads the marker that starts at the beginning of `bytes`.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (step, rest) = number(bytes.get(2..)?);
        let (_room, rest) = number(rest.get(1..)?);
        let (n, rest) = number(rest.get(1..)?);
        let (publisher, rest) = number(rest.get(1..)?);
        let (sent_us, _) = number(rest.get(1..)?);
        Some(Self { step: step as u32, n: n as u32, publisher: publisher as usize, sent_us })
    }
}

#[cfg(test)]
mod tests {
    use super::Marker;

    #[test]
    fn a_marker_reads_back() {
        let marker = Marker { step: 3, n: 17, publisher: 1, sent_us: 123_456_789 };
        let text = marker.write(9);
        let read = Marker::read(text.as_bytes()).unwrap();
        assert_eq!((read.step, read.n, read.publisher, read.sent_us), (3, 17, 1, 123_456_789));
        assert!(Marker::read(b"@@1.2").is_none());
    }
}
