//! The report as Markdown: what changed, in order, each claim with what shows it.
//!
//! Nothing is said twice: the title and the summary name what matters most, the headings say each claim in short, and
//! only what a claim says besides stands below its heading. Ailments of one kind are one section. Everything that goes
//! into the text is escaped, and what goes into a block of code cannot end it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pi_catalog::database::Rows;
use pi_catalog::finding::{Evidence, Finding, Severity};
use pi_sdk::Value;

use crate::evidence::inlined;
use crate::rank::{Order, Ranked};
use crate::text::{capital, consequence, counted, day, escaped, heading, listed, number, sentence, with_weekday};

/// Findings that are told in full; the others get a line each.
const TOLD_MAX: usize = 20;
/// From so many sections on, a table says what they are.
const CONTENTS_MIN: usize = 4;
/// Rows of a piece of evidence, and characters of a cell.
const ROWS_MAX: usize = 14;
const CELL_CHARS_MAX: usize = 60;
/// Values of dimensions that explain a change.
const CONTRIBUTORS_MAX: usize = 6;
/// Tables that a line about what was not judged names.
const NAMES_MAX: usize = 8;

/// What was looked at, for the last section.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    pub database: String,
    pub tables: usize,
    pub columns: usize,
    pub statements: u64,
    /// It was looked at for the first time: there is nothing to compare with.
    pub is_first: bool,
    pub gaps: Vec<String>,
    /// How many of them the last look did not have: the others are at the end, and in no summary.
    pub gaps_new: usize,
    /// What was not judged yet: why, and where.
    pub abstained: Vec<(String, String)>,
    /// What there is, as Markdown, where it was looked at for the first time.
    pub overview: String,
}

/// A picture of a finding, by the finding's place.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub finding: usize,
    pub name: String,
    pub alternative: String,
}

/// What would mend an ailment: for people, and never run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mend {
    pub statements: Vec<String>,
    pub caveats: Vec<String>,
}

/// What a report consists of.
pub struct Parts<'a> {
    pub title: &'a str,
    pub summary: &'a str,
    pub order: &'a Order,
    pub pictures: &'a [Picture],
    /// By the key of their finding.
    pub mends: &'a BTreeMap<String, Mend>,
    pub scopes: &'a [Scope],
}

/// The title that says most: the first thing to know, and how much more there is.
pub fn title(order: &Order, scopes: &[Scope]) -> String {
    let names: Vec<&str> = scopes.iter().map(|scope| scope.database.as_str()).collect();
    let names = names.join(", ");
    if scopes.iter().all(|scope| scope.tables == 0) {
        return format!("{names}: could not be looked at");
    }
    let sections = sections(order);
    let more = sections.len().saturating_sub(1);
    match sections.first() {
        None if scopes.iter().all(|scope| scope.is_first) => format!("{names}: a first look"),
        None if !order.gone.is_empty() => {
            format!("{names}: nothing new, and {} no longer so", counted(order.gone.len(), "thing", "things"))
        }
        None if scopes.iter().any(|scope| !scope.gaps.is_empty()) => {
            format!("{names}: nothing new in what could be looked at")
        }
        None => format!("{names}: nothing new"),
        Some(_) if scopes.iter().all(|scope| scope.is_first) => {
            format!("{names}: a first look, and {} to mend", counted(sections.len(), "thing", "things"))
        }
        Some(first) if more == 0 => format!("{names}: {}", plain(&headline(first))),
        Some(first) => format!("{names}: {}, and {more} more", plain(&headline(first))),
    }
}

/// A title stands in lists and in subjects of mails, where a backtick is a backtick.
fn plain(text: &str) -> String {
    text.replace('`', "")
}

/// The paragraph for who reads no more.
pub fn summary(order: &Order, scopes: &[Scope]) -> String {
    paragraph(order, scopes, 0)
}

