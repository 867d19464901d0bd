//! Finds the templates of a stream of messages: what of a message its author wrote, and where the parameters are.
//!
//! In the spirit of Drain (He, Zhu, Zheng, Lyu 2017: fixed work for each line, streaming) and Brain (Yu, He, Chen, Wu 2023: the pattern common to most, and positions with
//! many values are parameters), with one setting for all systems. A message becomes tokens (`token`); the form is looked up by its hash, which is all that most lines need. A new
//! form is weighed word by word: names are parameters, words of the language are not (`vocabulary`), and a position at which enough different words were seen, with all others equal, is a
//! parameter after all. What was found apart is then joined; the id of the older one stays.
//! Memory is bounded by `Limits`, whatever the lines are: of too many templates the rarest are given up and counted together.

use std::collections::{HashMap, VecDeque};

use super::token::{Kind, MESSAGE_BYTES_MAX, Token, Tokens, VARIABLE, WordHash, fold, is_method};
use super::vocabulary::is_word;

type HashTo<T> = HashMap<u64, T, WordHash>;

/// The id of a template; it stays the same while the miner lives.
pub type TemplateId = u64;

/// What was given up for lack of room is counted here.
pub const OTHER: TemplateId = 0;

/// What a miner may hold. Lines come from whoever can make a service log: without these a stream of random lines takes all memory.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Templates at a time; the rarest half is given up beyond.
    pub templates_max: usize,
    /// Forms of lines whose template is known without weighing; forgotten as a whole beyond.
    pub forms_max: usize,
    /// Positions under observation; those with a single value are forgotten beyond.
    pub positions_max: usize,
    /// Bytes kept of the first line of a template.
    pub example_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { templates_max: 8192, forms_max: 65_536, positions_max: 65_536, example_bytes_max: 400 }
    }
}

/// Joins that are remembered, so that an id given out earlier is still understood.
const ALIASES_MAX: usize = 65_536;
/// Values that are kept of a position before it counts as a parameter; the thresholds are below it.
const VALUES_MAX: usize = 8;
/// Positions of a message at which a parameter may be found by comparison; it bounds the time for a new form.
const POSITIONS_MAX: usize = 40;
/// Different words of the language, all else equal, that make a position a parameter.
const WORDS_FOR_PARAMETER: usize = 6;
/// The same where some of them are names.
const NAMES_FOR_PARAMETER: usize = 3;
/// Words that have to agree before two messages are taken for one event.
const AGREEING_MIN: usize = 2;

/// A template as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub id: TemplateId,
    /// The text, with `<*>` for each parameter.
    pub text: String,
    pub count: u64,
    /// Milliseconds since 1970; of lines that had a time.
    pub first_seen: Option<i64>,
    pub last_seen: Option<i64>,
    /// The first line, cut.
    pub example: String,
}

