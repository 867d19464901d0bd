//! What the go command fetches: `go install`, `go get`, `go run pkg@version`, the module's own files.
//!
//! A package's path is longer than its module's, and which part of it is the module is known to the
//! registry alone: whoever looks up `github.com/a/b/cmd/c` must ask for every beginning of it.

use super::draft::Draft;
use super::line::{Grammar, Reader};
use super::list::Format;
use super::specifier::go as go_spec;
use super::{Operation, Source};

const GO: Grammar = Grammar::single(
    "-C -p -covermode -coverpkg -asmflags -buildmode -compiler -gccgoflags -gcflags -installsuffix -ldflags -mod \
     -modfile -overlay -pgo -pkgdir -tags -toolexec -exec -o -go -compat -reuse -require -droprequire -replace \
     -dropreplace -exclude -dropexclude -retract -dropretract -tool -droptool -toolchain",
);
const FILES: &[(&str, Format)] = &[("go.mod", Format::GoMod), ("go.sum", Format::GoSum)];

pub(super) fn go(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let subcommand = reader.subcommand(&GO);
    match subcommand {
        "install" | "get" => {
            let words = reader.rest(&GO);
            let removed = |text: &str| subcommand == "get" && text.ends_with("@none");
            let kept: Vec<_> = words.iter().copied().filter(|word| !removed(&word.text)).collect();
            draft.packages("Go", &kept, go_spec);
            let is_toolchain = |name: &str| matches!(name, "go" | "toolchain");
            let is_local = draft.plan.unknown.is_empty()
                && draft
                    .plan
                    .wanted
                    .iter()
                    .all(|own| matches!(own.source, Source::Path(_)) && !is_toolchain(&own.name));
            if is_local && subcommand == "install" {
                return None;
            }
            if is_local {
                draft.plan.wanted.clear();
                if kept.len() < words.len() {
                    return draft.operation(Operation::Remove);
                }
                draft.implied(reader.value("-C"), FILES);
                if reader.is_on("-u") {
                    draft.all("modules of the project");
                    return draft.operation(Operation::Upgrade);
                }
                return draft.operation(Operation::Restore);
            }
            draft.plan.is_global = subcommand == "install";
            let is_upgrade = subcommand == "get" && reader.is_on("-u");
            // Building a package of Go runs no code of it, except where a tool is named to run.
            draft.plan.runs_scripts = reader.has("-toolexec");
            draft.operation(match (reader.is_on("-n"), is_upgrade) {
                (true, _) => Operation::Read,
                (_, true) => Operation::Upgrade,
                _ => Operation::Install,
            })
        }
        "run" => {
            let word = reader.next(&GO)?;
            let is_fetched = word.text.contains('@') || word.text.contains(super::super::glob::UNKNOWN);
            if !is_fetched || word.text.ends_with(".go") {
                return None;
            }
            draft.packages("Go", &[word], go_spec);
            draft.running(Operation::Run)
        }
        "mod" | "work" => {
            let verb = reader.subcommand(&GO);
            let words = reader.rest(&GO);
            match verb {
                "download" if !words.is_empty() => {
                    draft.packages("Go", &words, go_spec);
                    draft.operation(Operation::Install)
                }
                "download" | "tidy" | "vendor" | "sync" => {
                    draft.implied(reader.value("-C"), FILES);
                    draft.operation(Operation::Restore)
                }
                "graph" | "why" | "verify" | "" => draft.operation(Operation::Read),
                _ => draft.operation(Operation::Configure),
            }
        }
        "list" | "version" | "env" | "doc" | "help" | "" => {
            let words = reader.rest(&GO);
            let is_set = subcommand == "env" && (reader.has("-w -u") || words.is_empty() && reader.has("-w"));
            draft.operation(if is_set { Operation::Configure } else { Operation::Read })
        }
        // It builds, tests or formats the project.
        _ => None,
    }
}
