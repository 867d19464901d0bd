//! Lines to groups: the offline form of the miner, for a log that is there as a whole.
//!
//! Two passes: the first mines, the second gives each line the template that its own turned out to be a part of. Whether headers are taken off is decided for the log, not for each line, so that
//! a message which happens to begin with a time is not torn apart.

use super::entry::clean;
use super::header;
use super::miner::{Miner, TemplateId};

/// How many lines are looked at to see whether the log has headers.
const PROBE_LINES_MAX: usize = 1000;

/// The template of each line; lines of one template have one id. Empty lines are a group of their own.
pub fn group(lines: &[&str]) -> Vec<TemplateId> {
    let probe = lines.len().div_ceil(PROBE_LINES_MAX).max(1);
    let (mut seen, mut stamped) = (0usize, 0usize);
    for line in lines.iter().step_by(probe) {
        seen += 1;
        stamped += usize::from(header::parse(&clean(line), None).has_stamp);
    }
    let has_headers = stamped * 2 > seen;
    let mut miner = Miner::new();
    let ids: Vec<TemplateId> = lines
        .iter()
        .map(|line| {
            let line = clean(line);
            let message = if has_headers { header::parse(&line, None).message } else { line.trim() };
            miner.push(message.as_bytes(), None)
        })
        .collect();
    ids.into_iter().map(|id| miner.resolve(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::group;
    use crate::logs::generator::{self, Style, grouping_accuracy};

    fn accuracy(style: &Style, with_header: bool, seed: u64) -> f64 {
        let lines = generator::lines(style, 2000, seed, with_header);
        let texts: Vec<&str> = lines.iter().map(|(_, line)| line.as_str()).collect();
        let truth: Vec<usize> = lines.iter().map(|(template, _)| *template).collect();
        grouping_accuracy(&truth, &group(&texts))
    }

    fn mean(is_held: bool, with_header: bool) -> f64 {
        let styles: Vec<Style> = generator::styles().into_iter().filter(|style| style.is_held == is_held).collect();
        let of_all: Vec<f64> = styles.iter().map(|style| accuracy(style, with_header, 11)).collect();
        // Shown if the test fails, or with `--nocapture`.
        for (style, accuracy) in styles.iter().zip(&of_all) {
            println!("{:13} held {is_held:5} header {with_header:5} {accuracy:.3}", style.name);
        }
        let mean = of_all.iter().sum::<f64>() / of_all.len() as f64;
        println!("{:13} held {is_held:5} header {with_header:5} {mean:.3}", "mean");
        mean
    }

    /// The floors are below what is reached, by as much as another seed moves it.
    #[test]
    fn lines_of_known_templates_are_grouped_by_them() {
        for (is_held, with_header, floor) in
            [(false, false, 0.96), (false, true, 0.96), (true, false, 0.79), (true, true, 0.79)]
        {
            let accuracy = mean(is_held, with_header);
            assert!(accuracy >= floor, "held {is_held}, header {with_header}: {accuracy}");
        }
    }

    #[test]
    fn no_lines_are_no_groups_and_empty_lines_are_one() {
        assert!(group(&[]).is_empty());
        let ids = group(&["", "  ", "a b c", "a b c"]);
        assert_eq!((ids[0], ids[2]), (ids[1], ids[3]));
        assert_ne!(ids[0], ids[2]);
    }
}