impl Miner {
    /// How much the miner holds, in entries of its tables; for the test of its bounds.
    #[cfg(test)]
    fn held(&self) -> [usize; 5] {
        [
            self.kept.len(),
            self.forms.len(),
            self.keys.len(),
            self.positions.len(),
            self.aliases.len().max(self.alias_order.len()),
        ]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Variable,
    Mark,
    /// A word of the language, or one that has to be taken for one.
    Word,
    /// The first piece: a service's name, or a verb.
    First {
        is_name: bool,
    },
    /// A name before `=`, `:` or `(`, a method, a level: never a parameter.
    Key,
    /// A name: a parameter unless too little else is left.
    Name,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    token: Token,
    role: Role,
    /// A name that was seen to vary: shown as a parameter.
    varies: bool,
    /// After a noun that names are given to, `job` or `topic`, and before a word.
    is_named: bool,
    /// `on`, `off`: in brackets, and nothing else with it, a value.
    is_state: bool,
}

#[derive(Debug)]
struct Kept {
    id: TemplateId,
    count: u64,
    first_seen: Option<i64>,
    last_seen: Option<i64>,
    example: Box<[u8]>,
    slots: Box<[Slot]>,
    /// The place of the template that this one was joined to.
    joined_to: Option<u32>,
    /// When it was last used, in lines.
    used: u64,
}

#[derive(Debug, Default)]
struct Position {
    values: Vec<(u64, u32, bool)>,
    is_parameter: bool,
}

/// Mines templates from messages, one at a time.
#[derive(Debug, Default)]
pub struct Miner {
    limits: Limits,
    tokens: Tokens,
    scratch: Vec<Slot>,
    kept: Vec<Kept>,
    forms: HashTo<u32>,
    keys: HashTo<u32>,
    positions: HashTo<Position>,
    aliases: HashTo<TemplateId>,
    alias_order: VecDeque<TemplateId>,
    next_id: TemplateId,
    lines: u64,
    given_up: u64,
}

impl Miner {
    /// A miner with the usual limits: below 64 MiB, whatever it reads.
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub fn with_limits(limits: Limits) -> Self {
        // Half of the templates are given up at a time, so a handful has to fit.
        let limits = Limits {
            templates_max: limits.templates_max.max(16),
            forms_max: limits.forms_max.max(16),
            positions_max: limits.positions_max.max(16),
            ..limits
        };
        Self { limits, next_id: OTHER + 1, ..Self::default() }
    }

    /// Takes one message, without its header, and says which template it belongs to. `time` in milliseconds since 1970.
    pub fn push(&mut self, message: &[u8], time: Option<i64>) -> TemplateId {
        self.push_form(message, time).0
    }

    /// The same, with the hash of the message's form if two messages of that form differ in values alone that say nothing.
    pub(crate) fn push_form(&mut self, message: &[u8], time: Option<i64>) -> (TemplateId, Option<u64>) {
        self.lines += 1;
        let form = self.tokens.read(message);
        let told = (!self.tokens.has_free_text).then_some(form);
        let place = match self.forms.get(&form).copied() {
            Some(place) => {
                let root = self.root(place);
                if root != place {
                    self.forms.insert(form, root);
                }
                root
            }
            None => {
                if self.kept.len() >= self.limits.templates_max {
                    self.give_up_rarest();
                }
                if self.forms.len() >= self.limits.forms_max {
                    self.forms.clear();
                }
                if self.positions.len() >= self.limits.positions_max {
                    self.forget_positions();
                }
                let place = self.weigh(message);
                self.forms.insert(form, place);
                place
            }
        };
        let lines = self.lines;
        let Some(kept) = self.kept.get_mut(place as usize) else { return (OTHER, None) };
        kept.count += 1;
        kept.used = lines;
        if let Some(time) = time {
            kept.first_seen = Some(kept.first_seen.map_or(time, |first| first.min(time)));
            kept.last_seen = Some(kept.last_seen.map_or(time, |last| last.max(time)));
        }
        (kept.id, told)
    }

    /// The id that a template has now, after joins; `OTHER` if it was given up.
    pub fn resolve(&self, id: TemplateId) -> TemplateId {
        let mut id = id;
        // A chain is as long as there were joins in a row; each step leads to an older id.
        while let Some(older) = self.aliases.get(&id) {
            id = *older;
        }
        id
    }

    /// The templates, in the order in which they were first seen.
    pub fn templates(&self) -> Vec<Template> {
        self.kept.iter().filter(|kept| kept.joined_to.is_none()).map(shown).collect()
    }

    /// How many templates there are.
    pub fn len(&self) -> usize {
        self.kept.iter().filter(|kept| kept.joined_to.is_none()).count()
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Lines whose template was given up for lack of room.
    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    /// The parameters of a message of this template, in order.
    pub fn parameters<'a>(&self, id: TemplateId, message: &'a str) -> Vec<&'a str> {
        let id = self.resolve(id);
        let Some(kept) = self.kept.iter().find(|kept| kept.id == id && kept.joined_to.is_none()) else {
            return Vec::new();
        };
        let mut tokens = Tokens::default();
        tokens.read(message.as_bytes());
        let mut slots = Vec::new();
        weigh_roles(message.as_bytes(), &tokens.list, &mut slots);
        if slots.len() != kept.slots.len() {
            return Vec::new();
        }
        let varying = slots.iter().zip(&kept.slots).filter(|(_, kept)| kept.role == Role::Variable || kept.varies);
        varying.filter_map(|(slot, _)| message.get(slot.token.start as usize..slot.token.end as usize)).collect()
    }

