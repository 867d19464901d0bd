//! `pi-host chat`: a conversation with an agent, at a terminal, through a pipe, or as JSON lines.
//!
//! `told` makes events of the journal and of what models say, `feed` brings them into one order, `text` makes lines of
//! them; `screen` is the terminal, `pipe` what programs write. This file is the loop between them.

mod feed;
mod pipe;
mod screen;
mod text;
mod told;

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::run::{signalled, start};
use super::{Failure, Output, block_on};
use crate::app::{Closed, Conversation, Host, HostError, Options, begun_with, conversation};
use crate::approval::Asked;
use crate::clock;
use crate::config::{Project, user, variable};
use crate::session::SessionError;
use feed::Feed;
use pipe::Command;
use screen::{Screen, Typed};
use text::Text;
use told::Told;

/// What can be typed beside messages.
const COMMANDS: &[(&str, &str)] = &[
    ("/help", "what can be typed here"),
    ("/abort", "end what goes on now (as Ctrl-C)"),
    ("/cost", "what the conversation has cost"),
    ("/session", "the session's id, and how to look at it"),
    ("/end", "end the conversation for good"),
    ("/quit", "leave; `pi-host chat --continue` goes on (as Ctrl-D)"),
];
/// How often the status beside the line is brought up to date.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// How often a session that is being taken up is looked for, while somebody has something to say to it.
const READY_EVERY: Duration = Duration::from_millis(20);

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pi-host chat                                 talk to the agent of pi.toml\n  pi-host chat --model openai/qwen3@http://127.0.0.1:11434/v1\n  pi-host chat --continue                      go on with the last conversation\n  echo 'what does this project do?' | pi-host chat\n  pi-host chat --json                          commands in, events out: one JSON object a line"
)]
pub(crate) struct Arguments {
    /// What to say first
    prompt: Option<String>,
    /// Whom to talk to, by the name in pi.toml
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// The model to ask, instead of what pi.toml says: anthropic/NAME, openai/NAME, openai/NAME@URL, bedrock/NAME
    #[arg(long, value_name = "PROTOCOL/NAME")]
    model: Option<String>,
    /// Go on with the last conversation that is open
    #[arg(long = "continue", conflicts_with = "resume")]
    is_continued: bool,
    /// Go on with this conversation
    #[arg(long, value_name = "SESSION")]
    resume: Option<String>,
    /// With --json: ask on standard output what people have to decide, and read answers as commands
    #[arg(long)]
    ask: bool,
}

pub(crate) fn run(output: &Output, directory: &Path, arguments: Arguments) -> Result<(), Failure> {
    if arguments.ask && !output.is_json {
        return Err(anyhow::anyhow!("--ask goes with --json\nhint: at a terminal you are asked anyway").into());
    }
    let mut project = Project::load(directory)?;
    block_on(async {
        let past = if arguments.is_continued || arguments.resume.is_some() {
            Some(conversation(&project, arguments.resume.as_deref(), arguments.agent.as_deref()).await?)
        } else {
            None
        };
        let agent = past.as_ref().map(|past| past.agent.clone()).or(arguments.agent);
        let begun = match &past {
            Some(past) => begun_with(&project, Some(&past.id)).await?.map(|(_, model)| model),
            None => None,
        };
        let model = arguments.model.or(begun);
        let agent = project.talk_to(agent.as_deref(), model.as_deref(), &variable)?;
        talk(output, project, agent, past, arguments.prompt, arguments.ask).await
    })?
}

