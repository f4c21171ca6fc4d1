//! The terminal: a screen of its own while it is watched, and the terminal as it was afterwards.

use super::layout::{Style, screen};
use crate::live::{Display, Latest, View};
use crate::sys::{self, Keys};
use shared::failure::Failure;
use shared::printer::Printer;
use std::collections::VecDeque;

/// Enter the alternate screen and hide the cursor; the way back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// What a terminal has if it does not say.
const USUAL: (u16, u16) = (80, 24);
/// Values of the total that are kept for the curve.
const KEPT: usize = 1000;

/// A watched terminal. Dropping it brings the terminal back, also when the program panics.
pub(super) struct Screen {
    printer: Printer,
    latest: Option<Latest>,
    keys: Option<Keys>,
    history: VecDeque<f64>,
    last: Option<View>,
    drawn: (u16, u16),
    entered: bool,
    style: Style,
    over: bool,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn open(printer: Printer, latest: Option<Latest>) -> Result<Self, Failure> {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let mut screen = Self {
            printer,
            latest,
            keys: None,
            history: VecDeque::new(),
            last: None,
            drawn: (0, 0),
            entered: false,
            style: if plain { Style::Plain } else { Style::Coloured },
            over: false,
        };
        screen.keys = Keys::open();
        screen.entered = true;
        screen.printer.stream(ENTER)?;
        Ok(screen)
    }

    /// Gives the terminal back; the last view as text.
    pub(super) fn close(mut self) -> String {
        self.leave();
        let (columns, rows) = sys::terminal_size().unwrap_or(USUAL);
        self.last.as_ref().map_or(String::new(), |view| {
            let lines = screen(view, &[], usize::from(columns), usize::from(rows), Style::Plain);
            // Without the line that says how to end it.
            lines.iter().map(|line| line.trim_end().replace("  q quits", "") + "\n").collect()
        })
    }

    fn leave(&mut self) {
        if std::mem::take(&mut self.entered) {
            let _ = self.printer.stream(LEAVE);
            self.keys = None;
        }
    }

    fn draw(&mut self) -> Result<(), Failure> {
        let Some(view) = &self.last else { return Ok(()) };
        let size = sys::terminal_size().unwrap_or(USUAL);
        self.drawn = size;
        let history: Vec<f64> = self.history.iter().copied().collect();
        let lines = screen(view, &history, usize::from(size.0), usize::from(size.1), self.style);
        // Each line over the one before, so that nothing flickers; then what is left below.
        let text = format!("\x1b[H{}\x1b[K\x1b[J", lines.join("\x1b[K\r\n"));
        self.over |= !self.printer.stream(&text)?;
        Ok(())
    }
}

impl Display for Screen {
    fn show(&mut self, view: &View) -> Result<(), Failure> {
        if let Some(latest) = &self.latest {
            latest.put(view);
        }
        let watts = view.total.as_ref().or(view.rails.first()).and_then(|rail| rail.watts);
        if let Some(watts) = watts {
            self.history.push_back(watts);
            if self.history.len() > KEPT {
                self.history.pop_front();
            }
        }
        self.last = Some(view.clone());
        self.draw()
    }

    fn is_over(&mut self) -> bool {
        let keys = self.keys.as_ref().map(Keys::pressed).unwrap_or_default();
        self.over |= keys.iter().any(|key| matches!(key, b'q' | b'Q' | 0x1b));
        // A terminal whose size changed is drawn again at once.
        if !self.over && sys::terminal_size().is_some_and(|size| size != self.drawn) {
            self.over |= self.draw().is_err();
        }
        self.over
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.leave();
    }
}