    fn root(&self, mut place: u32) -> u32 {
        while let Some(next) = self.kept.get(place as usize).and_then(|kept| kept.joined_to) {
            place = next;
        }
        place
    }

    /// Finds the template of a form that was not seen before.
    fn weigh(&mut self, message: &[u8]) -> u32 {
        let mut slots = std::mem::take(&mut self.scratch);
        weigh_roles(message, &self.tokens.list, &mut slots);
        let place = self.find_or_add(message, &mut slots);
        let place = self.root(place);
        // A name that differs from the one shown is a parameter.
        if let Some(kept) = self.kept.get_mut(place as usize) {
            for (known, slot) in kept.slots.iter_mut().zip(&slots) {
                known.varies |= known.role == Role::Name && known.token.hash != slot.token.hash;
            }
        }
        self.scratch = slots;
        place
    }

    fn find_or_add(&mut self, message: &[u8], slots: &mut [Slot]) -> u32 {
        // Each round turns one word into a parameter, so it ends.
        for _ in 0..POSITIONS_MAX {
            let key = key_of(slots);
            if let Some(place) = self.keys.get(&key) {
                return self.root(*place);
            }
            let known = candidates(slots).find(|at| {
                let apart = key_apart(key, slots, *at);
                self.positions.get(&apart).is_some_and(|position| position.is_parameter)
            });
            match known.and_then(|at| slots.get_mut(at)) {
                Some(slot) => slot.role = Role::Variable,
                None => break,
            }
        }
        let place = self.kept.len() as u32;
        let example = message.get(..self.limits.example_bytes_max.min(MESSAGE_BYTES_MAX)).unwrap_or(message);
        self.kept.push(Kept {
            id: self.next_id,
            count: 0,
            first_seen: None,
            last_seen: None,
            example: example.into(),
            slots: (&*slots).into(),
            joined_to: None,
            used: self.lines,
        });
        self.next_id = self.next_id.saturating_add(1);
        self.keys.insert(key_of(slots), place);
        self.observe(slots, place);
        self.root(place)
    }

    /// Notes the words of a new template position by position, and joins what turns out to differ in a parameter only.
    fn observe(&mut self, slots: &mut [Slot], place: u32) {
        for _ in 0..POSITIONS_MAX {
            let key = key_of(slots);
            let agreeing = slots
                .iter()
                .filter(|slot| matches!(slot.role, Role::Word | Role::First { .. } | Role::Key))
                .count()
                .saturating_sub(1);
            let mut found = None;
            for at in candidates(slots) {
                let Some(slot) = slots.get(at) else { continue };
                let is_name = matches!(slot.role, Role::First { is_name: true });
                let apart = key_apart(key, slots, at);
                let masked = self.keys.get(&apart).map(|place| {
                    self.kept
                        .get(*place as usize)
                        .and_then(|kept| kept.slots.get(at))
                        .is_some_and(|slot| slot.role == Role::Name)
                });
                let is_named = slot.is_named;
                let position = self.positions.entry(apart).or_default();
                if position.values.len() < VALUES_MAX
                    && !position.values.iter().any(|(hash, ..)| *hash == slot.token.hash)
                {
                    position.values.push((slot.token.hash, place, is_name));
                }
                if position.is_parameter || is_parameter(&position.values, agreeing, masked, is_named) {
                    position.is_parameter = true;
                    found = Some((at, apart));
                    break;
                }
            }
            let Some((at, apart)) = found else { return };
            let mut joined: Vec<u32> = self
                .positions
                .get(&apart)
                .map(|position| position.values.iter().map(|(_, place, _)| *place).collect())
                .unwrap_or_default();
            joined.extend(self.keys.get(&apart).copied());
            joined.push(place);
            let root = self.join(&joined, at);
            self.keys.insert(apart, root);
            match slots.get_mut(at) {
                Some(slot) => slot.role = Role::Variable,
                None => return,
            }
        }
    }