/// The same below the title, which has said a claim that is the only one.
pub fn opening(order: &Order, scopes: &[Scope]) -> String {
    let is_in_the_title = sections(order).len() == 1 && !scopes.iter().all(|scope| scope.is_first);
    paragraph(order, scopes, usize::from(is_in_the_title))
}

/// The summary without the first claims, which were said already.
fn paragraph(order: &Order, scopes: &[Scope], said: usize) -> String {
    if scopes.iter().all(|scope| scope.tables == 0) {
        return "There was nothing that could be looked at; the end of the report says why.".to_owned();
    }
    let mut text = String::new();
    let sections = sections(order);
    let urgent = sections.iter().filter(|section| severity(section) >= Severity::Warning).count();
    match (sections.len(), urgent) {
        (0, _) if scopes.iter().all(|scope| scope.is_first) => text.push_str("Nothing ails it."),
        (0, _) => text.push_str("Nothing has changed that would be worth your time."),
        (_, 0) => text.push_str("Nothing here is urgent."),
        (1, _) => text.push_str("One thing should be looked at."),
        (all, urgent) if all == urgent => _ = write!(text, "{all} things should be looked at."),
        (all, urgent) => _ = write!(text, "{urgent} of {all} things should be looked at."),
    }
    for section in sections.iter().take(3).skip(said) {
        let _ = write!(text, " {}", sentence(&headline(section)));
    }
    match sections.len().saturating_sub(3) {
        0 => {}
        1 => text.push_str(" There is one more."),
        more => _ = write!(text, " There are {more} more."),
    }
    if !order.gone.is_empty() {
        let _ =
            write!(text, " {} told before is no longer so.", capital(&counted(order.gone.len(), "thing", "things")));
    }
    let first: Vec<String> = scopes.iter().filter(|scope| scope.is_first).map(|scope| scope.database.clone()).collect();
    if !first.is_empty() {
        let _ = write!(
            text,
            " This is the first look at {}: the next report tells what has changed since.",
            listed(&first)
        );
    }
    let gaps: usize = scopes.iter().map(|scope| scope.gaps_new).sum();
    if gaps > 0 {
        let what = if gaps == 1 { "One thing" } else { "Some things" };
        let _ = write!(text, " {what} could not be looked at; the end of the report says what.");
    }
    text
}

/// The whole page.
pub fn page(parts: &Parts<'_>) -> String {
    let mut page = format!("# {}\n\n{}\n", escaped(parts.title), escaped(parts.summary));
    let order = parts.order;
    let sections = sections(order);
    if sections.len() >= CONTENTS_MIN {
        page.push_str("\n| | what | how much it matters |\n|---|---|---|\n");
        for section in &sections {
            let _ = writeln!(
                page,
                "| {} | {} | {} |",
                numbers(section),
                escaped(&headline(section)),
                word(severity(section))
            );
        }
    }
    let mut told_so_far = 0;
    for section in &sections {
        if told_so_far >= TOLD_MAX {
            page.push_str("\nThe others are in the table above: they weigh less than these.\n");
            break;
        }
        told_so_far += section.len();
        match section.as_slice() {
            [(index, ranked)] => told(&mut page, *index, ranked, parts),
            several => told_together(&mut page, several, parts),
        }
    }
    for scope in parts.scopes.iter().filter(|scope| !scope.overview.is_empty()) {
        let _ = write!(page, "\n## What there is in {}\n\n{}", escaped(&scope.database), scope.overview);
    }
    if !order.gone.is_empty() {
        page.push_str("\n## No longer so\n\nTold in an earlier report, and gone since.\n\n");
        for claim in &order.gone {
            let _ = writeln!(page, "- {}", escaped(&heading(claim)));
        }
    }
    if !order.known.is_empty() {
        page.push_str("\n## Still so\n\nTold in an earlier report.\n\n");
        for section in grouped(&order.known) {
            let told_ms = section.iter().map(|(_, ranked)| ranked.first_ms).min().unwrap_or_default();
            let _ = writeln!(page, "- {} (told {})", escaped(&headline(&section)), day(told_ms));
        }
    }
    scope(&mut page, parts);
    page
}

