//! One package as people write it on a command line or in a file, for each ecosystem.
//!
//! Every function reads one text and says which package, which version and from where, or why it
//! cannot tell. A text that could be two things reads as the one that is not the registry, because
//! that is what every manager here does with an address and with a path.

use super::name::normalised;
use super::{Requirement, Source};

/// Longest specification that is read. Danger: quadratic work on a word of a megabyte.
const SPEC_BYTES_MAX: usize = 4096;
/// Names that git hosts have in npm's short forms.
const NPM_HOSTS: &[&str] = &["github:", "gitlab:", "bitbucket:", "gist:"];
/// Ends of files that hold a package.
const ARCHIVES: &[&str] = &[
    ".whl",
    ".tar.gz",
    ".tgz",
    ".tar.bz2",
    ".tar.xz",
    ".tar",
    ".zip",
    ".gem",
    ".deb",
    ".rpm",
    ".apk",
    ".crate",
    ".snap",
    ".flatpak",
    ".jar",
    ".pkg.tar.zst",
    ".nupkg",
    ".vsix",
    ".conda",
    ".egg",
];

/// A package, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spec {
    /// Where the text names another ecosystem than the manager's own: `npm:` in deno.
    pub(super) ecosystem: Option<&'static str>,
    pub(super) name: String,
    pub(super) requirement: Requirement,
    pub(super) source: Source,
}

impl Spec {
    pub(super) fn new(name: &str, requirement: Requirement) -> Self {
        Self { ecosystem: None, name: name.to_owned(), requirement, source: Source::Registry }
    }

    pub(super) fn from(name: &str, requirement: Requirement, source: Source) -> Self {
        Self { ecosystem: None, name: name.to_owned(), requirement, source }
    }
}

pub(super) type Specified = Result<Spec, String>;

/// A name alone.
pub(super) fn bare(text: &str) -> Specified {
    sized(text)?;
    if is_url(text) {
        return Ok(Spec::from(text, Requirement::Any, Source::Url(text.to_owned())));
    }
    if is_path(text) || is_archive(text) {
        return Ok(Spec::from(text, Requirement::Any, Source::Path(text.to_owned())));
    }
    named(text, Requirement::Any)
}

/// `name@1.2`, the version exact.
pub(super) fn at_exact(text: &str) -> Specified {
    let (name, version) = split_at_sign(text);
    if is_path(text) || is_archive(text) || is_url(text) || version.is_none() {
        return bare(text);
    }
    named(name, exact_or_any(version.unwrap_or_default()))
}

/// PEP 508, with what pip adds to it: addresses, version control, paths.
pub(super) fn python(text: &str) -> Specified {
    sized(text)?;
    let text = without_marker(text.trim());
    if let Some((name, url)) = text.split_once('@')
        && is_python_name(without_extras(name.trim()))
        && (is_url(url.trim()) || is_vcs(url.trim()))
    {
        let source = python_source(url.trim());
        return Ok(Spec::from(without_extras(name.trim()), url_requirement(url), source));
    }
    if is_vcs(text) || is_url(text) {
        return Ok(Spec::from(&python_url_name(text), url_requirement(text), python_source(text)));
    }
    if is_path(without_extras(text)) || is_archive(text) {
        let source = Source::Path(without_extras(text).to_owned());
        return Ok(Spec::from(without_extras(text), Requirement::Any, source));
    }
    let end = text.find(['<', '>', '=', '!', '~', '(', ' ', '[']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let rest = rest.trim();
    let rest = match rest.strip_prefix('[') {
        Some(extras) => extras.split_once(']').ok_or("the bracket of its extras is not closed")?.1.trim(),
        None => rest,
    };
    let rest = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(rest).trim();
    if !is_python_name(name) {
        return Err("it is no name of a Python package".to_owned());
    }
    Ok(Spec::new(name, python_requirement(rest)?))
}

/// The version part of PEP 508: `>=1,<2`, `==1.2`.
pub(super) fn python_requirement(text: &str) -> Result<Requirement, String> {
    let text: String = text.split_whitespace().collect();
    if text.is_empty() || text == "*" {
        return Ok(Requirement::Any);
    }
    let clause_is_read = |clause: &str| {
        let version = clause.trim_start_matches(['<', '>', '=', '!', '~']);
        let is_version = !version.is_empty()
            && version.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '*' | '+' | '!' | '-' | '_'));
        let operator = clause.get(..clause.len() - version.len()).unwrap_or_default();
        is_version && matches!(operator, "<" | ">" | "<=" | ">=" | "==" | "===" | "!=" | "~=")
    };
    if !text.trim_end_matches(',').split(',').all(clause_is_read) {
        return Err(format!("`{text}` is no version that PEP 440 knows"));
    }
    let exact = text.strip_prefix("===").or_else(|| text.strip_prefix("=="));
    match exact {
        Some(version) if !version.contains([',', '*']) => Ok(Requirement::Exact(version.to_owned())),
        _ => Ok(Requirement::Range(text)),
    }
}

