//! Server-sent events: the one decoder and the one encoder of the house.
//!
//! Input: bytes, split anywhere. Output: frames. Line ends may be LF, CRLF or CR, a byte-order mark may lead, `data`
//! may come in several lines and without the space (WHATWG HTML §9.2.6). Not here: what a frame means.

use std::borrow::Cow;
use std::ops::Range;

use serde::Serialize;

/// One event of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The `event:` field, if there was one.
    pub event: Option<Cow<'a, str>>,
    /// The `data:` lines, joined by newlines.
    pub data: Cow<'a, str>,
}

/// Where a frame's `event` and its `data` lines stand in the buffer.
type Parts = (Option<Range<usize>>, Vec<Range<usize>>);

/// Cuts bytes into frames. Keeps only what is not yet a whole frame.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Where the current, unfinished frame's next line starts.
    line: usize,
    /// Up to where that line was searched for its end.
    searched: usize,
    event: Option<Range<usize>>,
    data: Vec<Range<usize>>,
    /// The last line ended in CR at the very end of the input: a LF that follows belongs to it.
    after_cr: bool,
    started: bool,
}

impl Decoder {
    /// Adds bytes as they came. Call [`Self::next_frame`] until it is `None` before adding more.
    pub fn push(&mut self, chunk: &[u8]) {
        let keep = self.data.iter().chain(&self.event).map(|range| range.start).min().unwrap_or(self.line);
        if keep > 0 {
            self.buffer.drain(..keep);
            self.line -= keep;
            self.searched -= keep;
            for range in self.data.iter_mut().chain(&mut self.event) {
                *range = range.start - keep..range.end - keep;
            }
        }
        self.buffer.extend_from_slice(chunk);
        if !self.started && self.buffer.len() >= 3 {
            self.started = true;
            if self.buffer.starts_with(b"\xef\xbb\xbf") {
                self.buffer.drain(..3);
            }
        }
    }

    /// The next whole frame, if there is one.
    pub fn next_frame(&mut self) -> Option<Frame<'_>> {
        if !self.started && (self.buffer.len() < 3 && b"\xef\xbb\xbf".starts_with(&self.buffer)) {
            return None;
        }
        while let Some((line, next)) = self.next_line() {
            self.line = next;
            self.searched = next;
            if line.is_empty() {
                if let Some(frame) = self.take_parts() {
                    return Some(self.frame(frame));
                }
            } else {
                self.field(line);
            }
        }
        None
    }

    /// The end of the input: a last frame that lacks its blank line still counts (S50).
    pub fn finish(&mut self) -> Option<Frame<'_>> {
        if self.line < self.buffer.len() {
            let line = self.line..self.buffer.len();
            self.line = self.buffer.len();
            self.searched = self.line;
            self.field(line);
        }
        let parts = self.take_parts()?;
        Some(self.frame(parts))
    }

    fn next_line(&mut self) -> Option<(Range<usize>, usize)> {
        if self.after_cr {
            match self.buffer.get(self.line) {
                None => return None,
                Some(b'\n') => {
                    self.line += 1;
                    self.searched = self.searched.max(self.line);
                }
                Some(_) => {}
            }
            self.after_cr = false;
        }
        let Some(found) = memchr::memchr2(b'\n', b'\r', &self.buffer[self.searched..]) else {
            self.searched = self.buffer.len();
            return None;
        };
        let end = self.searched + found;
        let mut next = end + 1;
        if self.buffer[end] == b'\r' {
            match self.buffer.get(next) {
                Some(b'\n') => next += 1,
                Some(_) => {}
                None => self.after_cr = true,
            }
        }
        Some((self.line..end, next))
    }

    fn field(&mut self, line: Range<usize>) {
        let bytes = &self.buffer[line.clone()];
        let colon = memchr::memchr(b':', bytes).unwrap_or(bytes.len());
        let mut value = (line.start + colon + 1).min(line.end);
        if self.buffer.get(value) == Some(&b' ') && value < line.end {
            value += 1;
        }
        match &bytes[..colon] {
            b"data" => self.data.push(value..line.end),
            b"event" => self.event = Some(value..line.end),
            _ => {} // comments, `id`, `retry`
        }
    }

    /// What the finished frame is made of; `None` for a frame without data, which the standard says to ignore.
    fn take_parts(&mut self) -> Option<Parts> {
        let event = self.event.take();
        if self.data.is_empty() {
            return None;
        }
        Some((event, std::mem::take(&mut self.data)))
    }

    fn frame(&self, (event, data): Parts) -> Frame<'_> {
        let text = |range: &Range<usize>| String::from_utf8_lossy(&self.buffer[range.clone()]);
        let data = match data.as_slice() {
            [one] => text(one),
            many => Cow::Owned(many.iter().map(text).collect::<Vec<_>>().join("\n")),
        };
        Frame { event: event.as_ref().map(text), data }
    }
}