    /// Makes one template of several that differ at one position; the oldest stays.
    fn join(&mut self, places: &[u32], at: usize) -> u32 {
        let roots: Vec<u32> = places.iter().map(|place| self.root(*place)).collect();
        let id_of = |place: &u32| self.kept.get(*place as usize).map_or(TemplateId::MAX, |kept| kept.id);
        let Some(root) = roots.iter().copied().min_by_key(id_of) else { return 0 };
        for place in roots {
            if place == root {
                continue;
            }
            let Some(from) = self.kept.get_mut(place as usize) else { continue };
            if from.joined_to.is_some() {
                continue;
            }
            from.joined_to = Some(root);
            let (id, count, first, last, used) = (from.id, from.count, from.first_seen, from.last_seen, from.used);
            let Some(to) = self.kept.get_mut(root as usize) else { continue };
            to.count += count;
            to.used = to.used.max(used);
            to.first_seen = [to.first_seen, first].into_iter().flatten().min();
            to.last_seen = [to.last_seen, last].into_iter().flatten().max();
            let older = to.id;
            self.remember(id, older);
        }
        if let Some(slot) = self.kept.get_mut(root as usize).and_then(|kept| kept.slots.get_mut(at)) {
            slot.role = Role::Variable;
        }
        root
    }

    fn remember(&mut self, id: TemplateId, older: TemplateId) {
        if self.alias_order.len() >= ALIASES_MAX
            && let Some(oldest) = self.alias_order.pop_front()
        {
            self.aliases.remove(&oldest);
        }
        self.aliases.insert(id, older);
        self.alias_order.push_back(id);
    }

    /// Keeps the more frequent half of the templates. What was joined is resolved on the way, so that its place is free again.
    fn give_up_rarest(&mut self) {
        let mut order: Vec<(u64, u64, u32)> = (0..self.kept.len() as u32)
            .filter_map(|place| {
                self.kept
                    .get(place as usize)
                    .filter(|kept| kept.joined_to.is_none())
                    .map(|kept| (kept.count, kept.used, place))
            })
            .collect();
        let keep = self.limits.templates_max / 2;
        if order.len() > keep {
            order.sort_unstable_by(|one, other| other.cmp(one));
            order.truncate(keep);
        }
        order.sort_unstable_by_key(|(.., place)| *place);
        let mut moved: HashMap<u32, u32> = HashMap::with_capacity(order.len());
        for (new, (.., old)) in order.iter().enumerate() {
            moved.insert(*old, new as u32);
        }
        let to: Vec<Option<u32>> =
            (0..self.kept.len() as u32).map(|place| moved.get(&self.root(place)).copied()).collect();
        let new_place = |place: u32| to.get(place as usize).copied().flatten();
        for map in [&mut self.forms, &mut self.keys] {
            map.retain(|_, place| new_place(*place).map(|new| *place = new).is_some());
        }
        for position in self.positions.values_mut() {
            position.values.retain_mut(|(_, place, _)| new_place(*place).map(|new| *place = new).is_some());
        }
        self.positions.retain(|_, position| position.is_parameter || !position.values.is_empty());
        let mut place = 0u32;
        let mut lost = Vec::new();
        self.kept.retain(|kept| {
            let stays = moved.contains_key(&place);
            place += 1;
            if !stays && kept.joined_to.is_none() {
                lost.push((kept.id, kept.count));
            }
            stays
        });
        for (id, count) in lost {
            self.given_up += count;
            self.remember(id, OTHER);
        }
    }