/// Poetry's `name@^1.2`, `name==1.2`, `name[extra]>=1`.
pub(super) fn poetry(text: &str) -> Specified {
    if let Some((name, constraint)) = text.split_once('@')
        && is_python_name(without_extras(name))
        && !is_url(constraint.trim())
        && !is_vcs(constraint.trim())
    {
        return Ok(Spec::new(without_extras(name), poetry_requirement(constraint)?));
    }
    python(text)
}

/// What poetry reads as a constraint, with the caret and the tilde written out, which PEP 440 lacks.
pub(super) fn poetry_requirement(text: &str) -> Result<Requirement, String> {
    let text = text.trim();
    if matches!(text, "" | "*" | "latest") {
        return Ok(Requirement::Any);
    }
    if text.contains("||") {
        return Ok(Requirement::Range(text.to_owned()));
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains([',', ' ', '<', '>']) {
        return python_requirement(&format!("=={text}"));
    }
    let mut clauses = vec![];
    for clause in text.split(',').map(str::trim).filter(|clause| !clause.is_empty()) {
        let (digits, is_caret) = match clause.strip_prefix('^') {
            Some(digits) => (digits, true),
            None => match clause.strip_prefix('~').filter(|rest| !rest.starts_with('=')) {
                Some(digits) => (digits, false),
                None => {
                    clauses.push(clause.to_owned());
                    continue;
                }
            },
        };
        clauses.push(format!(">={},<{}", digits.trim(), upper_bound(digits.trim(), is_caret)?));
    }
    python_requirement(&clauses.join(","))
}

/// The first version that `^digits` or `~digits` does not take any more.
fn upper_bound(digits: &str, is_caret: bool) -> Result<String, String> {
    let numbers: Vec<u64> = digits.split('.').map_while(|part| part.parse().ok()).collect();
    let first_nonzero = numbers.iter().position(|number| *number > 0);
    let at = if is_caret {
        first_nonzero.unwrap_or(numbers.len().saturating_sub(1))
    } else {
        numbers.len().min(2) - usize::from(!numbers.is_empty())
    };
    let number = numbers.get(at).ok_or_else(|| format!("`{digits}` is no version"))?;
    let mut parts: Vec<String> = numbers.iter().take(at).map(u64::to_string).collect();
    parts.push(number.saturating_add(1).to_string());
    Ok(parts.join("."))
}

/// What npm, pnpm, yarn and bun take.
pub(super) fn npm(text: &str) -> Specified {
    sized(text)?;
    let text = text.trim();
    if let Some(spec) = npm_elsewhere(text, text) {
        return Ok(spec);
    }
    let (name, version) = split_at_sign(text);
    if !is_npm_name(name) {
        return Err("it is no name of an npm package".to_owned());
    }
    npm_dependency(name, version.unwrap_or_default())
}

/// A dependency as `package.json` writes it: the name, and what stands behind it.
pub(super) fn npm_dependency(name: &str, version: &str) -> Specified {
    sized(version)?;
    let version = version.trim();
    // `alias@npm:other@1`: what is fetched is the other.
    if let Some(target) = version.strip_prefix("npm:") {
        // Yarn writes `name@npm:^1.2` for the package itself.
        if is_npm_range(target) {
            return Ok(Spec::new(name, npm_requirement(target)));
        }
        let (other, version) = split_at_sign(target);
        return Ok(Spec::new(other, npm_requirement(version.unwrap_or_default())));
    }
    if let Some(target) = version.strip_prefix("jsr:") {
        return Ok(jsr(target, name));
    }
    for prefix in ["workspace:", "link:", "portal:", "file:"] {
        if let Some(path) = version.strip_prefix(prefix) {
            return Ok(Spec::from(name, Requirement::Any, Source::Path(path.to_owned())));
        }
    }
    if version.starts_with("catalog:") {
        return Err("its version stands in a catalog of the workspace".to_owned());
    }
    if let Some(inner) = version.strip_prefix("patch:") {
        let (_, range) = split_at_sign(inner);
        let range = range.unwrap_or_default().split('#').next().unwrap_or_default();
        let range = range.strip_prefix("npm%3A").or_else(|| range.strip_prefix("npm:")).unwrap_or(range);
        return Ok(Spec::new(name, npm_requirement(range)));
    }
    if let Some(spec) = npm_elsewhere(version, name) {
        return Ok(spec);
    }
    Ok(Spec::new(name, npm_requirement(version)))
}

/// A package of npm that is not in the registry.
fn npm_elsewhere(text: &str, name: &str) -> Option<Spec> {
    let is_git = is_vcs(text)
        || text.starts_with("git://")
        || text.starts_with("git@")
        || text.starts_with("ssh://")
        || NPM_HOSTS.iter().any(|host| text.starts_with(host));
    let is_hosted = ["https://github.com/", "https://gitlab.com/", "https://bitbucket.org/"]
        .iter()
        .any(|host| text.strip_prefix(host).is_some_and(|path| path.matches('/').count() == 1));
    let address = text.split('#').next().unwrap_or_default();
    if is_git || is_hosted || (is_url(text) && address.ends_with(".git")) {
        return Some(Spec::from(name, git_requirement(text), Source::Git(text.to_owned())));
    }
    if let Some(path) = text.strip_prefix("file:").or_else(|| text.strip_prefix("link:")) {
        return Some(Spec::from(name, Requirement::Any, Source::Path(path.to_owned())));
    }
    if is_url(text) {
        return Some(Spec::from(name, Requirement::Any, Source::Url(text.to_owned())));
    }
    if is_path(text) || (is_archive(text) && !text.starts_with('@')) {
        return Some(Spec::from(name, Requirement::Any, Source::Path(text.to_owned())));
    }
    // `user/repository` is GitHub.
    let repository = address.split_once('/').filter(|(user, path)| {
        !user.is_empty() && !user.contains(['@', ':']) && !path.is_empty() && !path.contains('/')
    });
    repository.map(|_| Spec::from(name, git_requirement(text), Source::Git(format!("github:{text}"))))
}

/// A version, range or tag of npm.
pub(super) fn npm_requirement(text: &str) -> Requirement {
    let text = text.trim();
    let exact = text.trim_start_matches('=').trim();
    let exact = exact.strip_prefix('v').unwrap_or(exact);
    if is_full_version(exact) {
        Requirement::Exact(exact.to_owned())
    } else if is_npm_range(text) && !matches!(text, "" | "*" | "x" | "X") {
        Requirement::Range(text.to_owned())
    } else {
        // A tag moves whenever its owner wants: `latest`, `next`, `beta`.
        Requirement::Any
    }
}

fn is_npm_range(text: &str) -> bool {
    text.split_whitespace().all(|part| {
        let version = part.trim_start_matches(['<', '>', '=', '~', '^', 'v']);
        matches!(part, "||" | "-" | "*" | "x" | "X" | "&&")
            || version.is_empty()
            || version.starts_with(|c: char| c.is_ascii_digit() || c == '*')
            || part.contains("||")
    })
}

/// What deno takes: `npm:pkg@1`, `jsr:@a/b@1`, an address, a path.
pub(super) fn deno(text: &str) -> Specified {
    if let Some(text) = text.strip_prefix("npm:") {
        let mut spec = npm(text.trim_start_matches('/'))?;
        spec.ecosystem = Some("npm");
        return Ok(spec);
    }
    if let Some(text) = text.strip_prefix("jsr:") {
        return Ok(jsr(text.trim_start_matches('/'), text));
    }
    if is_url(text) || is_path(text) || text.contains('/') || text.contains('.') {
        return match bare(text)? {
            Spec { source: Source::Registry, .. } => {
                Ok(Spec::from(text, Requirement::Any, Source::Path(text.to_owned())))
            }
            spec => Ok(spec),
        };
    }
    Err("write `npm:` or `jsr:` before it".to_owned())
}

fn jsr(text: &str, name: &str) -> Spec {
    // `jsr:^1` in a package.json speaks of the key's own name.
    let is_range_alone = !text.starts_with('@') && is_npm_range(text);
    let (own, version) = if is_range_alone { (name, Some(text)) } else { split_at_sign(text) };
    let mut parts = own.splitn(3, '/');
    let own = match (parts.next(), parts.next()) {
        (Some(scope), Some(package)) => format!("{scope}/{package}"),
        _ => own.to_owned(),
    };
    let version = version.unwrap_or_default().split('/').next().unwrap_or_default();
    Spec { ecosystem: Some("JSR"), ..Spec::new(&own, npm_requirement(version)) }
}

/// `crate@1.2` as `cargo add` reads it: a requirement.
pub(super) fn crate_added(text: &str) -> Specified {
    let (name, version) = split_at_sign(text);
    // `crate/feature` is the crate.
    let name = name.split('/').next().unwrap_or_default();
    Ok(Spec::new(crate_name(name)?, crate_requirement(version.unwrap_or_default())))
}

/// `crate@1.2` as `cargo install` reads it: a version, if it is whole.
pub(super) fn crate_installed(text: &str) -> Specified {
    let (name, version) = split_at_sign(text);
    Ok(Spec::new(crate_name(name)?, crate_version(version.unwrap_or_default())))
}

fn crate_name(name: &str) -> Result<&str, String> {
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
    if is_name { Ok(name) } else { Err("it is no name of a crate".to_owned()) }
}

/// Cargo's requirement, with the caret that it implies.
pub(super) fn crate_requirement(text: &str) -> Requirement {
    let text = text.trim();
    if let Some(version) = text.strip_prefix('=').map(str::trim)
        && is_full_version(version)
    {
        return Requirement::Exact(version.to_owned());
    }
    if text.is_empty() || text == "*" {
        return Requirement::Any;
    }
    let clauses = text.split(',').map(|clause| {
        let clause = clause.trim();
        let is_bare = clause.starts_with(|c: char| c.is_ascii_digit()) && !clause.contains('*');
        if is_bare { format!("^{clause}") } else { clause.to_owned() }
    });
    Requirement::Range(clauses.collect::<Vec<_>>().join(", "))
}

/// `--version` of `cargo install`.
pub(super) fn crate_version(text: &str) -> Requirement {
    let text = text.trim().trim_start_matches('v');
    if is_full_version(text) { Requirement::Exact(text.to_owned()) } else { crate_requirement(text) }
}

/// `path@v1.2.3` of Go.
pub(super) fn go(text: &str) -> Specified {
    sized(text)?;
    let (path, version) = text.split_once('@').map_or((text, None), |(path, version)| (path, Some(version)));
    if is_path(path) || path.contains("...") && !path.contains('.') {
        return Ok(Spec::from(path, Requirement::Any, Source::Path(path.to_owned())));
    }
    let path = path.trim_end_matches("/...");
    if !path.split('/').next().is_some_and(|host| host.contains('.')) {
        // Without a dot in its first part it is the standard library, or the module itself.
        return Ok(Spec::from(path, Requirement::Any, Source::Path(path.to_owned())));
    }
    let version = version.unwrap_or_default();
    let digits = version.strip_prefix('v').unwrap_or(version);
    if matches!(version, "" | "latest" | "upgrade" | "patch") {
        Ok(Spec::new(path, Requirement::Any))
    } else if version.starts_with('v') && is_full_version(digits) {
        Ok(Spec::new(path, Requirement::Exact(digits.to_owned())))
    } else if version.starts_with(['<', '>'])
        || (version.starts_with('v') && digits.starts_with(|c: char| c.is_ascii_digit()))
    {
        Ok(Spec::new(path, Requirement::Range(version.to_owned())))
    } else {
        // A branch moves, a revision does not.
        let is_revision = version.len() >= 7 && version.bytes().all(|byte| byte.is_ascii_hexdigit());
        let requirement = if is_revision { Requirement::Exact(version.to_owned()) } else { Requirement::Any };
        Ok(Spec::from(path, requirement, Source::Git(path.to_owned())))
    }
}

/// `name:1.2` of gem.
pub(super) fn gem(text: &str) -> Specified {
    if is_path(text) || is_archive(text) || is_url(text) {
        return bare(text);
    }
    match text.split_once(':') {
        Some((name, version)) => named(name, gem_requirement(version)),
        None => named(text, Requirement::Any),
    }
}

/// A version or a range of RubyGems; several stand parted by commas.
pub(super) fn gem_requirement(text: &str) -> Requirement {
    let text = text.trim();
    let exact = text.strip_prefix('=').map_or(text, str::trim);
    if text.is_empty() || matches!(text, ">= 0" | ">=0") {
        Requirement::Any
    } else if exact.starts_with(|c: char| c.is_ascii_digit()) && !exact.contains([',', ' ']) {
        Requirement::Exact(exact.to_owned())
    } else {
        Requirement::Range(text.to_owned())
    }
}

/// `vendor/package:^1.2` of Composer, also with `=` or a space.
pub(super) fn composer(text: &str) -> Specified {
    let (name, version) = match text.find([':', '=', ' ']) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default()),
        None => (text, ""),
    };
    if !name.contains('/') && !is_platform(name) {
        return Err("a package of Composer is written `vendor/package`".to_owned());
    }
    named(name, composer_requirement(version))
}

