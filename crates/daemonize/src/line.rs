//! The line from the daemon to its launcher.
//!
//! A word is one byte that says what it is, a status, the length of a text in two bytes, and the text. It is written in one
//! piece, and is short enough for the kernel to keep it whole (`PIPE_BUF`, pipe(7)).

use std::io::{PipeWriter, Write as _};

use parking_lot::Mutex;

const STARTED: u8 = 1;
const FAILING: u8 = 2;
const FAILED: u8 = 3;
const HEAD: usize = 4;
const LONGEST_TEXT: usize = 3500;

/// What the daemon tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// All is well, and nothing follows.
    Started,
    /// It will end. A better word may follow.
    Failing { status: u8, message: String },
    /// It will end, and this is why.
    Failed { status: u8, message: String },
}

impl Word {
    fn encode(&self) -> Vec<u8> {
        let (kind, status, text) = match self {
            Word::Started => (STARTED, 0, ""),
            Word::Failing { status, message } => (FAILING, *status, message.as_str()),
            Word::Failed { status, message } => (FAILED, *status, message.as_str()),
        };
        let text = &text[..text.floor_char_boundary(LONGEST_TEXT)];
        let length = u16::try_from(text.len()).unwrap_or(0).to_be_bytes();
        [&[kind, status], &length[..], text.as_bytes()].concat()
    }

    /// Takes the first whole word off what was read.
    pub(crate) fn take(read: &mut Vec<u8>) -> Option<Word> {
        let &[kind, status, high, low, ..] = read.as_slice() else { return None };
        let end = HEAD + usize::from(u16::from_be_bytes([high, low]));
        let message = String::from_utf8_lossy(read.get(HEAD..end)?).into_owned();
        read.drain(..end);
        Some(match kind {
            STARTED => Word::Started,
            FAILING => Word::Failing { status, message },
            _ => Word::Failed { status, message },
        })
    }
}

/// The daemon's end. A launcher that is gone is no error: then nobody wants to know.
#[derive(Debug)]
pub(crate) struct Line(Mutex<Option<PipeWriter>>);

impl Line {
    pub(crate) fn new(pipe: Option<PipeWriter>) -> Line {
        Line(Mutex::new(pipe))
    }

    /// Tells the launcher, unless the last word has been spoken.
    pub(crate) fn tell(&self, word: &Word) {
        let mut pipe = self.0.lock();
        if let Some(pipe) = &mut *pipe {
            let _ = pipe.write_all(&word.encode());
        }
        if !matches!(word, Word::Failing { .. }) {
            *pipe = None;
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.lock().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_out_as_they_went_in_however_they_were_cut() {
        let words = [
            Word::Failing { status: 7, message: "soon".to_owned() },
            Word::Failed { status: 1, message: String::new() },
            Word::Started,
        ];
        let all: Vec<u8> = words.iter().flat_map(Word::encode).collect();
        let (mut read, mut came) = (Vec::new(), Vec::new());
        for byte in all {
            read.push(byte);
            came.extend(std::iter::from_fn(|| Word::take(&mut read)));
        }
        assert_eq!(came, words);
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let word = Word::Failed { status: 1, message: "ä".repeat(4000) };
        let mut read = word.encode();
        assert!(read.len() <= 4096);
        let Some(Word::Failed { message, .. }) = Word::take(&mut read) else { unreachable!() };
        assert_eq!(message.len(), LONGEST_TEXT);
        assert!(message.chars().all(|character| character == 'ä'));
    }
}
