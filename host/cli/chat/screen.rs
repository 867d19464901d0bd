//! The terminal of a conversation: one line at the bottom is typed into, all else goes by above it.
//!
//! A thread reads the keys, since reading blocks. A person answers what is on the screen, so a line counts only for
//! the question that it was typed under: a question takes the line away, throws away what was typed ahead, and gives
//! the line back when it is answered or taken back.

use std::borrow::Cow;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use reedline::{
    ColumnarMenu, DefaultCompleter, DefaultHinter, EditCommand, Emacs, ExternalPrinter, FileBackedHistory, KeyCode,
    KeyModifiers, MenuBuilder, Prompt, PromptEditMode, PromptHistorySearch, Reedline, ReedlineEvent, ReedlineMenu,
    Signal, default_emacs_keybindings,
};
use rustix::termios::{QueueSelector, tcflush};
use tokio::sync::mpsc;

use super::COMMANDS;

/// Lines that wait for the screen. Danger: a call that prints without end, at a terminal that stands still.
const LINES_MAX: usize = 10_000;
/// Lines of the history that are kept.
const HISTORY_MAX: usize = 1_000;
/// How often the screen looks for lines to show.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// What a person does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    Line(String),
    /// To the question of this number; none is no answer.
    Answer(u64, Option<bool>),
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D.
    Leave,
    /// The terminal is gone.
    Broken(String),
}

#[derive(Default)]
struct State {
    /// The question that stands, by its number.
    question: Option<u64>,
    questions: u64,
    /// At the right of the line.
    status: String,
    is_over: bool,
}

/// The screen. Dropped, it gives the terminal back.
pub(super) struct Screen {
    state: Arc<Mutex<State>>,
    /// Ends the line that is typed into.
    cut: Arc<AtomicBool>,
    repaint: Box<dyn Fn() + Send + Sync>,
    lines: SyncSender<String>,
    thread: Option<JoinHandle<()>>,
}