/// Findings that are told under one heading, each with its place in the order.
type Section<'a> = Vec<(usize, &'a Ranked)>;

fn sections(order: &Order) -> Vec<Section<'_>> {
    grouped(&order.news)
}

/// Ailments of one kind and weight that stand beside each other in the order are one: a database without indexes on its
/// foreign keys lacks them all.
fn grouped(list: &[Ranked]) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for (index, ranked) in list.iter().enumerate() {
        let like = |section: &&mut Section<'_>| {
            section.first().is_some_and(|(_, first)| {
                first.finding.kind == ranked.finding.kind
                    && first.finding.severity == ranked.finding.severity
                    && database_of(first) == database_of(ranked)
            })
        };
        let name = plural(&ranked.finding.kind);
        match sections.iter_mut().find(like).filter(|_| name.is_some()) {
            Some(section) => section.push((index, ranked)),
            None => sections.push(vec![(index, ranked)]),
        }
    }
    sections
}

fn database_of(ranked: &Ranked) -> &str {
    ranked.key.split('/').next().unwrap_or_default()
}

/// What several ailments of one kind are called. Kinds that are not here are told one by one.
fn plural(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "foreign_key_without_index" => "foreign keys have no index",
        "index_unused" => "indexes are read by nobody",
        "index_duplicate" => "indexes are there twice",
        "index_overlapping" => "indexes are the beginning of another one",
        "index_invalid" => "indexes are invalid",
        "table_bloated" => "tables are bloated",
        "index_bloated" => "indexes are bloated",
        "table_never_analyzed" => "tables have no statistics",
        "table_read_whole" => "tables are read from end to end",
        "grant_added" => "rights were granted",
        "grant_removed" => "rights were taken away",
        "comment_changed" => "comments were changed",
        _ => return None,
    })
}

fn headline(section: &Section<'_>) -> String {
    match section.as_slice() {
        [(_, one)] => heading(&one.finding.claim),
        several => {
            let name = several.first().and_then(|(_, first)| plural(&first.finding.kind)).unwrap_or_default();
            let mut places: Vec<String> = several.iter().map(|(_, ranked)| place(&ranked.finding)).collect();
            places.dedup();
            let more = places.len().saturating_sub(4);
            places.truncate(4);
            if more > 0 {
                places.push(format!("{more} more"));
            }
            format!("{} {name}: {}", several.len(), listed(&places))
        }
    }
}

fn severity(section: &Section<'_>) -> Severity {
    section.first().map_or(Severity::Info, |(_, first)| first.finding.severity)
}

fn numbers(section: &Section<'_>) -> String {
    let numbers: Vec<String> = section.iter().map(|(index, _)| (index + 1).to_string()).collect();
    numbers.join(", ")
}

fn told(page: &mut String, index: usize, ranked: &Ranked, parts: &Parts<'_>) {
    let finding = &ranked.finding;
    let _ = write!(page, "\n## {}. {}\n\n", index + 1, escaped(&heading(&finding.claim)));
    let rest = consequence(&finding.claim);
    if !rest.is_empty() {
        let _ = write!(page, "{}\n\n", escaped(&rest));
    }
    let mut facts = vec![format!("**{}**", capital(word(finding.severity))), place(finding)];
    facts.extend(finding.since.as_ref().map(|since| format!("since {}", escaped(&with_weekday(since)))));
    facts.extend(finding.p_value.map(chance));
    let _ = writeln!(page, "{}", facts.join(" · "));
    let pictures: Vec<&Picture> = parts.pictures.iter().filter(|picture| picture.finding == index).collect();
    for picture in &pictures {
        let _ = write!(page, "\n![{}]({})\n", escaped(&picture.alternative), picture.name);
    }
    // A picture of them has their numbers, and one part alone is the claim once more.
    if is_everywhere(finding) {
        page.push_str("\nIt is much the same everywhere: no part of the table makes it.\n");
    } else if finding.contributors.len() > 1 && !pictures.iter().any(|picture| picture.name.ends_with("-parts.svg")) {
        contributors(page, finding);
    }
    let marked = marked(finding);
    for evidence in &finding.evidence {
        shown(page, evidence, &marked);
    }
    if let Some(mend) = parts.mends.get(&ranked.key) {
        mends(page, &mend.statements, &mend.caveats);
    }
}

