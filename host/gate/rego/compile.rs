//! From sources in Rego to one program for each kind, and all that can be known to be wrong before.
//!
//! Checked beyond the language itself: that a package is `pi.<kind>` or a library that is used, that `deny`,
//! `ask` and `evidence` are partial sets, that no rule is reached from itself, and that only permitted
//! functions are called. What compiles here can still fail later, but it cannot reach outside or recurse.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use regorus::Engine;
use regorus::languages::rego::compiler::{Compiler, SpannedCompilerError};
use regorus::rvm::instructions::{BuiltinCallParams, LiteralOrRegister};
use regorus::rvm::program::BuiltinInfo;
use regorus::rvm::{Instruction, Program};
use regorus::unstable::{Rule, RuleHead};
use sha2::{Digest, Sha256};

use super::{ANY, RegoError, RegoSource, RegoVerdict, builtin, finding};

/// How large one file may be. The danger: reading a policy must not hold up a start or a reload.
pub(super) const SOURCE_BYTES_MAX: usize = 256 << 10;

/// How many files there may be, for the same reason.
pub(super) const SOURCES_MAX: usize = 250;

/// How many operators may follow each other without a comma, a brace or a new rule. The danger: the
/// compiler walks the tree of `1 + 1 + 1 + ..` on the stack, one level for each.
pub(super) const OPERATORS_MAX: usize = 500;

/// How deep brackets may be nested. The danger: the parser reads what is in a bracket twice, and so what is
/// in forty of them a trillion times; and it does so on the stack.
pub(super) const NESTING_MAX: usize = 12;

/// How many rules may stand between a finding and the last rule that it needs. The danger: the machine
/// calls rules on the stack.
pub(super) const CALL_DEPTH_MAX: usize = 24;

/// The sets of rules that are heard, with what they ask for.
const SETS: [(&str, RegoVerdict); 3] =
    [("deny", RegoVerdict::Deny), ("ask", RegoVerdict::Ask), ("evidence", RegoVerdict::Evidence)];

const TEST_SUFFIX: &str = "_test.rego";

/// The rules of one kind.
pub(super) struct Module {
    pub(super) kind: String,
    pub(super) files: Vec<String>,
    /// Where the package is named, in the first of the files.
    pub(super) line: usize,
    pub(super) program: Arc<Program>,
    pub(super) entries: Vec<Entry>,
}

/// One set of rules in a program.
pub(super) struct Entry {
    pub(super) index: usize,
    pub(super) rule: String,
    pub(super) verdict: RegoVerdict,
}

impl Module {
    /// The module in messages.
    pub(super) fn name(&self) -> String {
        format!("`pi.{}` ({})", self.kind, self.files.join(", "))
    }
}

/// A file that was read.
pub(super) struct Parsed {
    pub(super) file: String,
    /// `pi.process_run`
    pub(super) package: String,
    pub(super) line: usize,
    pub(super) rules: Vec<Head>,
}

/// What stands at the start of a rule.
pub(super) struct Head {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) column: usize,
    is_partial_set: bool,
}

pub(super) fn is_test(file: &str) -> bool {
    file.ends_with(TEST_SUFFIX)
}