/// `php`, `ext-json`: what the machine must have already, nothing that is fetched.
pub(super) fn is_platform(name: &str) -> bool {
    matches!(name, "php" | "hhvm" | "php-64bit" | "composer" | "composer-plugin-api" | "composer-runtime-api")
        || name.starts_with("ext-")
        || name.starts_with("lib-")
}

pub(super) fn composer_requirement(text: &str) -> Requirement {
    let text = text.trim();
    let exact = text.trim_start_matches(['=', 'v']);
    let is_exact = exact.split('.').count() >= 3
        && exact.starts_with(|c: char| c.is_ascii_digit())
        && exact.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'))
        && !exact.contains('x');
    if matches!(text, "" | "*" | "@stable") {
        Requirement::Any
    } else if is_exact {
        Requirement::Exact(exact.to_owned())
    } else if text.starts_with("dev-") || text.ends_with("-dev") {
        // A branch moves.
        Requirement::Any
    } else {
        Requirement::Range(text.to_owned())
    }
}

/// `group:artifact:version[:packaging[:classifier]]`, of Maven and Gradle.
pub(super) fn maven(text: &str) -> Specified {
    let parts: Vec<&str> = text.split(':').collect();
    let [group, artifact, rest @ ..] = parts.as_slice() else {
        return Err("an artifact is written `group:artifact:version`".to_owned());
    };
    named(&format!("{group}:{artifact}"), maven_requirement(rest.first().copied().unwrap_or_default()))
}