/// One section about several ailments of one kind: a line for each, and what would mend all of them.
fn told_together(page: &mut String, section: &[(usize, &Ranked)], parts: &Parts<'_>) {
    let section: Section<'_> = section.to_vec();
    let _ = write!(page, "\n## {}. {}\n\n", numbers(&section), escaped(&headline(&section)));
    let _ = write!(page, "**{}**\n\n", capital(word(severity(&section))));
    let (mut statements, mut caveats): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for (index, ranked) in &section {
        let _ = writeln!(page, "- {}: {}", index + 1, escaped(&sentence(&ranked.finding.claim)));
        if let Some(mend) = parts.mends.get(&ranked.key) {
            statements.extend(mend.statements.iter().cloned());
            for caveat in &mend.caveats {
                if !caveats.contains(caveat) {
                    caveats.push(caveat.clone());
                }
            }
        }
    }
    mends(page, &statements, &caveats);
    if let Some(evidence) = section.first().and_then(|(_, first)| first.finding.evidence.first()) {
        shown(page, evidence, &[]);
    }
}

fn mends(page: &mut String, statements: &[String], caveats: &[String]) {
    if !statements.is_empty() {
        page.push_str("\nWhat would mend it; nobody has run it:\n");
        block(page, &statements.join("\n"));
    }
    if !caveats.is_empty() {
        let text: Vec<String> = caveats.iter().map(|caveat| sentence(&capital(&escaped(caveat)))).collect();
        let _ = write!(page, "\nBefore that: {}\n", text.join(" "));
    }
}

fn contributors(page: &mut String, finding: &Finding) {
    page.push_str("\n| which part | before | after | share of the change |\n|---|---:|---:|---:|\n");
    for part in finding.contributors.iter().take(CONTRIBUTORS_MAX) {
        let _ = writeln!(
            page,
            "| {} = {} | {} | {} | {} % |",
            escaped(&part.dimension),
            escaped(&cut(&part.value)),
            number(part.before),
            number(part.after),
            number((part.share * 100.0).round())
        );
    }
}

/// Whether a change of rows came to all parts by what they were before: then none of them explains it.
pub fn is_everywhere(finding: &Finding) -> bool {
    const NEAR: f64 = 0.15;
    let before: f64 = finding.contributors.iter().map(|part| part.before).sum();
    finding.kind.starts_with("volume_")
        && finding.contributors.len() > 1
        && before > 0.0
        && finding.contributors.iter().all(|part| (part.share - part.before / before).abs() < NEAR)
}

/// The times that a finding is about.
fn marked(finding: &Finding) -> Vec<String> {
    let Some(series) = &finding.series else { return Vec::new() };
    series.marked.iter().filter_map(|at| series.times.get(*at).cloned()).collect()
}

/// A block of SQL that its text cannot end.
fn block(page: &mut String, text: &str) {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    let _ = write!(page, "\n{fence}sql\n{}\n{fence}\n", text.trim());
}

fn shown(page: &mut String, evidence: &Evidence, marked: &[String]) {
    page.push_str("\nWhat shows it:\n");
    block(page, &inlined(&evidence.query));
    table(page, &evidence.rows, marked);
}