async fn talk(
    output: &Output,
    project: Project,
    agent: String,
    past: Option<Conversation>,
    prompt: Option<String>,
    may_ask: bool,
) -> Result<(), Failure> {
    let is_screen = !output.is_json
        && std::io::stdin().is_terminal()
        && std::io::stdout().is_terminal()
        && std::io::stderr().is_terminal();
    let (asks, asked) = mpsc::unbounded_channel();
    let options = Options {
        agents: Some(vec![agent.clone()]),
        is_watching: false,
        is_talking: true,
        screen: (is_screen || may_ask).then_some(asks),
        may_ask: is_screen || may_ask,
        name: "chat",
    };
    let models = models(&project, &agent);
    let history = project.state().join("chat_history");
    let host = start(output, project, options).await?;
    let feed = Feed::new(&host, &agent);
    let (view, input) = if is_screen {
        let (screen, typed) = Screen::open(history);
        let text = Text::new(!crate::config::is_colour_refused(), true);
        (View::Screen { screen, text, output: output.clone() }, Input::Typed(typed))
    } else if output.is_json {
        (View::Json(output.clone()), Input::Commands(pipe::lines()))
    } else {
        let has_colour = !crate::config::is_colour_refused() && std::io::stderr().is_terminal();
        (View::Plain { output: output.clone(), text: Text::new(has_colour, false) }, Input::Lines(pipe::lines()))
    };
    let chat = Chat {
        host: host.clone(),
        agent,
        feed,
        view,
        asked,
        question: None,
        questions: 0,
        going: None,
        unsaid: Vec::new(),
        is_busy: false,
        is_over: false,
        is_closed: false,
        is_leaving: false,
        failure: None,
        busy_since: clock::monotonic(),
    };
    let talked = host.serve_while(chat.run(input, past, prompt, &models)).await?;
    match talked? {
        None => Ok(()),
        Some(closed) if is_well(&closed.status) => Ok(()),
        Some(_) => Err(Failure::Said),
    }
}

/// Whether an end is one that nobody has to be told of by an exit code.
fn is_well(status: &str) -> bool {
    matches!(status, "done" | "nothing_to_do" | "escalated")
}

/// Which models the agent asks, in words.
fn models(project: &Project, agent: &str) -> String {
    let names = project.config.grants.get(agent).and_then(|grant| grant.model.as_ref());
    let names = names.map(|grant| grant.names.clone()).unwrap_or_default();
    let one = |name: &String| project.config.models.get(name).map(|model| model.model.clone());
    names.iter().filter_map(one).collect::<Vec<_>>().join(", ")
}

/// Where a conversation is shown.
enum View {
    Screen { screen: Screen, text: Text, output: Output },
    Plain { output: Output, text: Text },
    Json(Output),
}

/// Where words come from.
enum Input {
    Typed(mpsc::UnboundedReceiver<Typed>),
    Lines(mpsc::Receiver<Result<String, String>>),
    Commands(mpsc::Receiver<Result<String, String>>),
}

/// What somebody wants.
enum Wish {
    Say(String),
    Interrupt,
    Answer(u64, Option<bool>),
    /// Nothing more will be said.
    End,
    /// The same, and nothing else is wanted either: the input has ended.
    Close,
    /// Leave, and let the conversation stay open.
    Leave,
    /// A command of the screen.
    Command(String),
    Wrong(String),
    Nothing,
}

/// One line of `--json`.
#[derive(Serialize)]
struct Envelope<'a> {
    time: String,
    #[serde(flatten)]
    told: &'a Told,
}

/// A conversation.
struct Chat {
    host: Arc<Host>,
    agent: String,
    feed: Feed,
    view: View,
    asked: mpsc::UnboundedReceiver<Asked>,
    /// The question that stands, and where its answer goes.
    question: Option<(u64, oneshot::Sender<bool>)>,
    questions: u64,
    /// The session, while it goes on.
    going: Option<BoxFuture<'static, Result<Option<Closed>, HostError>>>,
    /// Said before the session could hear it.
    unsaid: Vec<String>,
    /// Something was said, and the agent is not done with it.
    is_busy: bool,
    busy_since: std::time::Instant,
    /// Nothing more will be said.
    is_over: bool,
    /// The input has ended: nobody answers, and nothing is read.
    is_closed: bool,
    is_leaving: bool,
    /// Why it cannot go on.
    failure: Option<String>,
}