    /// Forgets positions at which one word alone was seen; if that is not enough, all that are no parameters.
    fn forget_positions(&mut self) {
        self.positions.retain(|_, position| position.is_parameter || position.values.len() > 1);
        if self.positions.len() > self.limits.positions_max / 2 {
            self.positions.retain(|_, position| position.is_parameter);
        }
        if self.positions.len() > self.limits.positions_max / 2 {
            self.positions.clear();
        }
    }
}

/// Whether so many values make a parameter of a position. `masked` tells of a template with a parameter in this place: whether that was a name.
fn is_parameter(values: &[(u64, u32, bool)], agreeing: usize, masked: Option<bool>, is_named: bool) -> bool {
    let names = values.iter().filter(|(.., is_name)| *is_name).count();
    let count = values.len() + usize::from(masked.is_some());
    if agreeing < AGREEING_MIN {
        return agreeing > 0 && names * 2 > values.len() && count >= WORDS_FOR_PARAMETER;
    }
    if masked == Some(true) {
        return is_named || count >= NAMES_FOR_PARAMETER;
    }
    if names * 2 >= values.len() {
        return count >= NAMES_FOR_PARAMETER - usize::from(masked.is_some());
    }
    count >= if masked.is_some() || is_named { NAMES_FOR_PARAMETER } else { WORDS_FOR_PARAMETER }
}

/// The positions of a message that may turn out to be parameters.
fn candidates(slots: &[Slot]) -> impl Iterator<Item = usize> + '_ {
    slots
        .iter()
        .enumerate()
        .filter(|(_, slot)| matches!(slot.role, Role::Word | Role::First { .. }))
        .map(|(at, _)| at)
        .take(POSITIONS_MAX)
}

fn masked(slot: &Slot) -> u64 {
    match slot.role {
        Role::Variable | Role::Name => VARIABLE,
        _ => slot.token.hash,
    }
}

const BASE: u64 = 0x9FB2_1C65_1E98_DF25;

/// A polynomial, so that the key with one position masked follows from it at once.
fn key_of(slots: &[Slot]) -> u64 {
    let mut power = 1u64;
    let mut sum = slots.len() as u64;
    for slot in slots {
        sum = sum.wrapping_add(masked(slot).wrapping_mul(power));
        power = power.wrapping_mul(BASE);
    }
    sum
}

fn key_apart(key: u64, slots: &[Slot], at: usize) -> u64 {
    let Some(slot) = slots.get(at) else { return key };
    let power = BASE.wrapping_pow(at as u32);
    key.wrapping_add(VARIABLE.wrapping_sub(masked(slot)).wrapping_mul(power))
}

/// Says of each token what it is in this message.
fn weigh_roles(message: &[u8], tokens: &[Token], slots: &mut Vec<Slot>) {
    slots.clear();
    let mut is_first = true;
    for (at, token) in tokens.iter().enumerate() {
        let role = match token.kind {
            Kind::Variable => Role::Variable,
            Kind::Mark(_) => Role::Mark,
            Kind::Piece => {
                let role = piece_role(message, tokens, at, is_first);
                is_first = false;
                role
            }
        };
        if token.kind == Kind::Variable && at == 0 {
            is_first = false;
        }
        if let Kind::Mark(b')' | b']' | b'}') = token.kind {
            join_list_in_brackets(slots);
        }
        // "yarn,curi": a list is one parameter, however long.
        if role == Role::Name
            && token.is_listed
            && let Some(last) = slots.last_mut()
            && matches!(last.role, Role::Name | Role::Variable)
        {
            last.token.end = token.end;
            last.token.hash = fold(last.token.hash ^ token.hash.rotate_left(9));
            continue;
        }
        let is_state = matches!(token.text(message), b"on" | b"off" | b"up" | b"down" | b"yes" | b"no");
        slots.push(Slot {
            token: *token,
            role,
            varies: false,
            is_named: role == Role::Word && is_after_noun(message, tokens, at),
            is_state,
        });
    }
    let literal = |slot: &&Slot| matches!(slot.role, Role::Word | Role::Key | Role::First { .. });
    if slots.iter().filter(literal).count() < AGREEING_MIN {
        for slot in slots.iter_mut().filter(|slot| slot.role == Role::Name) {
            slot.role = Role::Word;
        }
    }
}