/// Lower-case hex SHA-256 over names and texts, each after its length: no two sets of files are alike.
pub(super) fn revision(sources: &[RegoSource<'_>]) -> String {
    let mut sorted: Vec<&RegoSource<'_>> = sources.iter().collect();
    sorted.sort_by_key(|source| source.file);
    let mut hash = Sha256::new();
    for source in sorted {
        for text in [source.file, source.text] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compile all but the tests.
pub(super) fn compile(sources: &[RegoSource<'_>]) -> Result<Vec<Module>, RegoError> {
    check_names(sources)?;
    let mut policies: Vec<RegoSource<'_>> = sources.iter().filter(|source| !is_test(source.file)).copied().collect();
    policies.sort_by_key(|source| source.file);
    without_panic(|| {
        let (mut engine, parsed) = parse(&policies)?;
        let kinds = kinds(&parsed)?;
        check_libraries(&parsed, &policies)?;
        programs(&mut engine, &parsed, &kinds, &policies)
    })
}

/// Read sources into an engine, each as the language and the bounds want it.
pub(super) fn parse(sources: &[RegoSource<'_>]) -> Result<(Engine, Vec<Parsed>), RegoError> {
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(true);
    let mut packages = Vec::new();
    for source in sources {
        check_text(source)?;
        let package = engine
            .add_policy(source.file.to_owned(), source.text.to_owned())
            .map_err(|error| located(&error.to_string(), source.file))?;
        packages.push(package.strip_prefix("data.").unwrap_or(&package).to_owned());
    }
    let mut parsed = Vec::new();
    for (module, package) in engine.get_modules().iter().zip(packages) {
        let span = &module.package.span;
        let rules = module.policy.iter().map(|rule| head(rule)).collect();
        parsed.push(Parsed { file: span.source.get_path().clone(), package, line: span.line as usize, rules });
    }
    Ok((engine, parsed))
}

/// A fault of the engine in a source is an error of that source, not the end of the host.
pub(super) fn without_panic<T>(work: impl FnOnce() -> Result<T, RegoError>) -> Result<T, RegoError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(RegoError {
            file: "*.rego".to_owned(),
            path: "$".to_owned(),
            line: None,
            message: "the policy engine failed on these files".to_owned(),
            hint: "take out what was changed last, and report the rule as a fault".to_owned(),
        })
    })
}

fn check_names(sources: &[RegoSource<'_>]) -> Result<(), RegoError> {
    let mut seen = BTreeSet::new();
    for source in sources {
        if !seen.insert(source.file) {
            return Err(whole_file(source.file, "the file is given twice".to_owned(), "give each file once"));
        }
    }
    if sources.len() > SOURCES_MAX {
        let file = sources.last().map_or("*.rego", |source| source.file);
        let message = format!("there are {} files, more than {SOURCES_MAX}", sources.len());
        return Err(whole_file(file, message, "put the rules of one kind into one file"));
    }
    Ok(())
}

fn check_text(source: &RegoSource<'_>) -> Result<(), RegoError> {
    if source.text.len() > SOURCE_BYTES_MAX {
        let message = format!("the file has {} bytes, more than {SOURCE_BYTES_MAX}", source.text.len());
        return Err(whole_file(source.file, message, "part it by kind, and move tables into rules of their own"));
    }
    check_shape(source.text).map_err(|(line, message)| RegoError {
        file: source.file.to_owned(),
        path: "the expression".to_owned(),
        line: Some(line),
        message,
        hint: "part the expression, or make the rule several rules".to_owned(),
    })
}

/// Hold the text to what the parser can read. Texts and comments in it do not count. Errors: the line, and
/// what there is too much of.
fn check_shape(text: &str) -> Result<(), (usize, String)> {
    let (mut line, mut operators, mut depth) = (1, 0, 0_usize);
    let mut rest = text.chars().peekable();
    let mut previous = '\n';
    while let Some(character) = rest.next() {
        match character {
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > NESTING_MAX {
            return Err((line, format!("brackets are nested deeper than {NESTING_MAX} levels")));
        }
        match character {
            '\n' => line += 1,
            '#' => while rest.next_if(|next| *next != '\n').is_some() {},
            '"' => {
                while let Some(next) = rest.next_if(|next| *next != '\n') {
                    match next {
                        '\\' => drop(rest.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '`' => {
                for next in rest.by_ref() {
                    line += usize::from(next == '\n');
                    if next == '`' {
                        break;
                    }
                }
            }
            ',' | ';' | '{' | '}' => operators = 0,
            // A word at the start of a line begins a rule.
            'a'..='z' | 'A'..='Z' | '_' if previous == '\n' => operators = 0,
            // `-` and `!` and `(` may stand before each other, the rest between two operands.
            '+' | '-' | '*' | '/' | '%' | '&' | '|' | '.' | '[' | '(' | '<' | '>' | '=' | '!' => {
                operators += 1;
                if operators > OPERATORS_MAX {
                    return Err((line, format!("more than {OPERATORS_MAX} operators follow each other")));
                }
            }
            _ => {}
        }
        previous = character;
    }
    Ok(())
}

fn head(rule: &Rule) -> Head {
    let (span, is_partial_set) = match rule {
        Rule::Spec { head, .. } => match head {
            RuleHead::Set { span, .. } => (span, true),
            RuleHead::Compr { span, .. } | RuleHead::Func { span, .. } => (span, false),
        },
        Rule::Default { refr, .. } => (refr.span(), false),
    };
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let text = span.text();
    let end = text.find(|character| !is_name(character)).unwrap_or(text.len());
    let name = text.get(..end).unwrap_or_default().to_owned();
    // `deny.x contains ..` is a set below `deny`, which nobody asks for.
    let is_whole = !text.get(end..).unwrap_or_default().starts_with(['.', '[']);
    let (line, column) = (span.line as usize, span.col as usize);
    Head { name, line, column, is_partial_set: is_partial_set && is_whole }
}

/// The kinds with the rules that are heard: a kind without any is an error, most likely a misspelt name.
fn kinds(parsed: &[Parsed]) -> Result<BTreeMap<String, BTreeSet<usize>>, RegoError> {
    let mut kinds: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for file in parsed {
        let Some(kind) = kind(file)? else { continue };
        let sets = kinds.entry(kind.to_owned()).or_default();
        for rule in &file.rules {
            let error = |message: String, hint: &str| RegoError {
                file: file.file.clone(),
                path: format!("rule `{}`, column {}", rule.name, rule.column),
                line: Some(rule.line),
                message,
                hint: hint.to_owned(),
            };
            if rule.name == "allow" {
                let message = "a policy in Rego cannot allow: it can only add evidence, ask or deny".to_owned();
                return Err(error(message, "write what must not happen as `deny contains {..} if {..}`"));
            }
            let Some(at) = SETS.iter().position(|(name, _)| *name == rule.name) else { continue };
            if !rule.is_partial_set {
                let message = format!("`{}` must be a partial set", rule.name);
                let hint = "write `deny contains {\"id\": \"..\", \"reason\": \"..\"} if {..}`";
                return Err(error(message, &hint.replace("deny", &rule.name)));
            }
            sets.insert(at);
        }
    }
    for file in parsed {
        let Some(kind) = kind(file)? else { continue };
        if kinds.get(kind).is_some_and(BTreeSet::is_empty) {
            return Err(RegoError {
                file: file.file.clone(),
                path: file.package.clone(),
                line: Some(file.line),
                message: "the package has no rule `deny`, `ask` or `evidence`, so that nothing of it is heard"
                    .to_owned(),
                hint: "name the rules so, or name the package outside of `pi` if it is a library".to_owned(),
            });
        }
    }
    Ok(kinds)
}

/// The kind that a package is for; none for a library.
fn kind(file: &Parsed) -> Result<Option<&str>, RegoError> {
    let is_kind =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match file.package.strip_prefix("pi") {
        Some(rest) => match rest.strip_prefix('.') {
            Some(kind) if is_kind(kind) => Ok(Some(kind)),
            None if !rest.is_empty() && !rest.starts_with('[') => Ok(None),
            _ => Err(RegoError {
                file: file.file.clone(),
                path: file.package.clone(),
                line: Some(file.line),
                message: "a package under `pi` must be `pi.<kind>`".to_owned(),
                hint: format!("write `package pi.process_run`, or `package pi.{ANY}` for rules about every act"),
            }),
        },
        None => Ok(None),
    }
}

/// A library that nothing names is most likely a policy whose package is misspelt.
fn check_libraries(parsed: &[Parsed], sources: &[RegoSource<'_>]) -> Result<(), RegoError> {
    for file in parsed {
        if kind(file)?.is_some() {
            continue;
        }
        let root = file.package.split(['.', '[']).next().unwrap_or_default();
        let needle = format!("data.{root}");
        let is_used = sources.iter().any(|source| source.file != file.file && source.text.contains(&needle));
        if !is_used {
            return Err(RegoError {
                file: file.file.clone(),
                path: file.package.clone(),
                line: Some(file.line),
                message: format!("no other file uses the library `{}`, so that nothing of it is heard", file.package),
                hint: "write `package pi.<kind>` if it is a policy, or take the file out".to_owned(),
            });
        }
    }
    Ok(())
}

fn programs(
    engine: &mut Engine,
    parsed: &[Parsed],
    kinds: &BTreeMap<String, BTreeSet<usize>>,
    sources: &[RegoSource<'_>],
) -> Result<Vec<Module>, RegoError> {
    let mut modules = Vec::new();
    for (kind, sets) in kinds {
        let sets: Vec<_> = sets.iter().filter_map(|at| SETS.get(*at)).collect();
        let paths: Vec<String> = sets.iter().map(|(name, _)| format!("data.pi.{kind}.{name}")).collect();
        let Some(first) = paths.first() else { continue };
        let of_kind = || parsed.iter().filter(|file| file.package == format!("pi.{kind}"));
        let files: Vec<String> = of_kind().map(|file| file.file.clone()).collect();
        let line = of_kind().next().map_or(1, |file| file.line);
        let first_file = files.first().cloned().unwrap_or_default();

        let policy = engine
            .compile_with_entrypoint(&first.as_str().into())
            .map_err(|error| located(&error.to_string(), &first_file))?;
        let entry_points: Vec<&str> = paths.iter().map(String::as_str).collect();
        let program = Compiler::compile_from_policy(&policy, &entry_points)
            .map_err(|error| compile_error(&error, &first_file, line))?;
        let program = guarded(&program, sources, &first_file, line)?;
        let entries = sets
            .iter()
            .enumerate()
            .map(|(index, (name, verdict))| Entry { index, rule: (*name).to_owned(), verdict: *verdict })
            .collect();
        modules.push(Module { kind: kind.clone(), files, line, program: Arc::new(program), entries });
    }
    Ok(modules)
}

/// The program with each function, and each `*`, replaced by its guarded form.
fn guarded(program: &Program, sources: &[RegoSource<'_>], file: &str, line: usize) -> Result<Program, RegoError> {
    let mut guarded = program.clone();
    guarded.resolved_builtins.clear();
    for info in &mut guarded.rule_infos {
        // The machine copies these notes at every call. Without an `else` there is nothing in them.
        if !info.else_bodies.iter().flatten().any(|is_else| *is_else) {
            info.else_bodies = Vec::new();
        }
    }
    for (at, info) in program.builtin_info_table.iter().enumerate() {
        match builtin::guarded(&info.name, info.num_args) {
            Some(function) => guarded.resolved_builtins.push(function),
            None => return Err(forbidden(program, at, &info.name, sources, file)),
        }
    }
    let multiply = guarded.add_builtin_info(BuiltinInfo { name: "*".to_owned(), num_args: builtin::MULTIPLY.1.into() });
    guarded.resolved_builtins.push(builtin::MULTIPLY);
    for at in 0..guarded.instructions.len() {
        let Some(Instruction::Mul { dest, left, right }) = guarded.instructions.get(at).cloned() else { continue };
        let args = [left, right, 0, 0, 0, 0, 0, 0];
        let call = BuiltinCallParams { dest, builtin_index: multiply, num_args: 2, args };
        let params_index = guarded.add_builtin_call_params(call);
        if let Some(instruction) = guarded.instructions.get_mut(at) {
            *instruction = Instruction::BuiltinCall { params_index };
        }
    }
    let whole = |path: &str, message: String, hint: &str| RegoError {
        file: file.to_owned(),
        path: path.to_owned(),
        line: Some(line),
        message,
        hint: hint.to_owned(),
    };
    if program.has_host_await {
        let message = "a policy cannot wait for an answer of the host".to_owned();
        return Err(whole("__builtin_host_await", message, "take the call out"));
    }
    if lookups(program).any(|path| path.is_none()) {
        let message = "rules are reached by a name that is only known when they run".to_owned();
        return Err(whole("data", message, "name each rule in full: `data.lib.names.critical`"));
    }
    match call_depth(program) {
        Ok(depth) if depth <= CALL_DEPTH_MAX => Ok(guarded),
        Ok(depth) => {
            let message = format!("{depth} rules need each other in a row, more than {CALL_DEPTH_MAX}");
            Err(whole("the rules", message, "let fewer rules build on each other"))
        }
        Err(name) => {
            let message = format!("the rule `{name}` needs itself");
            Err(whole(&name, message, "a rule cannot be recursive, not by way of others either"))
        }
    }
}

fn forbidden(program: &Program, at: usize, name: &str, sources: &[RegoSource<'_>], file: &str) -> RegoError {
    let is_call = |instruction: &Instruction| match instruction {
        Instruction::BuiltinCall { params_index } => program
            .instruction_data
            .get_builtin_call_params(*params_index)
            .is_some_and(|parameters| usize::from(parameters.builtin_index) == at),
        _ => false,
    };
    let pc = program.instructions.iter().position(is_call);
    let span = pc.and_then(|pc| program.instruction_spans.get(pc)).and_then(Option::as_ref);
    let line = span.map(|span| span.line);
    // The span's number of a file counts otherwise than the program's list of files: the text tells.
    let found = line.and_then(|line| {
        let has_it = |text: &str| text.lines().nth(line.saturating_sub(1)).is_some_and(|text| text.contains(name));
        sources.iter().find(|source| has_it(source.text))
    });
    RegoError {
        file: found.map_or(file, |source| source.file).to_owned(),
        path: span.map_or_else(|| format!("`{name}`"), |span| format!("column {}", span.column)),
        line,
        message: format!("a policy may not call `{name}`"),
        hint: format!(
            "all that a policy may see is in `input`; it may call: {}",
            builtin::names().collect::<Vec<_>>().join(", ")
        ),
    }
}

/// How many rules stand in a row at most. Errors: the name of a rule that is reached from itself.
fn call_depth(program: &Program) -> Result<usize, String> {
    let calls = calls(program);
    let mut depths: Vec<Depth> = vec![Depth::Unknown; program.rule_infos.len()];
    let mut deepest = 0;
    for rule in 0..program.rule_infos.len() {
        deepest = deepest.max(depth_of(rule, &calls, &mut depths, program, 0)?);
    }
    Ok(deepest)
}

#[derive(Clone, Copy)]
enum Depth {
    Unknown,
    Open,
    Known(usize),
}

fn depth_of(
    rule: usize,
    calls: &[BTreeSet<usize>],
    depths: &mut [Depth],
    program: &Program,
    level: usize,
) -> Result<usize, String> {
    match depths.get(rule) {
        Some(Depth::Known(depth)) => return Ok(*depth),
        Some(Depth::Open) => {
            let name = program.rule_infos.get(rule).map_or("?", |info| info.name.as_str());
            return Err(name.strip_prefix("data.").unwrap_or(name).to_owned());
        }
        Some(Depth::Unknown) | None => {}
    }
    // Deeper than what is permitted is all that needs to be known, and this walk uses the stack as well. A
    // loop behind it would be as much of an error.
    if level > CALL_DEPTH_MAX {
        return Ok(1);
    }
    if let Some(depth) = depths.get_mut(rule) {
        *depth = Depth::Open;
    }
    let mut below = 0;
    for called in calls.get(rule).into_iter().flatten() {
        below = below.max(depth_of(*called, calls, depths, program, level + 1)?);
    }
    if let Some(depth) = depths.get_mut(rule) {
        *depth = Depth::Known(below + 1);
    }
    Ok(below + 1)
}

/// Which rules each rule calls. The instructions of a rule lie together, from where one of its
/// definitions begins to where one of another rule does.
fn calls(program: &Program) -> Vec<BTreeSet<usize>> {
    let mut starts: BTreeMap<usize, usize> = BTreeMap::new();
    for (rule, info) in program.rule_infos.iter().enumerate() {
        let blocks = info.destructuring_blocks.iter().flatten();
        for start in info.definitions.iter().flatten().chain(blocks) {
            starts.insert(*start as usize, rule);
        }
    }
    let mut calls = vec![BTreeSet::new(); program.rule_infos.len()];
    for (pc, instruction) in program.instructions.iter().enumerate() {
        let called = match instruction {
            Instruction::CallRule { rule_index, .. } => Some(usize::from(*rule_index)),
            Instruction::FunctionCall { params_index } => program
                .instruction_data
                .get_function_call_params(*params_index)
                .map(|parameters| usize::from(parameters.func_rule_index)),
            _ => None,
        };
        let caller = starts.range(..=pc).next_back().map(|(_, rule)| *rule);
        let Some(calls) = caller.and_then(|caller| calls.get_mut(caller)) else { continue };
        calls.extend(called);
        if let Instruction::VirtualDataDocumentLookup { params_index } = instruction
            && let Some(path) = lookup(program, *params_index)
        {
            // What is read by its path is a rule, something in what a rule gives, or a package of rules.
            let is_below = |longer: &str, shorter: &str| {
                longer.strip_prefix(shorter).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            let names = program.rule_infos.iter().map(|info| info.name.as_str()).enumerate();
            calls.extend(names.filter(|(_, name)| is_below(&path, name) || is_below(name, &path)).map(|(at, _)| at));
        }
    }
    calls
}

/// The paths below `data` that the program reads; none where a part is only known when it runs.
fn lookups(program: &Program) -> impl Iterator<Item = Option<String>> {
    program.instructions.iter().filter_map(|instruction| match instruction {
        Instruction::VirtualDataDocumentLookup { params_index } => Some(lookup(program, *params_index)),
        _ => None,
    })
}

fn lookup(program: &Program, params_index: u16) -> Option<String> {
    let parameters = program.instruction_data.get_virtual_data_document_lookup_params(params_index)?;
    let mut path = "data".to_owned();
    for component in &parameters.path_components {
        let LiteralOrRegister::Literal(literal) = component else { return None };
        path.push('.');
        path.push_str(program.literals.get(usize::from(*literal))?.as_string().ok()?);
    }
    Some(path)
}

fn compile_error(error: &SpannedCompilerError, file: &str, line: usize) -> RegoError {
    let text = error.error.to_string();
    let (file, line, path) = match &error.span {
        Some(span) => (span.source.get_path().as_str(), span.line as usize, format!("column {}", span.col)),
        None => (file, line, "the package".to_owned()),
    };
    let hint = if text.contains("`with`") {
        "`with` stands for what is not there, and belongs into tests: move it to a file that ends in `_test.rego`"
    } else {
        "mend the rule; `pi-host policy test` shows what it does"
    };
    RegoError { file: file.to_owned(), path, line: Some(line), message: finding::plain(&text), hint: hint.to_owned() }
}

/// An error whose place the engine drew into the text: `--> file:3:7`.
fn located(text: &str, file: &str) -> RegoError {
    let place = text.lines().find_map(|line| line.trim().strip_prefix("--> "));
    let mut parts = place.unwrap_or_default().rsplitn(3, ':');
    let column = parts.next().and_then(|column| column.parse::<usize>().ok());
    let line = parts.next().and_then(|line| line.parse::<usize>().ok());
    let named = parts.next().filter(|_| line.is_some());
    let message = finding::plain(text);
    let hint = if message.contains("`if` keyword") || message.contains("`contains` keyword") {
        "policies are in Rego of version 1: `deny contains {..} if {..}`"
    } else {
        "mend the line; the language is Rego of version 1"
    };
    RegoError {
        file: named.unwrap_or(file).to_owned(),
        path: column.map_or_else(|| "$".to_owned(), |column| format!("column {column}")),
        line,
        message,
        hint: hint.to_owned(),
    }
}

fn whole_file(file: &str, message: String, hint: &str) -> RegoError {
    RegoError { file: file.to_owned(), path: "$".to_owned(), line: None, message, hint: hint.to_owned() }
}
