//! Redirections: what they read, write or empty, and what flows through them.

use brush_parser::ast::{
    CommandPrefixOrSuffixItem as Item, IoFileRedirectKind, IoFileRedirectTarget, IoRedirect, ProcessSubstitutionKind,
    RedirectList, SimpleCommand, SubshellCommand,
};

use crate::gate::argv::{Taint, Word, line_of};
use crate::gate::glob::UNKNOWN;
use crate::gate::path::base_name;

use super::lower::Lower;
use super::output::Flow;

impl Lower<'_, '_> {
    /// A program that never stops writing, into a file.
    pub(super) fn endless_output(&mut self, words: &[Word], input: &Flow) {
        let Some(program) = words.first() else { return };
        let reads_endless = words.iter().skip(1).any(|word| ENDLESS.contains(&word.text.as_str()));
        let is_endless = match base_name(&program.text) {
            "yes" => true,
            "cat" | "tac" | "pv" | "tee" | "base64" | "xxd" | "od" | "hexdump" | "tr" | "gzip" | "openssl" => {
                reads_endless || input.is_endless
            }
            _ => false,
        };
        if is_endless {
            self.look.note("fills_disk", line_of(words));
        }
    }

    /// `> file` and `: > file` empty a file, which is as good as removing it.
    pub(super) fn emptied(&mut self, simple: &SimpleCommand) {
        for item in simple_items(simple).filter(|item| writes_plain_file(item)) {
            if let Item::IoRedirect(IoRedirect::File(
                _,
                IoFileRedirectKind::Write | IoFileRedirectKind::Clobber,
                IoFileRedirectTarget::Filename(word),
            )) = item
            {
                let word = self.path_word(&word.value);
                self.file("file_remove", &word);
            }
        }
    }

    /// An item that is no assignment; whether it sends the output elsewhere.
    pub(super) fn item(&mut self, item: &Item, words: &mut Vec<Word>, input: &mut Flow) -> bool {
        match item {
            Item::Word(word) | Item::AssignmentWord(_, word) => {
                words.extend(self.words(&word.value));
                false
            }
            Item::ProcessSubstitution(kind, subshell) => {
                let flow = self.process_substitution(kind, subshell);
                // The word names a pipe: a shell that runs it runs what comes out of it.
                words.push(Word {
                    text: format!("/dev/fd/{UNKNOWN}"),
                    is_glob: false,
                    taint: flow.taint.max(Taint::Computed),
                });
                false
            }
            Item::IoRedirect(redirect) => self.redirect(redirect, input),
        }
    }

    pub(super) fn process_substitution(&mut self, kind: &ProcessSubstitutionKind, subshell: &SubshellCommand) -> Flow {
        let input = match kind {
            ProcessSubstitutionKind::Read => Flow::default(),
            ProcessSubstitutionKind::Write => Flow::unknown(Taint::Computed),
        };
        self.subshell(&subshell.list, &input)
    }

    pub(super) fn redirects(&mut self, redirects: Option<&RedirectList>, input: &Flow) -> (Flow, bool) {
        let mut input = input.clone();
        let mut is_redirected = false;
        for redirect in redirects.iter().flat_map(|redirects| &redirects.0) {
            is_redirected |= self.redirect(redirect, &mut input);
        }
        (input, is_redirected)
    }

    pub(super) fn redirect(&mut self, redirect: &IoRedirect, input: &mut Flow) -> bool {
        match redirect {
            IoRedirect::HereString(descriptor, word) => {
                let word = self.word(&word.value);
                if !is_stdin(*descriptor) {
                    return false;
                }
                *input = if word.is_known() {
                    Flow::text(word.text + "\n", word.taint)
                } else {
                    Flow::unknown(word.taint.max(Taint::Computed))
                };
                false
            }
            IoRedirect::HereDocument(descriptor, document) => {
                let word = if document.requires_expansion {
                    self.heredoc(&document.doc.value)
                } else {
                    Word::plain(document.doc.value.clone())
                };
                if !is_stdin(*descriptor) {
                    return false;
                }
                *input = if word.is_known() {
                    Flow::text(word.text, word.taint)
                } else {
                    Flow::unknown(word.taint.max(Taint::Computed))
                };
                false
            }
            IoRedirect::OutputAndError(word, _) => {
                let word = self.path_word(&word.value);
                self.file("file_write", &word);
                leads_away(&word)
            }
            IoRedirect::File(descriptor, kind, target) => self.redirect_file(*descriptor, kind, target, input),
        }
    }

