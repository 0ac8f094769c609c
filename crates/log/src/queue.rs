//! Lines that wait for a thread to write them: as many bytes as were agreed on, and never more.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::output::reason;
use crate::page::Page;

/// Why lines are lost while nothing else is wrong.
const FLOOD: &str = "they came faster than they could be written";

#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    came: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Waiting>,
    bytes: usize,
    capacity: usize,
    lost: u64,
    /// Why lines are lost, while something is wrong.
    trouble: Option<String>,
    /// What the note about lost lines looks like.
    page: Option<Page>,
    reopen: Vec<Sender<io::Result<()>>>,
    ending: bool,
}

/// A line that waits, or the note in the place of some that could not.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) text: String,
    /// How many lines are lost with it, if it is.
    pub(crate) counts: u64,
}

/// What the thread is to do next.
#[derive(Debug)]
pub(crate) enum Next {
    Line(Waiting),
    /// Open the file again, and say how that went.
    Reopen(Sender<io::Result<()>>),
    End,
}

/// What was left when the thread had ended.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) lines: VecDeque<Waiting>,
    pub(crate) lost: u64,
    pub(crate) why: String,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Queue {
        Queue { state: Mutex::new(State { capacity, ..State::default() }), came: Condvar::new() }
    }

    pub(crate) fn set_capacity(&self, capacity: usize) {
        self.state.lock().capacity = capacity;
    }

    /// Leaves a line, or counts it as lost.
    pub(crate) fn push(&self, line: String, page: Page) {
        let mut state = self.state.lock();
        state.page = Some(page);
        if state.lost > 0 {
            // Half of it must be free again: notes between single lines would tell nobody anything.
            if !state.lines.is_empty() && state.bytes + line.len() > state.capacity / 2 {
                state.lost += 1;
                return;
            }
            state.note();
        }
        // A line that is longer than all the room goes alone.
        if state.lines.is_empty() || state.bytes + line.len() <= state.capacity {
            state.add(line, 1);
            drop(state);
            self.came.notify_one();
        } else {
            state.lost += 1;
        }
    }

    /// Counts lines that were lost before they came here.
    pub(crate) fn lose(&self, lost: u64) {
        self.state.lock().lost += lost;
    }

    /// Waits for something to do. Lines are held back until `pause` is over, unless it is all to end.
    pub(crate) fn next(&self, pause: Option<Instant>) -> Next {
        let mut state = self.state.lock();
        loop {
            if let Some(answer) = state.reopen.pop() {
                return Next::Reopen(answer);
            }
            let pause = pause.filter(|until| !state.ending && Instant::now() < *until);
            if pause.is_none() {
                if state.lines.is_empty() {
                    state.note();
                }
                if let Some(line) = state.lines.pop_front() {
                    state.bytes -= line.text.len();
                    return Next::Line(line);
                }
                if state.ending {
                    return Next::End;
                }
            }
            match pause {
                Some(until) => drop(self.came.wait_until(&mut state, until)),
                None => self.came.wait(&mut state),
            }
        }
    }

    /// Gives a line back that could not be written; false if it is not to be tried again.
    pub(crate) fn put_back(&self, line: Waiting, error: &io::Error) -> bool {
        let mut state = self.state.lock();
        state.bytes += line.text.len();
        state.lines.push_front(line);
        state.trouble = Some(reason(error));
        !state.ending
    }

    /// Lines are written again. What was lost meanwhile was lost by the trouble, so its note is made now.
    pub(crate) fn mended(&self) {
        let mut state = self.state.lock();
        state.note();
        state.trouble = None;
    }

    pub(crate) fn ask_reopen(&self) -> Receiver<io::Result<()>> {
        let (answer, answered) = mpsc::channel();
        self.state.lock().reopen.push(answer);
        self.came.notify_one();
        answered
    }

    /// The thread is to write what is there, and end.
    pub(crate) fn end(&self) {
        self.state.lock().ending = true;
        self.came.notify_one();
    }

    pub(crate) fn begin(&self) {
        self.state.lock().ending = false;
    }

    pub(crate) fn take_rest(&self) -> Rest {
        let mut state = self.state.lock();
        let why = state.trouble.take().unwrap_or_else(|| FLOOD.to_owned());
        state.bytes = 0;
        Rest { lines: std::mem::take(&mut state.lines), lost: std::mem::take(&mut state.lost), why }
    }
}

impl State {
    /// Puts a note where lines are missing.
    fn note(&mut self) {
        if let Some(page) = self.page.filter(|_| self.lost > 0) {
            let note = page.missing(self.lost, self.trouble.as_deref().unwrap_or(FLOOD));
            let lost = std::mem::take(&mut self.lost);
            self.add(note, lost);
        }
    }

    fn add(&mut self, text: String, counts: u64) {
        self.bytes += text.len();
        self.lines.push_back(Waiting { text, counts });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Format;

    const PAGE: fn() -> Page = || Page::of_file(Format::Human);

    fn next(queue: &Queue) -> String {
        match queue.next(None) {
            Next::Line(line) => line.text,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_has_no_room_is_counted_where_it_is_missing_once_half_is_free() {
        let queue = Queue::new(100);
        (0..10).for_each(|number| queue.push(format!("line {number}...\n"), PAGE()));
        let kept: Vec<String> = (0..9).map(|_| next(&queue)).collect();
        assert_eq!((kept[0].as_str(), kept[8].as_str()), ("line 0...\n", "line 8...\n"));
        assert_eq!(next(&queue), "line 9...\n");
        (0..12).for_each(|number| queue.push(format!("line {number}...\n"), PAGE()));
        assert_eq!(next(&queue), "line 0...\n");
        queue.push("no: nearly full\n".to_owned(), PAGE());
        (0..9).for_each(|_| drop(next(&queue)));
        queue.push("again\n".to_owned(), PAGE());
        assert_eq!(next(&queue), "3 lines are missing here: they came faster than they could be written\n");
        assert_eq!(next(&queue), "again\n");
    }

    #[test]
    fn a_line_longer_than_all_the_room_goes_alone() {
        let queue = Queue::new(10);
        let long = "long".repeat(100);
        queue.push(long.clone(), PAGE());
        queue.push("lost".to_owned(), PAGE());
        assert_eq!(next(&queue), long);
        queue.end();
        let note = "1 lines are missing here: they came faster than they could be written\n";
        assert_eq!(next(&queue), note, "nobody need say more for it to be said");
        assert_eq!(next(&queue), "End");
        let rest = queue.take_rest();
        assert_eq!((rest.lines.len(), rest.lost, rest.why.as_str()), (0, 0, FLOOD));
    }

    #[test]
    fn an_order_to_open_again_comes_before_lines_and_in_a_pause() {
        let queue = Queue::new(100);
        queue.push("line".to_owned(), PAGE());
        let _answered = queue.ask_reopen();
        let far = Instant::now().checked_add(std::time::Duration::from_secs(3600));
        assert!(matches!(queue.next(far), Next::Reopen(_)));
        queue.end();
        assert!(matches!(queue.next(far), Next::Line(_)), "an end waits for nothing");
        assert!(matches!(queue.next(far), Next::End));
    }
}
