//! A turn: from what a person says to the answer, with all questions to the model and calls of tools between.

use pi_sdk::Definition;
use pi_sdk::model::{Answer, Call, Effort, Error, Message, Part, Request, Role, Stop, Tool};

use crate::calls::{self, Repeats, Wholes};
use crate::context::{self, Gauge};
use crate::prompt;
use crate::settings::Settings;
use crate::world::World;

/// How often an answer that was cut off is asked to go on.
const CONTINUES_MAX: u32 = 3;
/// How often room is made for one question. More would not help: what is left is the question itself.
const COMPACTIONS_MAX: u32 = 2;

/// How a turn ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// The model said that it is done; else something has ended it.
    pub is_done: bool,
    /// For a person.
    pub text: String,
}

/// An agent in the middle of its conversation.
pub struct Agent<'w, W: World> {
    pub world: &'w mut W,
    settings: Settings,
    model: String,
    effort: Option<Effort>,
    system: String,
    tools: Vec<Tool>,
    messages: Vec<Message>,
    wholes: Wholes,
    repeats: Repeats,
    gauge: Gauge,
    steps: u32,
}

impl<'w, W: World> Agent<'w, W> {
    /// # Errors
    /// No model is granted, or not the one that is set.
    pub fn new(world: &'w mut W, settings: Settings) -> Result<Self, String> {
        let models = world.models();
        let wanted = |name: &String| models.iter().find(|info| info.name == *name);
        let info = match &settings.model {
            None => models.first().ok_or("no model is granted\nhint: name one in [grants.AGENT.model] names in pi.toml")?,
            Some(name) => wanted(name).ok_or_else(|| {
                format!("config.model is `{name}`, which is not granted\nhint: add it to [grants.AGENT.model] names in pi.toml")
            })?,
        };
        let tool =
            |tool: Definition| Tool { name: tool.name, description: tool.description, input_schema: tool.input_schema };
        let mut tools: Vec<Tool> = world.tools().into_iter().map(tool).collect();
        if !tools.is_empty() {
            tools.push(calls::recall_tool());
        }
        let system = prompt::system(&settings, world.now_ms());
        let of_tool = |tool: &Tool| tool.name.len() + tool.description.len() + tool.input_schema.len();
        let gauge = Gauge::new(info, system.len() + tools.iter().map(of_tool).sum::<usize>());
        Ok(Self {
            model: info.name.clone(),
            effort: settings.effort()?,
            world,
            settings,
            system,
            tools,
            messages: Vec::new(),
            wholes: Wholes::default(),
            repeats: Repeats::default(),
            gauge,
            steps: 0,
        })
    }

    /// Questions to the model so far.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// Tokens of all questions and answers so far.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.gauge.spent
    }

    /// A person, or what stands for one, says something.
    pub fn say(&mut self, text: &str) {
        self.add(vec![Part::Text(text.to_owned())]);
    }

    /// Two messages of one side in a row are one: not every model takes two.
    fn add(&mut self, parts: Vec<Part>) {
        match self.messages.last_mut() {
            Some(last) if last.role == Role::User => last.parts.extend(parts),
            _ => self.messages.push(Message { role: Role::User, parts }),
        }
    }

    /// Work until the model is done, or something ends it.
    pub fn turn(&mut self) -> End {
        self.repeats.clear();
        let mut continues = 0;
        let failed = |text: String| End { is_done: false, text };
        for _ in 0..self.settings.steps_max {
            self.hear();
            let answer = match self.ask() {
                Ok(answer) => answer,
                Err(text) => return failed(text),
            };
            let calls = calls_of(&answer.message);
            let said = text_of(&answer.message);
            self.take(answer.message);
            if calls.is_empty() {
                if self.hear() {
                    continue;
                }
                match answer.stop {
                    Stop::OutputTokens if continues < CONTINUES_MAX => {
                        continues += 1;
                        self.say(
                            "Your answer was cut off, because it was too long. Go on from there, in smaller steps.",
                        );
                        continue;
                    }
                    Stop::Declined => return failed(or(said, "the model declined to answer")),
                    _ => return End { is_done: true, text: or(said, "the model said nothing") },
                }
            }
            let limits = (self.settings.result_chars_max, self.settings.repeats_max);
            let made = calls::make(self.world, &calls, &mut self.wholes, &mut self.repeats, limits);
            self.add(made.results.into_iter().map(Part::Result).collect());
            if let Some(stuck) = made.stuck {
                return failed(format!("stopped, because it went round in circles: {stuck}"));
            }
        }
        failed(format!("stopped after {} questions to the model without an end", self.settings.steps_max))
    }

    /// Whether people have said something meanwhile.
    fn hear(&mut self) -> bool {
        let heard = self.world.heard();
        for text in &heard {
            self.say(text);
        }
        !heard.is_empty()
    }

    /// The model's next answer. The text says why there is none.
    fn ask(&mut self) -> Result<Answer, String> {
        let mut compactions = 0;
        loop {
            if compactions < COMPACTIONS_MAX && self.gauge.is_full(&self.messages) {
                self.make_room(&mut compactions);
            }
            self.steps += 1;
            let request = Request {
                system: self.system.clone(),
                messages: self.messages.clone(),
                tools: self.tools.clone(),
                output_tokens: None,
                effort: self.effort,
            };
            match self.world.complete(&self.model, &request) {
                Ok(answer) => {
                    self.gauge.answered(&answer.usage, self.messages.len() + 1);
                    return Ok(answer);
                }
                Err(Error::TooLong(_)) if compactions < COMPACTIONS_MAX => self.make_room(&mut compactions),
                Err(
                    Error::NotGranted(text)
                    | Error::TooLong(text)
                    | Error::Budget(text)
                    | Error::Invalid(text)
                    | Error::Unavailable(text),
                ) => return Err(text),
            }
        }
    }

    fn make_room(&mut self, compactions: &mut u32) {
        *compactions += 1;
        let keep = self.settings.keep_tokens / u64::from(*compactions * *compactions);
        context::compact(self.world, &self.model, &mut self.gauge, &mut self.messages, keep);
    }

    /// Keep an answer. One without any part would be refused when it comes back.
    fn take(&mut self, message: Message) {
        if !message.parts.is_empty() {
            self.messages.push(message);
        }
    }
}

fn or(text: String, other: &str) -> String {
    if text.trim().is_empty() { other.to_owned() } else { text }
}

fn calls_of(message: &Message) -> Vec<Call> {
    let call = |part: &Part| match part {
        Part::Call(call) => Some(call.clone()),
        _ => None,
    };
    message.parts.iter().filter_map(call).collect()
}

pub(crate) fn text_of(message: &Message) -> String {
    let text = |part: &Part| match part {
        Part::Text(text) => Some(text.clone()),
        _ => None,
    };
    message.parts.iter().filter_map(text).collect::<Vec<_>>().join("\n")
}