pub(super) fn maven_requirement(text: &str) -> Requirement {
    let text = text.trim();
    if matches!(text, "" | "LATEST" | "RELEASE" | "+" | "latest.release" | "latest.integration") {
        Requirement::Any
    } else if text.contains(['[', '(', ',']) || text.ends_with('+') {
        Requirement::Range(text.to_owned())
    } else {
        Requirement::Exact(text.to_owned())
    }
}

/// A version of NuGet as a flag gives it.
pub(super) fn nuget_requirement(text: &str) -> Requirement {
    let text = text.trim();
    let pinned = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).filter(|rest| !rest.contains(','));
    if text.is_empty() || text == "*" {
        Requirement::Any
    } else if let Some(version) = pinned {
        Requirement::Exact(version.trim().to_owned())
    } else if text.contains(['*', '[', '(', ',']) {
        Requirement::Range(text.to_owned())
    } else {
        Requirement::Exact(text.to_owned())
    }
}

/// `pkg=1.2`, `pkg/stable`, `pkg:amd64`, `pkg+` of apt.
pub(super) fn debian(text: &str) -> Specified {
    if is_path(text) || is_archive(text) {
        return bare(text);
    }
    let (name, version) = text.split_once('=').map_or((text, ""), |(name, version)| (name, version));
    let name = name.split('/').next().unwrap_or_default();
    let name = name.split(':').next().unwrap_or_default();
    let name = name.trim_end_matches('^');
    // `g++` is a package, `foo+` is `foo` to be installed.
    let name = name.strip_suffix('+').filter(|name| !name.ends_with('+') && !name.is_empty()).unwrap_or(name);
    named(name, exact_or_any(version))
}