    pub(super) fn redirect_file(
        &mut self,
        descriptor: Option<i32>,
        kind: &IoFileRedirectKind,
        target: &IoFileRedirectTarget,
        input: &mut Flow,
    ) -> bool {
        let is_output = !matches!(kind, IoFileRedirectKind::Read | IoFileRedirectKind::DuplicateInput);
        // `<>` opens standard input, unless it is told otherwise, and so does `0>`.
        let own = match kind {
            IoFileRedirectKind::Read | IoFileRedirectKind::DuplicateInput | IoFileRedirectKind::ReadAndWrite => 0,
            _ => 1,
        };
        let is_stdout = is_output && descriptor.unwrap_or(own) == 1;
        let feeds_input = descriptor.unwrap_or(own) == 0;
        match target {
            IoFileRedirectTarget::Filename(word) => {
                let is_endless = word.value.starts_with("/dev/") && ENDLESS.contains(&word.value.as_str());
                let word = self.path_word(&word.value);
                match kind {
                    IoFileRedirectKind::Read => {
                        self.file("file_read", &word);
                    }
                    IoFileRedirectKind::ReadAndWrite => {
                        self.file("file_read", &word);
                        self.file("file_write", &word);
                    }
                    _ => self.file("file_write", &word),
                }
                if feeds_input {
                    *input = Flow { is_endless, ..Flow::unknown(word.taint) };
                }
                is_stdout && leads_away(&word)
            }
            IoFileRedirectTarget::ProcessSubstitution(process, subshell) => {
                let flow = self.process_substitution(process, subshell);
                if feeds_input {
                    *input =
                        if is_output { Flow::unknown(Taint::Computed) } else { Flow { is_connected: true, ..flow } };
                }
                is_stdout
            }
            IoFileRedirectTarget::Duplicate(word) => {
                let word = self.word(&word.value);
                let is_descriptor = word.text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
                if !is_descriptor && word.is_known() && is_output {
                    self.file("file_write", &word);
                }
                if feeds_input {
                    *input = Flow::unknown(word.taint.max(Taint::Computed));
                }
                false
            }
            IoFileRedirectTarget::Fd(_) => {
                if feeds_input {
                    *input = Flow::unknown(Taint::Computed);
                }
                false
            }
        }
    }

    pub(super) fn file(&mut self, act: &'static str, word: &Word) {
        if word.text.starts_with("/dev/tcp/") || word.text.starts_with("/dev/udp/") {
            self.look.note("network_device", format!("`{}`", word.text));
            return;
        }
        let directory = self.scope.directory.clone();
        self.look.file(act, &[(&word.text, word.is_glob)], false, None, directory.as_deref());
    }
}

fn is_stdin(descriptor: Option<i32>) -> bool {
    descriptor.is_none_or(|descriptor| descriptor == 0)
}

/// Whether what goes to this file is gone from the output: `/dev/stdout` is the output itself, and what only
/// the run will tell may be.
fn leads_away(word: &Word) -> bool {
    word.is_known()
        && word.text != "/dev/stdout"
        && !word.text.starts_with("/dev/fd/")
        && !(word.text.starts_with("/proc/") && word.text.contains("/fd/"))
}

/// Devices that never end.
pub(super) const ENDLESS: &[&str] = &["/dev/zero", "/dev/urandom", "/dev/random", "/dev/full"];

pub(super) fn simple_items(simple: &SimpleCommand) -> impl Iterator<Item = &Item> {
    let prefix = simple.prefix.iter().flat_map(|prefix| &prefix.0);
    prefix.chain(simple.suffix.iter().flat_map(|suffix| &suffix.0))
}

/// `cat /dev/null`: nothing goes where the output goes.
pub(super) fn copies_nothing(simple: &SimpleCommand) -> bool {
    simple.word_or_name.as_ref().is_some_and(|word| matches!(word.value.as_str(), "cat" | "/bin/cat" | "cp"))
        && simple_items(simple).any(|item| matches!(item, Item::Word(word) if word.value == "/dev/null"))
}

/// Whether an item sends the output into a file, no device.
pub(super) fn writes_plain_file(item: &Item) -> bool {
    let is_plain = |word: &brush_parser::ast::Word| !word.value.starts_with("/dev/");
    match item {
        Item::IoRedirect(IoRedirect::File(descriptor, kind, IoFileRedirectTarget::Filename(word))) => {
            descriptor.is_none_or(|descriptor| descriptor == 1)
                && !matches!(kind, IoFileRedirectKind::Read | IoFileRedirectKind::DuplicateInput)
                && is_plain(word)
        }
        Item::IoRedirect(IoRedirect::OutputAndError(word, _)) => is_plain(word),
        _ => false,
    }
}
