//! What cargo, its binstall and rustup install.

use super::draft::Draft;
use super::line::{Grammar, Reader};
use super::list::Format;
use super::specifier::{bare, crate_added, crate_installed, crate_version};
use super::{Operation, Requirement, Source};

const CARGO: Grammar = Grammar::plain("--color --config -C -Z --explain");
const ADD: Grammar = Grammar::plain(
    "--rename --manifest-path -p --package --lockfile-path -F --features --path --base --git --branch --tag --rev \
     --registry --target --color --config -Z",
);
const INSTALL: Grammar = Grammar::plain(
    "--version --vers --index --registry --git --branch --tag --rev --path --root --profile -j --jobs -F --features \
     --bin --example --target --target-dir --message-format --color --config -Z -C --timings --lockfile-path",
);
const BINSTALL: Grammar = Grammar::plain(
    "--version --targets --manifest-path --bin-dir --pkg-url --pkg-fmt --git --rate-limit --strategies \
     --disable-strategies --max-resolution-timeout --root --registry --index --roots --log-level --min-tls-version \
     --root-certificates --github-token --install-path --settings --maximum-resolution-timeout",
);
const CRATES_IO: &[&str] =
    &["crates-io", "https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io"];

pub(super) fn cargo(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let mut subcommand = reader.subcommand(&CARGO);
    // `cargo +nightly add x`: the toolchain is rustup's business.
    if subcommand.starts_with('+') {
        subcommand = reader.subcommand(&CARGO);
    }
    match subcommand {
        "add" => {
            let words = reader.rest(&ADD);
            registries(reader, draft);
            draft.packages("crates.io", &words, crate_added);
            let path = reader.value("--path").map(|path| Source::Path(path.to_owned()));
            elsewhere(reader, draft, path, &words);
            draft.operation(changing(reader, Operation::Install))
        }
        "install" | "binstall" => install(reader, draft, subcommand == "binstall"),
        "uninstall" | "remove" | "rm" => draft.operation(Operation::Remove),
        "update" | "upgrade" | "generate-lockfile" => {
            let words =
                reader.rest(&Grammar::plain("--precise --manifest-path -p --package --lockfile-path --color -Z"));
            let precise = reader.value("--precise").map(crate_version);
            draft.packages("crates.io", &words, crate_installed);
            for name in reader.values("-p --package") {
                draft.package("crates.io", name, crate_installed);
            }
            draft.versioned(precise);
            manifest(reader, draft);
            draft.operation(changing(reader, Operation::Upgrade))
        }
        "fetch" | "vendor" => {
            reader.rest(&Grammar::plain("--manifest-path --target --lockfile-path -s --sync --color --config -Z"));
            manifest(reader, draft);
            draft.operation(Operation::Restore)
        }
        "search" | "info" | "tree" | "audit" | "outdated" | "metadata" | "pkgid" | "deny" => {
            reader.rest(&CARGO);
            draft.operation(Operation::Read)
        }
        "publish" | "yank" | "owner" => draft.operation(Operation::Publish),
        "login" | "logout" => draft.operation(Operation::Configure),
        // The rest builds, tests or runs the project itself.
        _ => None,
    }
}

/// `cargo-binstall x`, and `cargo-binstall binstall x`, which cargo itself writes.
pub(super) fn binstall(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    install(reader, draft, true)
}