/// Rows; the newest where they are of times, and those that the claim is about in bold.
fn table(page: &mut String, rows: &Rows, marked: &[String]) {
    if rows.columns.is_empty() {
        return;
    }
    if rows.rows.is_empty() {
        page.push_str("\nIt gives no row.\n");
        return;
    }
    let is_of_times = rows.columns.first().is_some_and(|name| matches!(name.as_str(), "hour" | "day" | "week"));
    let is_number = |at: usize| {
        let mut values = rows.rows.iter().filter_map(|row| row.get(at)).filter(|value| !value.is_null()).peekable();
        values.peek().is_some() && values.all(Value::is_number)
    };
    let names: Vec<String> = rows.columns.iter().map(|name| escaped(&cut(&name.replace('_', " ")))).collect();
    let rules: Vec<&str> = (0..names.len()).map(|at| if is_number(at) { "---:" } else { "---" }).collect();
    let _ = write!(page, "\n| {} |\n| {} |\n", names.join(" | "), rules.join(" | "));
    let skipped = if is_of_times { rows.rows.len().saturating_sub(ROWS_MAX) } else { 0 };
    for row in rows.rows.iter().skip(skipped).take(ROWS_MAX) {
        let is_marked = row.first().and_then(Value::as_str).is_some_and(|time| marked.iter().any(|one| one == time));
        let mut cells: Vec<String> = row.iter().map(cell).collect();
        if is_of_times && let Some(time) = cells.first_mut() {
            *time = with_weekday(time);
        }
        if is_marked {
            cells.iter_mut().filter(|cell| !cell.is_empty()).for_each(|cell| *cell = format!("**{cell}**"));
        }
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
    let is_there = |time: &String| rows.rows.iter().any(|row| row.first().and_then(Value::as_str) == Some(time));
    let missing: Vec<String> = marked.iter().filter(|time| !is_there(time)).map(|time| with_weekday(time)).collect();
    if is_of_times && let Some(last) = missing.last() {
        let before = if missing.len() > 1 { format!("{} to ", missing.first().unwrap_or(last)) } else { String::new() };
        let _ = write!(page, "\nThere is no row for {before}{last}.\n");
    }
    if !is_of_times && (rows.rows.len() > ROWS_MAX || rows.is_cut) {
        page.push_str("\nThere are more rows than are shown.\n");
    }
}

fn scope(page: &mut String, parts: &Parts<'_>) {
    page.push_str("\n## What was looked at\n\n");
    for scope in parts.scopes {
        let _ = writeln!(
            page,
            "- `{}`: {} tables with {} columns, by {} statements that only read.",
            scope.database.replace('`', "'"),
            scope.tables,
            number(scope.columns as f64),
            scope.statements
        );
    }
    if parts.order.muted > 0 {
        let _ = writeln!(page, "- Left out because people muted it: {}.", parts.order.muted);
    }
    let gaps: Vec<&String> = parts.scopes.iter().flat_map(|scope| &scope.gaps).collect();
    if !gaps.is_empty() {
        page.push_str("\n### Could not be looked at\n\n");
        for line in gaps {
            let _ = writeln!(page, "- {}", sentence(&escaped(&capital(line))));
        }
    }
    let mut abstained: Vec<(&String, Vec<String>)> = Vec::new();
    for (why, table) in parts.scopes.iter().flat_map(|scope| &scope.abstained) {
        match abstained.iter_mut().find(|(known, _)| *known == why) {
            Some((_, tables)) => tables.push(table.clone()),
            None => abstained.push((why, vec![table.clone()])),
        }
    }
    if !abstained.is_empty() {
        page.push_str("\n### Not judged\n\n");
        for (why, mut tables) in abstained {
            let more = tables.len().saturating_sub(NAMES_MAX);
            tables.truncate(NAMES_MAX);
            let mut names: Vec<String> = tables.iter().map(|name| format!("`{}`", code(name))).collect();
            if more > 0 {
                names.push(format!("{more} more"));
            }
            let _ = writeln!(page, "- {}: {}", listed(&names), sentence(&escaped(why)));
        }
    }
}

fn place(finding: &Finding) -> String {
    let subject = &finding.subject;
    let column = subject.column.as_deref().unwrap_or_default();
    // SQLite has one schema, and nobody writes it.
    let schema = if subject.schema == "main" { "" } else { subject.schema.as_str() };
    let parts = [schema, &subject.table, column];
    let name: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if name.is_empty() { "the database".to_owned() } else { format!("`{}`", code(&name.join("."))) }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "good to know",
        Severity::Notice => "worth a look",
        Severity::Warning => "should be looked at",
        Severity::Critical => "urgent",
    }
}