/// `pkg=1.2`, `pkg~1.2`, `pkg>1`, `pkg@repository` of apk.
pub(super) fn alpine(text: &str) -> Specified {
    if is_path(text) || is_archive(text) {
        return bare(text);
    }
    let end = text.find(['=', '<', '>', '~', '@']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let requirement = match rest.strip_prefix('=').filter(|version| !version.starts_with(['~', '<', '>'])) {
        Some(version) => Requirement::Exact(version.split('@').next().unwrap_or_default().to_owned()),
        None if rest.is_empty() || rest.starts_with('@') => Requirement::Any,
        None => Requirement::Range(rest.split('@').next().unwrap_or_default().to_owned()),
    };
    named(name, requirement)
}

/// `name`, `name-1.2-3.el9.x86_64`, `name.x86_64`, `name = 1.2` of dnf, rpm and zypper.
pub(super) fn red_hat(text: &str) -> Specified {
    const ARCHITECTURES: &[&str] =
        &[".x86_64", ".aarch64", ".noarch", ".i686", ".ppc64le", ".s390x", ".src", ".armv7hl"];
    if text.starts_with('/') && !is_archive(text) {
        // `dnf install /usr/bin/x` asks for whichever package brings that file.
        return Err("it names a file, and which package brings that is not known".to_owned());
    }
    if is_path(text) || is_archive(text) || is_url(text) {
        return bare(text);
    }
    if text.starts_with('@') || text.starts_with("pattern:") {
        return Err("it is a group of packages".to_owned());
    }
    if let Some(at) = text.find(['=', '<', '>']) {
        let (name, version) = text.split_at(at);
        let requirement = match version.strip_prefix('=') {
            Some(version) if !version.starts_with(['<', '>', '=']) => exact_or_any(version),
            _ => Requirement::Range(version.trim().to_owned()),
        };
        return named(name.trim(), requirement);
    }
    let bare = ARCHITECTURES.iter().find_map(|end| text.strip_suffix(end)).unwrap_or(text);
    let is_version = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    if let Some((head, release)) = bare.rsplit_once('-') {
        if let Some((name, version)) = head.rsplit_once('-')
            && is_version(version)
            && is_version(release)
        {
            return named(name, Requirement::Exact(format!("{version}-{release}")));
        }
        if is_version(release) && release.contains('.') {
            return named(head, Requirement::Exact(release.to_owned()));
        }
    }
    named(bare, Requirement::Any)
}

/// `name=1.2`, `name>=1`, `channel::name` of conda.
pub(super) fn conda(text: &str) -> Specified {
    if is_path(text) || is_archive(text) || is_url(text) {
        return bare(text);
    }
    let (channel, text) = text.split_once("::").map_or((None, text), |(channel, text)| (Some(channel), text));
    let text = text.trim();
    let end = text.find(['=', '<', '>', '!', '~', ' ', '[']).unwrap_or(text.len());
    let (name, version) = text.split_at(end);
    let version = version.trim();
    let plain = version.trim_start_matches('=');
    let requirement = if plain.is_empty() || plain == "*" || version.starts_with('[') {
        Requirement::Any
    } else if version.starts_with("==") && !plain.contains(['*', ',', '|', '<', '>']) {
        Requirement::Exact(plain.split('=').next().unwrap_or_default().to_owned())
    } else {
        Requirement::Range(version.to_owned())
    };
    let mut spec = named(name, requirement)?;
    if let Some(channel) = channel {
        spec.source = Source::OtherRegistry(channel.to_owned());
    }
    Ok(spec)
}

/// `1.2`, or the newest where there is none.
pub(super) fn exact_or_any(version: &str) -> Requirement {
    match version.trim() {
        "" | "latest" | "newest" => Requirement::Any,
        version => Requirement::Exact(version.to_owned()),
    }
}

/// `name@version`, where the name may begin with an `@` of its own.
pub(super) fn split_at_sign(text: &str) -> (&str, Option<&str>) {
    let skipped = usize::from(text.starts_with('@'));
    match text.get(skipped..).and_then(|rest| rest.find('@')) {
        Some(at) => (text.get(..at + skipped).unwrap_or_default(), text.get(at + skipped + 1..)),
        None => (text, None),
    }
}

/// Whether a text is an address of the web.
pub(super) fn is_url(text: &str) -> bool {
    let lower = text.get(..8.min(text.len())).unwrap_or_default().to_ascii_lowercase();
    lower.starts_with("http://") || lower.starts_with("https://") || lower.starts_with("ftp://")
}

/// Whether a text is a path by its form.
pub(super) fn is_path(text: &str) -> bool {
    let is_drive = text.as_bytes().get(1) == Some(&b':') && text.as_bytes().get(2) == Some(&b'\\');
    matches!(text, "." | ".." | "~")
        || text.starts_with("./")
        || text.starts_with("../")
        || text.starts_with('/')
        || text.starts_with("~/")
        || text.starts_with(".\\")
        || text.starts_with("file:")
        || text.starts_with(".[")
        || is_drive
}

/// Whether a text is the name of a file that holds a package.
pub(super) fn is_archive(text: &str) -> bool {
    let text = without_extras(text);
    let text = text.split(['#', '?']).next().unwrap_or_default();
    ARCHIVES.iter().any(|end| text.len() > end.len() && text.ends_with(end))
}

/// `1.2.3`, `1.2.3-rc.1+build`.
pub(super) fn is_full_version(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let is_text = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
    is_text && core.split('.').count() == 3 && core.split('.').all(|part| part.parse::<u64>().is_ok())
}

fn named(name: &str, requirement: Requirement) -> Specified {
    sized(name)?;
    let is_name = !name.is_empty()
        && !name.starts_with('-')
        && name
            .chars()
            .all(|c| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '\'' | '`' | ';' | '|' | '&' | '\\'));
    if is_name { Ok(Spec::new(name, requirement)) } else { Err("it is no name of a package".to_owned()) }
}

