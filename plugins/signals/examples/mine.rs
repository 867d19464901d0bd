//! Looks at a log: `mine FILE [--templates | --finding [ONSET] | --speed]`.
//!
//! For eyes and for measuring; programs use the library.
#![allow(clippy::disallowed_methods)]

use std::io::Write;
use std::time::Instant;

use pi_signals::logs::{LogLine, Miner, entries, group, parse_time, summarise, text_of};

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut out = std::io::stdout().lock();
    let Some(file) = arguments.first() else {
        writeln!(out, "usage: mine FILE [--templates | --finding [ONSET] | --speed]")?;
        return Ok(());
    };
    let bytes = std::fs::read(file)?;
    let text = text_of(&bytes);
    let lines: Vec<LogLine<'_>> = text.lines().map(|message| LogLine { message, ..LogLine::default() }).collect();
    match arguments.get(1).map(String::as_str) {
        Some("--finding") => {
            let finding = summarise(&lines, arguments.get(2).and_then(|onset| parse_time(onset)));
            writeln!(
                out,
                "{} lines, {} entries, {} templates, volume {:?}, gaps {:?}, silent {:?}",
                finding.lines,
                finding.entries,
                finding.template_count,
                finding.volume_ratio,
                finding.gaps,
                finding.silent_sources
            )?;
            for one in &finding.signatures {
                writeln!(
                    out,
                    "signature {:24} {:24} strength {:.2} {} before {} after: {}",
                    one.name,
                    one.cause,
                    one.strength,
                    one.before,
                    one.after,
                    one.examples.first().map_or("", String::as_str)
                )?;
            }
            for one in finding.templates.iter().take(20) {
                writeln!(
                    out,
                    "{:.2} {:?} x{} new {:.2} rate {:?} {}",
                    one.score, one.severity, one.count, one.novelty, one.rate_ratio, one.template
                )?;
            }
        }
        Some("--speed") => {
            let rate = |count: usize, start: Instant| count as f64 / start.elapsed().as_secs_f64();
            let messages: Vec<&str> = text.lines().collect();
            let start = Instant::now();
            let mut miner = Miner::new();
            for message in &messages {
                miner.push(message.as_bytes(), None);
            }
            writeln!(out, "mine whole lines {:>12.0} lines/s, {} templates", rate(lines.len(), start), miner.len())?;
            let start = Instant::now();
            let read = entries(&lines, None);
            writeln!(out, "headers          {:>12.0} lines/s, {} entries", rate(lines.len(), start), read.len())?;
            let start = Instant::now();
            let mut miner = Miner::new();
            for entry in &read {
                miner.push(entry.message.as_bytes(), entry.time);
            }
            writeln!(out, "mine messages    {:>12.0} lines/s, {} templates", rate(lines.len(), start), miner.len())?;
            let start = Instant::now();
            let ids = group(&messages);
            writeln!(out, "group            {:>12.0} lines/s, {} lines", rate(lines.len(), start), ids.len())?;
            let start = Instant::now();
            let warm = summarise(lines.get(..1).unwrap_or(&[]), None);
            writeln!(
                out,
                "first finding    {:>9.1} ms, {} lines (builds the tables)",
                start.elapsed().as_secs_f64() * 1e3,
                warm.lines
            )?;
            let start = Instant::now();
            let finding = summarise(&lines, None);
            writeln!(
                out,
                "finding          {:>12.0} lines/s, {:.1} ms, {} templates",
                rate(lines.len(), start),
                start.elapsed().as_secs_f64() * 1e3,
                finding.template_count
            )?;
        }
        _ => {
            let mut miner = Miner::new();
            for entry in entries(&lines, None) {
                miner.push(entry.message.as_bytes(), entry.time);
            }
            let mut templates = miner.templates();
            templates.sort_by_key(|template| std::cmp::Reverse(template.count));
            for template in templates {
                writeln!(out, "{:7} {}", template.count, template.text)?;
            }
        }
    }
    Ok(())
}