/// How likely it is by chance, as people say it.
fn chance(p: f64) -> String {
    match p {
        p if p < 1e-6 => "by chance less than once in a million times".to_owned(),
        p if p < 0.01 => format!("by chance once in {} times", number(round_to_one_digit(1.0 / p))),
        p => format!("by chance {} % of the time", number((p * 100.0).round())),
    }
}

fn round_to_one_digit(value: f64) -> f64 {
    let size = 10_f64.powf(value.log10().floor());
    (value / size).round() * size
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(is_so) => if *is_so { "yes" } else { "no" }.to_owned(),
        Value::Number(it) => it.as_f64().map_or_else(|| it.to_string(), number),
        Value::String(text) => escaped(&cut(text)),
        other => escaped(&cut(&other.to_string())),
    }
}

fn cut(text: &str) -> String {
    let mut short: String = text.chars().take(CELL_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// What stands between two backticks.
fn code(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && *c != '`' && *c != '|').collect()
}

fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use pi_catalog::database::Query;
    use pi_catalog::finding::{Contributor, Series, Subject};
    use pi_sdk::json;

    fn ranked(kind: &str, subject: Subject, severity: Severity, claim: &str) -> Ranked {
        let finding = Finding::new(kind, subject, severity, claim);
        Ranked { key: format!("shop/{kind}/{claim}"), finding, first_ms: 1_795_485_436_000 }
    }

    fn scope() -> Scope {
        Scope { database: "shop".into(), tables: 3, columns: 12, statements: 40, ..Scope::default() }
    }

    fn page_of(order: &Order, mends: &BTreeMap<String, Mend>) -> String {
        let scopes = [scope()];
        let (title, summary) = (title(order, &scopes), opening(order, &scopes));
        page(&Parts { title: &title, summary: &summary, order, pictures: &[], mends, scopes: &scopes })
    }

    #[test]
    fn one_claim_is_the_title_and_the_heading_and_stands_nowhere_else() {
        let claim = "orders: no row since 2026-11-28";
        let mut it = ranked("data_stale", Subject::table("main", "orders"), Severity::Critical, claim);
        it.finding.since = Some("2026-11-28".into());
        it.finding.p_value = Some(1e-9);
        let order = Order { news: vec![it], ..Order::default() };
        let page = page_of(&order, &BTreeMap::new());
        let begin = format!("# shop: {claim}\n\nOne thing should be looked at.\n\n## 1. {claim}\n");
        assert!(page.starts_with(&begin), "{page}");
        assert_eq!(page.matches("no row since").count(), 2, "{page}");
        let facts = "**Urgent** · `orders` · since Sat 2026-11-28 · by chance less than once in a million times\n";
        assert!(page.contains(facts), "{page}");
        assert_eq!(summary(&order, &[scope()]), format!("One thing should be looked at. {claim}."));
    }

    #[test]
    fn ailments_of_one_kind_are_one_section_with_all_that_would_mend_them() {
        let kind = "foreign_key_without_index";
        let of = |column: &str| {
            let claim = format!("The foreign key `{column}` of `t` has no index: each delete in `x` reads all of it");
            ranked(kind, Subject::column("main", "t", column), Severity::Notice, &claim)
        };
        let order = Order { news: vec![of("a"), of("b")], ..Order::default() };
        let mend = |column: &str| Mend {
            statements: vec![format!("CREATE INDEX {column};")],
            caveats: vec!["look first".into()],
        };
        let mends = order.news.iter().zip(["a", "b"]).map(|(it, column)| (it.key.clone(), mend(column))).collect();
        let page = page_of(&order, &mends);
        assert!(page.contains("## 1, 2. 2 foreign keys have no index: `t.a` and `t.b`"), "{page}");
        assert!(page.contains("CREATE INDEX a;\nCREATE INDEX b;"), "{page}");
        assert_eq!(page.matches("Look first.").count(), 1, "{page}");
    }

    #[test]
    fn the_newest_rows_are_shown_and_those_of_the_claim_stand_out() {
        let mut it = ranked("volume_dropped", Subject::table("public", "t"), Severity::Warning, "t: rows: 3");
        let days: Vec<String> = (1..=20).map(|day| format!("2026-11-{day:02}")).collect();
        let rows = days.iter().take(19).map(|day| vec![json!(day), json!(12_345)]).collect();
        let rows = Rows { columns: vec!["day".into(), "rows".into()], rows, ..Rows::default() };
        it.finding.evidence.push(Evidence { query: Query::with("SELECT $1", vec![json!("x")]), rows });
        it.finding.series = Some(Series { times: days, marked: vec![18, 19], ..Series::default() });
        let page = page_of(&Order { news: vec![it], ..Order::default() }, &BTreeMap::new());
        assert!(!page.contains("2026-11-05") && page.contains("| Fri 2026-11-06 | 12,345 |"), "{page}");
        assert!(page.contains("| **Thu 2026-11-19** | **12,345** |\n\nThere is no row for Fri 2026-11-20."), "{page}");
        assert!(page.contains("SELECT 'x'"), "{page}");
    }

    #[test]
    fn what_came_to_all_parts_alike_is_explained_by_none() {
        let part = |value: &str, before: f64, share: f64| Contributor {
            dimension: "status".into(),
            value: value.into(),
            before,
            after: before - 100.0 * share,
            share,
        };
        let mut it = ranked("volume_dropped", Subject::table("public", "t"), Severity::Warning, "t: rows: 3").finding;
        it.contributors = vec![part("a", 130.0, 1.02), part("(other)", 14.0, -0.02)];
        assert!(is_everywhere(&it));
        it.contributors = vec![part("a", 30.0, 0.9), part("(other)", 114.0, 0.1)];
        assert!(!is_everywhere(&it));
    }

    #[test]
    fn a_quiet_day_is_short_and_says_what_is_no_longer_so() {
        let order = Order { gone: vec!["The index `x` is invalid: each write keeps it.".into()], ..Order::default() };
        let page = page_of(&order, &BTreeMap::new());
        let begin = "# shop: nothing new, and one thing no longer so\n\nNothing has changed that would be worth your time. One thing told before is no longer so.\n";
        assert!(page.starts_with(begin), "{page}");
        let mended = "## No longer so\n\nTold in an earlier report, and gone since.\n\n- The index `x` is invalid\n";
        assert!(page.contains(mended), "{page}");
    }

    #[test]
    fn what_was_not_judged_is_one_line_for_each_reason() {
        let mut scope = scope();
        scope.abstained = ["a", "b"].map(|table| ("it is empty".to_owned(), table.to_owned())).to_vec();
        let (order, mends) = (Order::default(), BTreeMap::new());
        let page =
            page(&Parts { title: "t", summary: "s", order: &order, pictures: &[], mends: &mends, scopes: &[scope] });
        assert!(page.ends_with("### Not judged\n\n- `a` and `b`: it is empty.\n"), "{page}");
    }

    #[test]
    fn chance_is_said_as_people_say_it() {
        let all: Vec<String> = [1e-9, 1.1e-4, 0.04].map(chance).to_vec();
        assert_eq!(
            all,
            [
                "by chance less than once in a million times",
                "by chance once in 9,000 times",
                "by chance 4 % of the time"
            ]
        );
    }
}