/// `Set(yarn, curi)`: what stands in brackets with commas between is one parameter.
fn join_list_in_brackets(slots: &mut Vec<Slot>) {
    let inside = slots.iter().rev().take_while(|slot| slot.role != Role::Mark).count();
    let start = slots.len() - inside;
    let is_list = inside >= 2
        && start > 0
        && (slots.iter().skip(start + 1).all(|slot| slot.token.is_after_comma)
            || slots.iter().skip(start).all(|slot| slot.is_state));
    if !is_list {
        return;
    }
    let end = slots.last().map_or(0, |slot| slot.token.end);
    let hash = slots.iter().skip(start).fold(0, |state: u64, slot| fold(state.rotate_left(9) ^ slot.token.hash));
    slots.truncate(start + 1);
    if let Some(slot) = slots.last_mut() {
        slot.token.end = end;
        slot.token.hash = hash;
        slot.role = if slot.is_state { Role::Variable } else { Role::Name };
    }
}

fn piece_role(message: &[u8], tokens: &[Token], at: usize, is_first: bool) -> Role {
    let Some(token) = tokens.get(at) else { return Role::Word };
    let text = token.text(message);
    let next = tokens.get(at + 1);
    let before = at.checked_sub(1).and_then(|before| tokens.get(before));
    let next_mark = next.and_then(|next| match next.kind {
        Kind::Mark(mark) => Some((mark, next.is_tight)),
        _ => None,
    });
    if matches!(next_mark, Some((b'=', _) | (b'(', true))) || is_method(text) || is_level(text) {
        return Role::Key;
    }
    let is_known = is_word(text);
    if matches!(next_mark, Some((b':', true))) {
        let previous = before.filter(|before| before.kind == Kind::Piece).map(|before| before.text(message));
        let is_value = tokens.get(at + 2).is_some_and(|after| after.is_tight && after.kind == Kind::Variable);
        // "nginx.service: started" and "flush of orders: 3" name a thing, "total: 3" is a label, "key cart:17" is one value.
        let is_unit = is_first
            && text.iter().any(|byte| matches!(byte, b'.' | b'-' | b'@'))
            && !text.iter().any(u8::is_ascii_uppercase);
        if is_unit {
            return Role::First { is_name: true };
        }
        if is_value && previous.is_some() {
            return Role::Name;
        }
        if !previous.is_some_and(|word| matches!(word, b"of" | b"for" | b"on" | b"from" | b"to")) {
            return Role::Key;
        }
    }
    if is_first {
        return Role::First { is_name: !is_known || is_capitals(text) };
    }
    if is_after_name_word(message, tokens, at) && !is_function_word(text) {
        return Role::Variable;
    }
    // "policy:SIMPLE": what stands close after a colon, and is no sentence, is a value.
    if let Some(colon) = before
        && colon.kind == Kind::Mark(b':')
        && colon.is_tight
        && token.is_tight
        && (next.is_none_or(|next| next.kind != Kind::Piece || next.is_after_comma)
            || tokens.get(at + 2).is_some_and(|after| matches!(after.kind, Kind::Mark(b':' | b'=')) && after.is_tight))
    {
        return Role::Name;
    }
    let is_exception = text.ends_with(b"Exception") || text.ends_with(b"Error");
    if is_exception {
        return Role::Word;
    }
    if is_capitals(text) {
        let previous = before.filter(|before| before.kind == Kind::Piece).map(|before| before.text(message));
        let is_state = previous.is_some_and(|word| matches!(word, b"from" | b"to" | b"state" | b"status" | b"is"));
        let is_bracketed = matches!(next_mark, Some((b'(', false)));
        return if is_state || is_bracketed || !is_known { Role::Name } else { Role::Word };
    }
    if is_known { Role::Word } else { Role::Name }
}