impl Chat {
    /// Talk until one side ends it. None: people have left, and it stays open.
    async fn run(
        mut self,
        mut input: Input,
        past: Option<Conversation>,
        prompt: Option<String>,
        models: &str,
    ) -> Result<Option<Closed>, Failure> {
        self.greet(models).await;
        if let Some(past) = past {
            self.take_up(past).await;
        }
        if let Some(prompt) = prompt {
            self.say(prompt).await;
        }
        let mut every = tokio::time::interval(STATUS_EVERY);
        let (signalled, host) = (signalled(), self.host.clone());
        tokio::pin!(signalled);
        loop {
            // As text, one line is done before the next is said.
            let is_full = self.is_busy && matches!(input, Input::Lines(_));
            let may_read = !self.is_closed && !is_full;
            let is_waiting = !self.unsaid.is_empty();
            tokio::select! {
                told = self.feed.next() => self.show(&told).await,
                ended = going(&mut self.going) => {
                    self.going = None;
                    let rest = self.feed.rest();
                    self.show(&rest).await;
                    return self.ended(ended).await;
                }
                wish = next(&mut input), if may_read => self.fulfil(wish).await?,
                Some(asked) = self.asked.recv() => self.ask(asked).await,
                () = withdrawn(&mut self.question) => self.take_back().await,
                _ = every.tick() => self.status(),
                () = &mut signalled, if !self.is_leaving => self.leave().await,
                () = host.stopped(), if !self.is_leaving => self.leave().await,
                () = tokio::time::sleep(READY_EVERY), if is_waiting => {}
            }
            self.tell_unsaid().await;
            if let Some(failure) = self.failure.take() {
                self.host.stop();
                return Err(anyhow::anyhow!(failure).into());
            }
            if self.going.is_none() && (self.is_leaving || self.is_over) {
                return self.nothing_said().await;
            }
        }
    }

    async fn greet(&mut self, models: &str) {
        if let View::Screen { screen, .. } = &self.view {
            let line = format!(
                "pi-host chat: `{}` asks {models}. Ctrl-C interrupts, Ctrl-D leaves, /help says more.",
                self.agent
            );
            screen.show(vec![line, String::new()]).await;
        }
    }

    /// Go on with a conversation that was left.
    async fn take_up(&mut self, past: Conversation) {
        let (told, reopened) = self.feed.take_up(&past.id, &past.entries);
        if let View::Screen { screen, text, .. } = &mut self.view {
            let lines: Vec<String> = told.iter().flat_map(|told| text.past(told)).collect();
            screen.show(lines).await;
        }
        // What was going on goes on by itself.
        self.busy(self.feed.teller.is_working());
        self.show(&reopened).await;
        let host = self.host.clone();
        self.going = Some(Box::pin(async move { host.resume(Some(&past.id)).await.map(|_| None) }));
    }

    fn busy(&mut self, is_busy: bool) {
        if is_busy && !self.is_busy {
            self.busy_since = clock::monotonic();
        }
        self.is_busy = is_busy;
        self.status();
    }

    async fn say(&mut self, text: String) {
        if text.trim().is_empty() {
            return;
        }
        self.busy(true);
        if self.going.is_some() {
            self.unsaid.push(text);
            return;
        }
        let (host, agent) = (self.host.clone(), self.agent.clone());
        self.going = Some(Box::pin(async move { host.converse(&agent, &text).await.map(Some) }));
    }

    /// Say what could not be said before the session was there, and that it was all.
    async fn tell_unsaid(&mut self) {
        let Some(session) = self.feed.session().map(str::to_owned) else { return };
        if !self.host.is_running(&session) {
            // It is being taken up, or has ended, which is told.
            return;
        }
        let by = user();
        for text in std::mem::take(&mut self.unsaid) {
            if let Err(error) = self.host.say(&session, &by, &text).await {
                let error = format!("this was not said: {error}");
                self.busy(self.feed.teller.is_working());
                match self.view {
                    View::Plain { .. } => self.failure = Some(error),
                    _ => self.wrong(&error).await,
                }
            }
        }
        if self.is_over {
            self.host.hang_up(&session);
        }
    }

    async fn fulfil(&mut self, wish: Wish) -> Result<(), Failure> {
        match wish {
            Wish::Say(_) if self.is_over => self.wrong("the conversation is ending: nothing more can be said").await,
            Wish::Say(text) => self.say(text).await,
            Wish::Interrupt => self.interrupt().await,
            Wish::Answer(number, answer) => self.answer(number, answer).await,
            Wish::End => self.is_over = true,
            Wish::Close => {
                (self.is_over, self.is_closed) = (true, true);
                // Nobody answers any more.
                self.take_back().await;
            }
            Wish::Leave => {
                self.is_closed = true;
                self.leave().await;
            }
            Wish::Command(line) => self.command(&line).await,
            Wish::Wrong(error) if matches!(self.view, View::Plain { .. }) => self.failure = Some(error),
            Wish::Wrong(error) => self.wrong(&error).await,
            Wish::Nothing => {}
        }
        Ok(())
    }

    async fn interrupt(&mut self) {
        match self.feed.session() {
            Some(session) if self.is_busy => self.host.interrupt(session),
            _ => self.note("nothing goes on; Ctrl-D leaves, /help says more").await,
        }
    }

