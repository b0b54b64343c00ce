//! What commands and logs put out: a stream of frames, each with a header of eight bytes,
//! the last four of which are its length.

use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::fault::Fault;

const HEADER: usize = 8;

/// Which part of a long output is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    First,
    Last,
}

/// Takes the text out of frames, however the stream is cut, and keeps a part of it.
#[derive(Debug)]
pub(super) struct Output {
    keep: Keep,
    bytes_max: usize,
    text: Vec<u8>,
    header: Vec<u8>,
    /// Bytes of the present frame that are still to come.
    frame: usize,
}

impl Output {
    pub(super) const fn new(keep: Keep, bytes_max: usize) -> Self {
        Self {
            keep,
            bytes_max,
            text: Vec::new(),
            header: Vec::new(),
            frame: 0,
        }
    }

    /// Reads a stream to its end.
    pub(super) async fn read(mut self, mut stream: Incoming) -> Result<Vec<u8>, Fault> {
        while let Some(frame) = stream.frame().await {
            let frame = frame.map_err(|error| Fault::Unreachable(Box::new(error)))?;
            if let Some(bytes) = frame.data_ref() {
                self.push(bytes);
            }
        }
        Ok(self.finish())
    }

    fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (taken, rest) = if self.frame > 0 {
                bytes.split_at(self.frame.min(bytes.len()))
            } else {
                bytes.split_at((HEADER - self.header.len()).min(bytes.len()))
            };
            if self.frame > 0 {
                self.frame -= taken.len();
                self.push_text(taken);
            } else {
                self.push_header(taken);
            }
            bytes = rest;
        }
    }

    fn push_header(&mut self, bytes: &[u8]) {
        self.header.extend_from_slice(bytes);
        if let [_, _, _, _, length @ ..] = self.header.as_slice()
            && let Ok(length) = <[u8; 4]>::try_from(length)
        {
            self.frame = u32::from_be_bytes(length) as usize;
            self.header.clear();
        }
    }

    fn push_text(&mut self, bytes: &[u8]) {
        match self.keep {
            Keep::First => {
                let room = self.bytes_max.saturating_sub(self.text.len());
                self.text.extend(bytes.iter().take(room));
            }
            Keep::Last => {
                self.text.extend_from_slice(bytes);
                // Seldom, so that each byte is moved about once.
                if self.text.len() > 2 * self.bytes_max {
                    self.trim();
                }
            }
        }
    }

    fn trim(&mut self) {
        let surplus = self.text.len().saturating_sub(self.bytes_max);
        self.text.drain(..surplus);
    }

    fn finish(mut self) -> Vec<u8> {
        self.trim();
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &[u8]) -> Vec<u8> {
        let mut frame = vec![1, 0, 0, 0];
        frame.extend_from_slice(&(text.len() as u32).to_be_bytes());
        frame.extend_from_slice(text);
        frame
    }

    fn check(keep: Keep, bytes_max: usize, expected: &str) {
        let stream = [frame("grüße, ".as_bytes()), frame(b""), frame(b"world")].concat();
        for step in 1..=stream.len() {
            let mut output = Output::new(keep, bytes_max);
            stream.chunks(step).for_each(|chunk| output.push(chunk));
            assert_eq!(output.finish(), expected.as_bytes(), "in steps of {step}");
        }
    }

    #[test]
    fn text_does_not_depend_on_how_the_stream_is_cut() {
        check(Keep::First, 100, "grüße, world");
        check(Keep::Last, 100, "grüße, world");
    }

    #[test]
    fn long_text_is_cut() {
        check(Keep::First, 2, "gr");
        check(Keep::Last, 3, "rld");
        check(Keep::First, 0, "");
        check(Keep::Last, 0, "");
    }

    #[test]
    fn an_unfinished_frame_gives_what_is_there() {
        let mut output = Output::new(Keep::First, 100);
        output.push(&frame(b"whole")[..10]);
        assert_eq!(output.finish(), b"wh");
    }
}