/// After `user`, and between `for` and `from`, there is a name, whatever it is.
fn is_after_name_word(message: &[u8], tokens: &[Token], at: usize) -> bool {
    let word = |index: Option<usize>| {
        index
            .and_then(|index| tokens.get(index))
            .filter(|token| token.kind == Kind::Piece)
            .map(|token| token.text(message))
    };
    let previous = word(at.checked_sub(1));
    match previous {
        Some(b"user" | b"User" | b"username" | b"host" | b"hostname" | b"named" | b"account" | b"login") => true,
        Some(b"for" | b"by") => matches!(word(Some(at + 1)), Some(b"from")),
        _ => false,
    }
}

fn is_after_noun(message: &[u8], tokens: &[Token], at: usize) -> bool {
    let piece = |index: Option<usize>| {
        index
            .and_then(|index| tokens.get(index))
            .filter(|token| token.kind == Kind::Piece)
            .map(|token| token.text(message))
    };
    let Some(text) = piece(Some(at)) else { return false };
    let is_noun = matches!(
        piece(at.checked_sub(1)),
        Some(
            b"job"
                | b"task"
                | b"queue"
                | b"topic"
                | b"service"
                | b"container"
                | b"pod"
                | b"table"
                | b"index"
                | b"backend"
                | b"server"
                | b"proxy"
                | b"module"
                | b"plugin"
                | b"thread"
                | b"volume"
                | b"device"
                | b"interface"
                | b"group"
                | b"role"
                | b"policy"
                | b"event"
                | b"key"
                | b"package"
                | b"unit"
                | b"image"
                | b"bucket"
                | b"database"
                | b"schema"
                | b"stream"
                | b"channel"
                | b"class"
                | b"endpoint"
                | b"worker"
                | b"replica"
                | b"cluster"
        )
    );
    // "server started", "server starting" are no names.
    is_noun
        && !text.ends_with(b"ed")
        && !text.ends_with(b"ing")
        && !is_function_word(text)
        && piece(Some(at + 1)).is_some()
}

fn is_function_word(text: &[u8]) -> bool {
    matches!(
        text,
        b"is"
            | b"was"
            | b"has"
            | b"had"
            | b"not"
            | b"and"
            | b"or"
            | b"with"
            | b"by"
            | b"from"
            | b"for"
            | b"in"
            | b"on"
            | b"at"
            | b"to"
            | b"of"
            | b"the"
            | b"a"
            | b"an"
            | b"are"
            | b"does"
            | b"will"
            | b"can"
            | b"cannot"
            | b"could"
            | b"already"
            | b"unknown"
            | b"name"
            | b"id"
            | b"authentication"
            | b"failed"
            | b"logged"
            | b"exists"
            | b"permissions"
    )
}

fn is_level(text: &[u8]) -> bool {
    matches!(
        text,
        b"INFO"
            | b"WARN"
            | b"WARNING"
            | b"ERROR"
            | b"FATAL"
            | b"DEBUG"
            | b"TRACE"
            | b"CRITICAL"
            | b"SEVERE"
            | b"NOTICE"
    )
}

fn is_capitals(text: &[u8]) -> bool {
    text.len() >= 2 && text.iter().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-' | b'.'))
}