/// `rustup toolchain install nightly`, `rustup component add clippy`.
pub(super) fn rustup(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const RUSTUP: Grammar =
        Grammar::plain("--toolchain --profile -c --component -t --target --path --default-toolchain --default-host");
    draft.plan.is_global = true;
    let subcommand = reader.subcommand(&RUSTUP);
    let (operation, words) = match subcommand {
        "install" | "update" | "default" | "override" => {
            let mut words = reader.rest(&RUSTUP);
            if subcommand == "override" && words.first().is_some_and(|word| word.text != "set") {
                return draft.operation(Operation::Configure);
            }
            words.retain(|word| subcommand != "override" || word.text != "set");
            (if subcommand == "update" { Operation::Upgrade } else { Operation::Install }, words)
        }
        "toolchain" | "component" | "target" => match reader.subcommand(&RUSTUP) {
            "install" | "add" | "update" => (Operation::Install, reader.rest(&RUSTUP)),
            "uninstall" | "remove" | "rm" => return draft.operation(Operation::Remove),
            "link" => return draft.operation(Operation::Configure),
            "list" | "help" | "" => return draft.operation(Operation::Read),
            other => return draft.unknown_command(other),
        },
        "uninstall" => return draft.operation(Operation::Remove),
        "self" => match reader.subcommand(&RUSTUP) {
            "uninstall" => return draft.operation(Operation::Remove),
            _ => return draft.running(Operation::Upgrade),
        },
        "set" => return draft.operation(Operation::Configure),
        "show" | "check" | "which" | "doc" | "man" | "completions" | "help" | "" => {
            reader.rest(&RUSTUP);
            return draft.operation(Operation::Read);
        }
        "run" => {
            reader.next(&RUSTUP);
            return draft.inner(reader.remaining());
        }
        other => return draft.unknown_command(other),
    };
    draft.packages("rustup", &words, bare);
    draft.running(operation)
}

fn install(reader: &mut Reader<'_>, draft: &mut Draft, is_binary: bool) -> Option<()> {
    let mut words = reader.rest(if is_binary { &BINSTALL } else { &INSTALL });
    if is_binary {
        words.retain(|word| word.text != "binstall");
    }
    registries(reader, draft);
    let version = reader.value("--version --vers").map(crate_version);
    draft.packages("crates.io", &words, crate_installed);
    draft.versioned(version);
    let path = reader.value("--path").map(|path| Source::Path(path.to_owned()));
    elsewhere(reader, draft, path, &words);
    if is_binary && reader.has("--pkg-url --manifest-path") {
        draft.unknown("it names the address of the binary itself".to_owned());
    }
    draft.plan.is_global = true;
    if reader.is_on("--list") {
        return draft.operation(Operation::Read);
    }
    draft.plan.runs_scripts = !is_binary;
    draft.operation(changing(reader, Operation::Install))
}

fn registries(reader: &mut Reader<'_>, draft: &mut Draft) {
    draft.registry(reader.value("--index --registry"), CRATES_IO);
    for value in reader.values("--config") {
        if ["source", "registr", "replace-with", ".toml"].iter().any(|word| value.contains(word)) {
            draft.unknown(format!("`--config {value}` may name another registry"));
        }
    }
}

/// `--git` and `--path`: the crate is there and not in the registry.
fn elsewhere(reader: &mut Reader<'_>, draft: &mut Draft, path: Option<Source>, words: &[&super::Word]) {
    let revision = reader.value("--rev").map(|rev| Requirement::Exact(rev.to_owned()));
    let source = reader.value("--git").map(|url| Source::Git(url.to_owned())).or(path);
    let Some(source) = source else { return };
    if words.is_empty()
        && let Source::Git(text) | Source::Path(text) = &source
    {
        draft.want("crates.io", super::specifier::Spec::from(text, Requirement::Any, source.clone()));
    }
    draft.sourced(&source);
    draft.versioned(revision);
}

fn manifest(reader: &mut Reader<'_>, draft: &mut Draft) {
    let folder = reader.value("--manifest-path").map(|path| path.trim_end_matches("Cargo.toml").to_owned());
    let folder = folder.as_deref().or_else(|| reader.value("-C"));
    draft.implied(folder, &[("Cargo.lock", Format::CargoLock), ("Cargo.toml", Format::CargoToml)]);
}

fn changing(reader: &Reader<'_>, operation: Operation) -> Operation {
    if reader.is_on("--dry-run -n") { Operation::Read } else { operation }
}
