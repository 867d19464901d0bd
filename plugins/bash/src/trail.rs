//! Telling the interpreter that runs a file from anyone who reads it.
//!
//! bashkit runs whatever a script names by a path as shell, unless its first line names a tool of the
//! shell. The file system has to step in, and sees only operations. The interpreter asks for the
//! file's metadata and then reads it, with nothing in between; a tool that does the same is told by
//! the clone of the waker that comes with each of its operations ([`crate::waker`]), and a
//! redirection by its first looking at every folder on the way. Links on the way are looked up in
//! between.

use crate::waker;

/// Outside of Wasm (in tests of the core) bashkit polls a timer around a redirection's steps, which
/// clones the waker now and then.
const HAS_TIMED_REDIRECTIONS: bool = !cfg!(target_family = "wasm");

/// The latest look-ups in a row. Any other operation ends the row.
#[derive(Default)]
pub(crate) struct Trail {
    steps: Vec<Step>,
    clones: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Look(String),
    Link(String),
}

impl Trail {
    /// Somebody asks for the metadata of `path`.
    pub(crate) fn look(&mut self, path: &str) {
        self.push(Step::Look(path.to_owned()));
    }

    /// Somebody asks where the link `path` leads.
    pub(crate) fn link(&mut self, path: &str) {
        self.push(Step::Link(path.to_owned()));
    }

    fn push(&mut self, step: Step) {
        let clones = waker::clones();
        if self.clones != clones && !HAS_TIMED_REDIRECTIONS {
            self.steps.clear();
        }
        self.clones = clones;
        self.steps.push(step);
    }

    pub(crate) fn end(&mut self) {
        self.steps.clear();
    }

    /// Whether the file at `path`, which is now read, is run. Ends the row.
    pub(crate) fn is_run(&mut self, path: &str) -> bool {
        let steps = std::mem::take(&mut self.steps);
        self.clones == waker::clones() && is_run(&steps, path)
    }
}

fn is_run(steps: &[Step], path: &str) -> bool {
    let way = way_to(path);
    let look = Step::Look(path.to_owned());
    let link = Step::Link(path.to_owned());
    let Some(linked) = steps.iter().rposition(|step| *step == link) else {
        // No link: the look itself is the last step.
        return steps.split_last().is_some_and(|(last, earlier)| *last == look && !earlier.ends_with(&way));
    };
    // The look at a link is followed by the way to it and its text.
    let is_looked_up = |end: usize| {
        steps
            .get(..end)
            .and_then(|steps| steps.strip_suffix(way.as_slice()))
            .is_some_and(|steps| steps.last() == Some(&look))
    };
    let earlier = steps.get(..linked).unwrap_or_default();
    let is_resolved_before = earlier.iter().enumerate().any(|(end, step)| *step == link && !is_looked_up(end));
    is_looked_up(linked) && !is_resolved_before
}

/// The looks at each folder from the root down, and at the file.
fn way_to(path: &str) -> Vec<Step> {
    let folders = path.match_indices('/').skip(1).map(|(end, _)| path.get(..end).unwrap_or_default());
    folders.chain([path]).map(|folder| Step::Look(folder.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Vec<Step> {
        text.split_whitespace()
            .map(|word| match word.strip_prefix('@') {
                Some(path) => Step::Link(path.to_owned()),
                None => Step::Look(word.to_owned()),
            })
            .collect()
    }

    #[test]
    fn a_look_and_a_read_is_a_run() {
        assert!(is_run(&steps("/a/x"), "/a/x"));
        assert!(is_run(&steps("/a/x /a/x"), "/a/x"));
        assert!(!is_run(&steps(""), "/a/x"));
        assert!(!is_run(&steps("/a/y"), "/a/x"));
    }

    #[test]
    fn a_redirection_goes_all_the_way_first() {
        assert!(!is_run(&steps("/a /a/x /a/x"), "/a/x"));
        assert!(is_run(&steps("/a/b/x /a/b/x"), "/a/b/x"));
    }

    #[test]
    fn a_run_through_a_link_looks_its_way_up() {
        assert!(is_run(&steps("/a/l /a /a/l @/a/l /a/x /a/x"), "/a/l"));
        assert!(is_run(&steps("/a/l /a /a/l @/a/l /a/x /a/x /a/l /a /a/l @/a/l /a/x /a/x"), "/a/l"));
    }

    #[test]
    fn a_redirection_through_a_link_resolves_it_twice() {
        assert!(!is_run(&steps("/a /a/l @/a/l /a/x /a/l /a /a/l @/a/l /a/x /a/x"), "/a/l"));
    }
}