fn shown(kept: &Kept) -> Template {
    let mut text = String::new();
    let mut from = 0usize;
    for slot in &kept.slots {
        if slot.role != Role::Variable && !slot.varies {
            continue;
        }
        let (start, end) = (slot.token.start as usize, slot.token.end as usize);
        if start < from || start > kept.example.len() {
            continue;
        }
        text.push_str(&String::from_utf8_lossy(kept.example.get(from..start).unwrap_or(&[])));
        text.push_str("<*>");
        from = end.min(kept.example.len());
    }
    text.push_str(&String::from_utf8_lossy(kept.example.get(from..).unwrap_or(&[])));
    Template {
        id: kept.id,
        text,
        count: kept.count,
        first_seen: kept.first_seen,
        last_seen: kept.last_seen,
        example: String::from_utf8_lossy(&kept.example).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, Miner, OTHER};
    use crate::logs::generator::Dice;

    fn mined(lines: &[&str]) -> Vec<String> {
        let mut miner = Miner::new();
        for line in lines {
            miner.push(line.as_bytes(), None);
        }
        miner.templates().into_iter().map(|template| template.text).collect()
    }

    #[test]
    fn names_are_parameters_and_words_are_not() {
        assert_eq!(
            mined(&["session opened for user alice", "session closed for user bob", "session opened for user root"]),
            ["session opened for user <*>", "session closed for user <*>"]
        );
        assert_eq!(
            mined(&[
                "cupsd startup succeeded",
                "klogd startup succeeded",
                "portmap startup succeeded",
                "klogd shutdown succeeded"
            ]),
            ["<*> startup succeeded", "klogd shutdown succeeded"]
        );
        assert_eq!(
            mined(&["acquire lock=1 tag=x", "release lock=2 tag=y"]),
            ["acquire lock=<*> tag=<*>", "release lock=<*> tag=<*>"]
        );
    }

    #[test]
    fn many_words_in_one_place_are_a_parameter_after_all_and_the_first_id_stays() {
        let mut miner = Miner::new();
        let words = ["cleanup", "report", "backup", "archive", "refresh", "export", "import"];
        let ids: Vec<u64> = words
            .iter()
            .map(|word| miner.push(format!("the nightly {word} run has begun on schedule").as_bytes(), Some(5)))
            .collect();
        assert!(ids.iter().all(|id| miner.resolve(*id) == ids[0]));
        let templates = miner.templates();
        assert_eq!((templates.len(), templates[0].count, templates[0].first_seen), (1, 7, Some(5)));
        assert_eq!(templates[0].text, "the nightly <*> run has begun on schedule");
        assert_eq!(miner.parameters(ids[6], "the nightly import run has begun on schedule"), ["import"]);
    }

    #[test]
    fn random_lines_do_not_grow_the_miner() {
        let limits = Limits { templates_max: 200, forms_max: 500, positions_max: 1000, example_bytes_max: 100 };
        let mut miner = Miner::with_limits(limits);
        let mut dice = Dice(1);
        for _ in 0..20_000 {
            let line: Vec<String> =
                (0..8).map(|_| (0..6).map(|_| char::from(b'a' + dice.below(26) as u8)).collect()).collect();
            miner.push(line.join(" ").as_bytes(), None);
            let [kept, forms, keys, positions, _] = miner.held();
            assert!(kept <= 200 && forms <= 500 && keys <= 400 && positions <= 1000 + 80, "{:?}", miner.held());
        }
        assert!(miner.given_up() > 0 && miner.held()[4] <= super::ALIASES_MAX);
        assert_eq!(miner.templates().iter().map(|template| template.count).sum::<u64>() + miner.given_up(), 20_000);
    }

    #[test]
    fn what_is_frequent_outlives_random_lines() {
        let mut miner = Miner::with_limits(Limits { templates_max: 100, ..Limits::default() });
        let mut dice = Dice(2);
        let first = miner.push(b"request 1 was served in 2 ms", None);
        for _ in 0..5000 {
            miner.push(b"request 7 was served in 3 ms", None);
            let rare = miner.push(
                format!(
                    "q{} {}",
                    char::from(b'a' + dice.below(26) as u8),
                    (0..9).map(|_| char::from(b'a' + dice.below(26) as u8)).collect::<String>()
                )
                .as_bytes(),
                None,
            );
            assert_ne!(rare, OTHER);
        }
        assert_eq!(miner.resolve(first), first);
        assert_eq!(miner.templates()[0].count, 5001);
    }
}