/// Appends one event whose data is already one line of text.
pub fn write(out: &mut Vec<u8>, event: &str, data: &str) {
    for piece in ["event: ", event, "\ndata: ", data, "\n\n"] {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// The same without a name, as chats have it.
pub fn write_data(out: &mut Vec<u8>, data: &str) {
    for piece in ["data: ", data, "\n\n"] {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// Appends one event to `out`: `event: <name>`, one `data:` line of JSON, a blank line.
pub fn encode(out: &mut Vec<u8>, event: &str, data: &impl Serialize) {
    let start = out.len();
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(event.as_bytes());
    out.push(b'\n');
    data_line(out, start, data);
}

/// The same without a name, as chats have it.
pub fn encode_data(out: &mut Vec<u8>, data: &impl Serialize) {
    data_line(out, out.len(), data);
}

fn data_line(out: &mut Vec<u8>, start: usize, data: &impl Serialize) {
    out.extend_from_slice(b"data: ");
    // Writing to a Vec cannot fail, and our own types have string keys only; a failure would be a bug of ours, and
    // half an event must not go out.
    if serde_json::to_writer(&mut *out, data).is_err() {
        out.truncate(start);
        return;
    }
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(chunks: &[&[u8]]) -> Vec<(Option<String>, String)> {
        let mut decoder = Decoder::default();
        let mut frames = Vec::new();
        for chunk in chunks {
            decoder.push(chunk);
            while let Some(frame) = decoder.next_frame() {
                frames.push((frame.event.map(Cow::into_owned), frame.data.into_owned()));
            }
        }
        if let Some(frame) = decoder.finish() {
            frames.push((frame.event.map(Cow::into_owned), frame.data.into_owned()));
        }
        frames
    }

    #[test]
    fn every_line_end_and_spacing_is_read() {
        let stream = "\u{feff}event: a\r\ndata: 1\r\n\r\n: comment\n\ndata:2\ndata: 3\n\nid: 7\nevent:b\rdata: é😀\r\rdata: last";
        let frames = decode(&[stream.as_bytes()]);
        let expected = vec![
            (Some("a".to_owned()), "1".to_owned()),
            (None, "2\n3".to_owned()),
            (Some("b".to_owned()), "é😀".to_owned()),
            (None, "last".to_owned()),
        ];
        assert_eq!(frames, expected);
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(decode(&bytes), expected, "byte by byte");
    }

    proptest! {
        #[test]
        fn splitting_anywhere_gives_the_same_frames(
            texts in prop::collection::vec("[^\r\n]{0,20}", 1..6),
            ends in prop::collection::vec(prop::sample::select(vec!["\n", "\r\n", "\r"]), 6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let mut stream = String::new();
            for (i, text) in texts.iter().enumerate() {
                let end = ends[i % ends.len()];
                stream.push_str(&format!("event: e{i}{end}data: {text}{end}{end}"));
            }
            let whole = decode(&[stream.as_bytes()]);
            prop_assert_eq!(whole.len(), texts.len());
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            at.push(0);
            at.push(stream.len());
            at.sort_unstable();
            let chunks: Vec<&[u8]> = at.windows(2).map(|pair| &stream.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(decode(&chunks), whole);
        }
    }
}