    async fn leave(&mut self) {
        self.is_leaving = true;
        self.host.stop();
        if self.is_busy {
            self.note("leaving: what goes on gets some seconds to end, and is taken up with the conversation").await;
        }
    }

    /// Show the last of it, where a screen gives the terminal back.
    async fn close(mut self, told: &[Told]) {
        match self.view {
            View::Screen { screen, mut text, output } => {
                screen.close().await;
                told.iter().flat_map(|told| text.lines(told)).for_each(|line| output.note(&line));
            }
            _ => self.show(told).await,
        }
    }

    async fn command(&mut self, line: &str) {
        match line {
            "/abort" => self.interrupt().await,
            "/quit" | "/exit" => self.leave().await,
            "/end" => self.is_over = true,
            "/cost" => {
                let spent = text::of(&self.feed.teller.total());
                let spent = spent.trim_start_matches(", ");
                self.note(if spent.is_empty() { "nothing was spent that is known" } else { spent }).await;
            }
            "/session" => match self.feed.session().map(str::to_owned) {
                Some(id) => self.note(&format!("{id}; `pi-host session show {id}` has every step")).await,
                None => self.note("it begins with the first thing that you say").await,
            },
            "/help" => {
                let help: Vec<String> = COMMANDS.iter().map(|(name, does)| format!("  {name:<9} {does}")).collect();
                self.note(&format!("{}\n  Alt-Enter begins a new line; what you say while the agent works, it hears before its next step", help.join("\n"))).await;
            }
            other => self.wrong(&format!("there is no command `{other}`; /help has them")).await,
        }
    }

    async fn ask(&mut self, asked: Asked) {
        // What led to it stands above it, and the end of the one before as well.
        self.take_back().await;
        let told = self.feed.rest();
        self.show(&told).await;
        if self.is_closed {
            return;
        }
        let number = match &mut self.view {
            View::Screen { screen, .. } => {
                // The screen puts the question's last line itself.
                let mut lines: Vec<String> = asked.text.lines().map(str::to_owned).collect();
                lines.pop();
                screen.show(lines).await;
                screen.ask()
            }
            _ => {
                self.questions += 1;
                self.questions
            }
        };
        self.question = Some((number, asked.answer));
        self.show_json(&Told::QuestionStart { question: number, text: asked.text }).await;
    }

    async fn answer(&mut self, number: u64, answer: Option<bool>) {
        let Some((_, to)) = self.question.take_if(|(standing, _)| *standing == number) else {
            if !matches!(self.view, View::Screen { .. }) {
                self.wrong(&format!("no question {number} stands")).await;
            }
            return;
        };
        // Where nobody waits for it any more, it is none.
        let allow = answer.filter(|answer| to.send(*answer).is_ok());
        self.show_json(&Told::QuestionEnd { question: number, allow }).await;
    }

    /// The act that was asked about is decided, or its call has ended.
    async fn take_back(&mut self) {
        let Some((number, _)) = self.question.take() else { return };
        if let View::Screen { screen, .. } = &self.view {
            screen.take_back(number);
            screen.show(vec!["  (taken back: it is decided, or the call that asked has ended)".into()]).await;
        }
        self.show_json(&Told::QuestionEnd { question: number, allow: None }).await;
    }

    async fn show(&mut self, told: &[Told]) {
        for told in told {
            match &mut self.view {
                View::Screen { screen, text, .. } => {
                    let lines = text.lines(told);
                    if !lines.is_empty() {
                        screen.show(lines).await;
                    }
                }
                View::Plain { output, text } => {
                    if let Told::MessageEnd { text: said, .. } = told
                        && !said.trim().is_empty()
                    {
                        output.data(&json!(said), || output.foreign(said.trim_end().to_owned()));
                        text.is_said();
                    }
                    text.lines(told).iter().for_each(|line| output.note(line));
                }
                View::Json(output) => {
                    output.data(&Envelope { time: clock::rfc3339(clock::now_ms()), told }, String::new);
                }
            }
            match told {
                Told::TurnStart { .. } => self.busy(true),
                Told::TurnEnd { .. } => self.busy(!self.unsaid.is_empty()),
                _ => {}
            }
        }
    }