fn sized(text: &str) -> Result<(), String> {
    if text.len() > SPEC_BYTES_MAX {
        return Err(format!("it is longer than {SPEC_BYTES_MAX} bytes"));
    }
    Ok(())
}

fn is_vcs(text: &str) -> bool {
    ["git+", "hg+", "svn+", "bzr+"].iter().any(|kind| text.starts_with(kind))
}

fn python_source(url: &str) -> Source {
    if url.starts_with("file:") {
        Source::Path(url.to_owned())
    } else if url.starts_with("git+") || url.starts_with("ssh://") {
        Source::Git(url.to_owned())
    } else {
        Source::Url(url.to_owned())
    }
}

/// A revision that an address pins: 40 digits do not move, a branch or a tag does.
fn git_requirement(url: &str) -> Requirement {
    let mark = url.rsplit(['#', '@']).next().unwrap_or_default();
    let is_revision = mark.len() == 40 && mark.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_revision { Requirement::Exact(mark.to_owned()) } else { Requirement::Any }
}

/// The version that the name of a wheel or an archive says, or the revision.
fn url_requirement(url: &str) -> Requirement {
    let address = url.split(['#', '?']).next().unwrap_or_default();
    if is_vcs(url.trim()) {
        return git_requirement(address);
    }
    let file = address.rsplit('/').next().unwrap_or_default();
    let version = file.strip_suffix(".whl").and_then(|stem| stem.split('-').nth(1));
    version.map_or(Requirement::Any, |version| Requirement::Exact(version.to_owned()))
}