impl Screen {
    /// Take the terminal. What is typed comes on the channel.
    pub(super) fn open(history: PathBuf) -> (Self, mpsc::UnboundedReceiver<Typed>) {
        let state = Arc::new(Mutex::new(State::default()));
        let cut = Arc::new(AtomicBool::new(false));
        let printer = ExternalPrinter::new(LINES_MAX);
        let lines = printer.sender();
        let (typed, receiver) = mpsc::unbounded_channel();
        let mut editor = editor(printer, cut.clone(), history, state.clone());
        let repaint = editor.repaint_signal();
        let repaint = Box::new(move || repaint.request_repaint());
        let line = Line { state: state.clone(), is_typed: false };
        let thread = std::thread::spawn(move || read(editor, &line, &typed));
        (Self { state, cut, repaint, lines, thread: Some(thread) }, receiver)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Show lines above the one that is typed into.
    pub(super) async fn show(&self, lines: Vec<String>) {
        let mut text = lines.join("\n");
        while !text.is_empty() || !lines.is_empty() {
            // A line of nothing is one as well.
            let line = if text.is_empty() { " ".to_owned() } else { text };
            match self.lines.try_send(line) {
                Err(TrySendError::Full(back)) => {
                    text = back;
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Ok(()) | Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }

    /// Give the terminal back, with what was shown on it, and an empty line to go on from.
    pub(super) async fn close(self) {
        tokio::time::sleep(LOOK_EVERY * 2).await;
        drop(self);
        // The line that was typed into goes; what stands above it stays.
        let mut stderr = std::io::stderr();
        let _ = stderr.write_all(b"\r\x1b[J").and_then(|()| stderr.flush());
    }

    /// What goes on, at the right of the line.
    pub(super) fn status(&self, status: String) {
        let mut state = self.state();
        if state.status != status {
            state.status = status;
            (self.repaint)();
        }
    }

    /// Let the next line answer a question.
    pub(super) fn ask(&self) -> u64 {
        let mut state = self.state();
        state.questions += 1;
        let number = state.questions;
        state.question = Some(number);
        self.cut.store(true, Ordering::Relaxed);
        number
    }

    /// A question needs no answer any more.
    pub(super) fn take_back(&self, number: u64) {
        let mut state = self.state();
        if state.question == Some(number) {
            state.question = None;
            self.cut.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.state().is_over = true;
        self.cut.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that has panicked has nothing to give back.
            let _ = thread.join();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn editor(
    printer: ExternalPrinter<String>,
    cut: Arc<AtomicBool>,
    history: PathBuf,
    state: Arc<Mutex<State>>,
) -> Reedline {
    let mut keys = default_emacs_keybindings();
    let menu = vec![ReedlineEvent::Menu("commands".into()), ReedlineEvent::MenuNext];
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, ReedlineEvent::UntilFound(menu));
    let newline = ReedlineEvent::Edit(vec![EditCommand::InsertNewline]);
    keys.add_binding(KeyModifiers::ALT, KeyCode::Enter, newline);
    let mut completer = DefaultCompleter::with_inclusions(&['/']).set_min_word_len(1);
    completer.insert(COMMANDS.iter().map(|(name, _)| (*name).to_owned()).collect());
    let editor = Reedline::create()
        .with_external_printer(printer)
        .with_poll_interval(LOOK_EVERY)
        .with_break_signal(cut)
        .use_bracketed_paste(true)
        .with_ansi_colors(!crate::config::is_colour_refused())
        .with_hinter(Box::new(DefaultHinter::default()))
        .with_completer(Box::new(completer))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(ColumnarMenu::default().with_name("commands"))))
        .with_transient_prompt(Box::new(Line { state, is_typed: true }))
        .with_edit_mode(Box::new(Emacs::new(keys)));
    // Where no history can be kept, there is one for as long as the conversation lasts.
    match FileBackedHistory::with_file(HISTORY_MAX, history) {
        Ok(history) => editor.with_history(Box::new(history)),
        Err(_) => editor,
    }
}

/// Read lines until the screen is dropped.
fn read(mut editor: Reedline, line: &Line, typed: &mpsc::UnboundedSender<Typed>) {
    let mut draft = String::new();
    loop {
        let question = {
            let state = lock(&line.state);
            if state.is_over {
                return;
            }
            state.question
        };
        // An answer is no line to remember.
        editor = editor.with_history_exclusion_prefix(question.map(|_| String::new()));
        editor.run_edit_commands(&[EditCommand::Clear]);
        if question.is_some() {
            let _ = tcflush(std::io::stdin(), QueueSelector::IFlush);
        } else {
            editor.run_edit_commands(&[EditCommand::InsertString(std::mem::take(&mut draft))]);
        }
        let answered = |answer| {
            let mut state = lock(&line.state);
            if state.question == question {
                state.question = None;
            }
            Typed::Answer(question.unwrap_or_default(), answer)
        };
        let said = match (editor.read_line(line), question) {
            (Ok(Signal::Success(text)), None) => Typed::Line(text),
            (Ok(Signal::Success(text)), Some(_)) => answered(Some(is_yes(&text))),
            (Ok(Signal::CtrlC), Some(_)) => answered(Some(false)),
            (Ok(Signal::CtrlD), Some(_)) => answered(None),
            (Ok(Signal::CtrlC), None) => Typed::Interrupt,
            (Ok(Signal::CtrlD), None) => Typed::Leave,
            (Ok(Signal::ExternalBreak(text)), None) => {
                draft = text;
                continue;
            }
            // Nothing else is bound to a key.
            (Ok(_), _) => continue,
            (Err(error), _) => Typed::Broken(error.to_string()),
        };
        let is_last = matches!(said, Typed::Broken(_));
        if typed.send(said).is_err() || is_last {
            return;
        }
    }
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// What stands around the line.
struct Line {
    state: Arc<Mutex<State>>,
    /// It has been sent off: what goes on does not stand beside it for ever.
    is_typed: bool,
}

impl Prompt for Line {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        if self.is_typed { Cow::Borrowed("") } else { Cow::Owned(lock(&self.state).status.clone()) }
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed(if lock(&self.state).question.is_some() { "allow it once? [y/N] " } else { "› " })
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("  ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!("(history: {}) ", search.term))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_that_says_yes_is_a_yes() {
        assert_eq!(["y", " Yes ", "YES"].map(is_yes), [true; 3]);
        assert_eq!(["", "n", "yy", "yes please", "ja"].map(is_yes), [false; 5]);
    }
}