    async fn show_json(&mut self, told: &Told) {
        if matches!(self.view, View::Json(_)) {
            self.show(std::slice::from_ref(told)).await;
        }
    }

    async fn note(&mut self, text: &str) {
        match &self.view {
            View::Screen { screen, .. } => screen.show(text.lines().map(str::to_owned).collect()).await,
            View::Plain { output, .. } => output.note(text),
            View::Json(_) => self.show(&[Told::Note { source: "host".into(), text: text.to_owned() }]).await,
        }
    }

    async fn wrong(&mut self, text: &str) {
        match &self.view {
            View::Json(_) => self.show(&[Told::Error { text: text.to_owned() }]).await,
            _ => self.note(&format!("  ✗ {text}")).await,
        }
    }

    fn status(&self) {
        if let View::Screen { screen, .. } = &self.view {
            let spent = text::of(&self.feed.teller.total());
            let spent = spent.trim_start_matches(", ").replace(" tokens", "");
            screen.status(match self.is_busy {
                true => format!("{} s  {spent}", self.busy_since.elapsed().as_secs()),
                false => spent,
            });
        }
    }

    /// The session has come to its end, or stands still where people have left it.
    async fn ended(mut self, ended: Result<Option<Closed>, HostError>) -> Result<Option<Closed>, Failure> {
        self.take_back().await;
        let status = self.feed.teller.ended().map(str::to_owned);
        let left = self.feed.teller.left();
        let (is_leaving, is_broken) = (self.is_leaving, self.feed.is_broken);
        self.close(&left).await;
        match ended {
            Err(HostError::Session(SessionError::Stopped)) => Ok(None),
            Err(error) => Err(error.into()),
            Ok(Some(closed)) => Ok(Some(closed)),
            // One that was taken up tells of its end in the journal alone. Without one it was left, or is broken.
            Ok(None) => match status {
                Some(status) if !is_well(&status) => Err(Failure::Said),
                None if is_broken && !is_leaving => Err(Failure::Said),
                _ => Ok(None),
            },
        }
    }

    async fn nothing_said(self) -> Result<Option<Closed>, Failure> {
        let is_left = self.is_leaving || matches!(self.view, View::Screen { .. });
        if let View::Plain { output, .. } = &self.view
            && !is_left
        {
            output.note("nothing was said: standard input is empty");
        }
        self.close(&[]).await;
        if is_left { Ok(None) } else { Err(Failure::Said) }
    }
}

/// The end of the session that goes on; never, where none does.
async fn going(
    going: &mut Option<BoxFuture<'static, Result<Option<Closed>, HostError>>>,
) -> Result<Option<Closed>, HostError> {
    match going {
        Some(going) => going.await,
        None => std::future::pending().await,
    }
}

/// Returns when the question that stands needs no answer any more.
async fn withdrawn(question: &mut Option<(u64, oneshot::Sender<bool>)>) {
    match question {
        Some((_, answer)) => answer.closed().await,
        None => std::future::pending().await,
    }
}

/// What somebody wants next.
async fn next(input: &mut Input) -> Wish {
    match input {
        Input::Typed(typed) => match typed.recv().await {
            Some(Typed::Line(line)) if line.trim_start().starts_with('/') => Wish::Command(line.trim().to_owned()),
            Some(Typed::Line(line)) => Wish::Say(line),
            Some(Typed::Answer(number, answer)) => Wish::Answer(number, answer),
            Some(Typed::Interrupt) => Wish::Interrupt,
            Some(Typed::Leave | Typed::Broken(_)) | None => Wish::Leave,
        },
        Input::Lines(lines) => match lines.recv().await {
            Some(Ok(line)) if line.trim().is_empty() => Wish::Nothing,
            Some(Ok(line)) => Wish::Say(line),
            Some(Err(error)) => Wish::Wrong(error),
            None => Wish::Close,
        },
        Input::Commands(lines) => match lines.recv().await {
            Some(Ok(line)) if line.trim().is_empty() => Wish::Nothing,
            Some(line) => match line.and_then(|line| pipe::command(&line)) {
                Ok(Command::Say { text }) => Wish::Say(text),
                Ok(Command::Interrupt {}) => Wish::Interrupt,
                Ok(Command::Answer { question, allow }) => Wish::Answer(question, Some(allow)),
                Ok(Command::End {}) => Wish::End,
                Err(error) => Wish::Wrong(error),
            },
            None => Wish::Close,
        },
    }
}