/// The package that an address brings, as far as its text tells.
fn python_url_name(url: &str) -> String {
    let egg = url.split_once("egg=").map(|(_, name)| name.split(['&', '[']).next().unwrap_or_default());
    if let Some(name) = egg.filter(|name| is_python_name(name)) {
        return name.to_owned();
    }
    let address = url.split(['#', '?']).next().unwrap_or_default();
    let file = address.rsplit('/').next().unwrap_or_default();
    let wheel = file.strip_suffix(".whl").and_then(|stem| stem.split('-').next());
    match wheel.filter(|name| is_python_name(name)) {
        Some(name) => normalised("PyPI", name),
        None => url.to_owned(),
    }
}

fn is_python_name(name: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    is_end(name.chars().next())
        && is_end(name.chars().last())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

fn is_npm_name(name: &str) -> bool {
    let bare = name.strip_prefix('@').map_or(Some(name), |scoped| {
        let (scope, package) = scoped.split_once('/')?;
        (!scope.is_empty()).then_some(package)
    });
    bare.is_some_and(|bare| {
        !bare.is_empty()
            && !bare.starts_with(['.', '-'])
            && bare.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '!' | '\'' | '(' | ')'))
    })
}

/// `name[extra]` without its extras.
fn without_extras(text: &str) -> &str {
    text.strip_suffix(']').and_then(|text| text.split_once('[')).map_or(text, |(name, _)| name.trim_end())
}

/// PEP 508 without what stands behind `;`. In an address the mark needs a space before it.
fn without_marker(text: &str) -> &str {
    let mark = if text.contains("://") { " ;" } else { ";" };
    text.split_once(mark).map_or(text, |(spec, _)| spec.trim_end())
}
