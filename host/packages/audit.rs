//! From the plan of an install to what the gate should know of it: which packages it would bring, what
//! is known about each, and what could not be found out.
//!
//! It reads the requirement and lock files that a plan names, within bounds. What cannot be read, has
//! no place in OSV, or comes from elsewhere than the registry, is a finding of its own: never clean.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use super::Package;
use super::advisory::{Advisory, Basis, Level, Report, Status};
use super::ecosystem::Ecosystem;
use super::lookup::Lookup;
use crate::gate::install::{Format, ListError, Listed, Operation, Plan, Requirement, Source, Wanted, listed};
use crate::gate::{Finding, Verdict};

/// Files in files that are followed: `-r` in a requirements file. Danger: two that name each other.
const DEPTH_MAX: usize = 4;
/// Files that one plan is read from. Danger: a workspace of ten thousand packages.
const FILES_MAX: usize = 100;
/// Bytes that are read of one file. Danger: a device, or a disk image, in its place.
const FILE_BYTES_MAX: u64 = 32 << 20;
/// Ecosystems whose packages a command names otherwise than OSV does.
const RENAMED: &[&str] = &["Debian", "Ubuntu", "Alpine", "Red Hat", "Go"];
/// Packages that a reason names; `packages check` has all of them.
const NAMED_MAX: usize = 5;

/// Looks into installs.
#[derive(Debug, Default)]
pub struct Audit {
    lookup: Lookup,
}

/// What an install would bring, and what is known of it.
#[derive(Debug, Default)]
pub struct Audited {
    pub reports: Vec<Report>,
    /// What comes from elsewhere than a registry that is known here, in words.
    pub foreign: Vec<String>,
    /// What could not be found out, in words.
    pub unknown: Vec<String>,
}

impl Audit {
    #[must_use]
    pub fn new(lookup: Lookup) -> Self {
        Self { lookup }
    }

    #[must_use]
    pub fn lookup(&self) -> &Lookup {
        &self.lookup
    }

    /// What the gate should know of these installs, which would run in `directory`. Files elsewhere are
    /// not read: the answer goes to whom the command comes from, who may not be let into them.
    pub async fn findings(&self, plans: &[Plan], directory: &Path) -> Vec<Finding> {
        if plans.iter().all(|plan| !brings(plan)) {
            return Vec::new();
        }
        findings(&self.look_into(plans, directory, true).await)
    }

    /// Look into these installs.
    pub async fn audit(&self, plans: &[Plan], directory: &Path) -> Audited {
        self.look_into(plans, directory, false).await
    }

    async fn look_into(&self, plans: &[Plan], directory: &Path, is_bounded: bool) -> Audited {
        let (plans, directory): (Vec<Plan>, PathBuf) = (plans.to_vec(), directory.to_owned());
        let gathered = tokio::task::spawn_blocking(move || gather(&plans, &directory, is_bounded)).await;
        let Ok(gathered) = gathered else {
            return Audited {
                unknown: vec!["what it would install could not be read".to_owned()],
                ..Audited::default()
            };
        };
        self.look_up(gathered, true).await
    }

    /// Look into one requirement or lock file.
    pub async fn audit_file(&self, path: &Path) -> Audited {
        let path = path.to_owned();
        let gathered = tokio::task::spawn_blocking(move || {
            let root = path.parent().unwrap_or(Path::new("")).to_owned();
            let mut gathered = Gathered { root, ..Gathered::default() };
            match Format::of(&path.to_string_lossy()) {
                Some(format) => gathered.read(&path, format, 0, None),
                None => {
                    gathered.unknown.push(format!("`{}` is no requirement or lock file that is known", path.display()))
                }
            }
            gathered
        });
        match gathered.await {
            Ok(gathered) => self.look_up(gathered, false).await,
            Err(_) => Audited { unknown: vec!["the file could not be read".to_owned()], ..Audited::default() },
        }
    }

    async fn look_up(&self, gathered: Gathered, is_by_command: bool) -> Audited {
        let Gathered { wanted, mut unknown, .. } = gathered;
        let (mut packages, mut foreign) = (Vec::new(), Vec::new());
        for wanted in wanted {
            if let Requirement::Range(range) = &wanted.requirement
                && wanted.source == Source::Registry
            {
                unknown.push(format!("{}: only the install will tell which version `{range}` is", wanted.name));
            }
            match package(&wanted) {
                Ok(package) if packages.contains(&package) => {}
                Ok(package) => packages.push(package),
                Err(Elsewhere::Foreign(what)) => foreign.push(what),
                Err(Elsewhere::Unknown(what)) => unknown.push(what),
            }
        }
        let reports = self.lookup.check(&packages).await;
        if is_by_command {
            // OSV names these otherwise than a command does: by source package, by module. Silence says nothing.
            let renamed = |report: &&Report| report.is_clean() && RENAMED.contains(&report.package.ecosystem.name());
            let renamed = reports.iter().filter(renamed).map(|report| &report.package);
            unknown.extend(renamed.map(|package| {
                format!(
                    "{}: what {} installs by this name OSV may know by another",
                    package.name,
                    package.ecosystem.name()
                )
            }));
        }
        Audited { reports, foreign, unknown }
    }
}

/// Whether a plan brings code from elsewhere.
fn brings(plan: &Plan) -> bool {
    matches!(plan.operation, Operation::Install | Operation::Run | Operation::Upgrade | Operation::Restore)
}

/// Packages and reasons, as they come out of plans and files.
#[derive(Default)]
struct Gathered {
    wanted: Vec<Wanted>,
    unknown: Vec<String>,
    files: usize,
    /// Only files below this folder are read, and nothing of what stands in them is quoted.
    within: Option<PathBuf>,
    /// The project's folder: what a list takes from below it is the project's own.
    root: PathBuf,
}

/// What a lock file holds, by ecosystem and name.
struct Locked(HashMap<(&'static str, String), Vec<(Requirement, bool)>>);

impl Locked {
    fn new(wanted: &[Wanted]) -> Self {
        let mut locked: HashMap<_, Vec<_>> = HashMap::new();
        for wanted in wanted {
            let is_registry = wanted.source == Source::Registry;
            let versions = locked.entry((wanted.ecosystem, wanted.name.clone())).or_default();
            versions.push((wanted.requirement.clone(), is_registry));
        }
        Self(locked)
    }

    /// What a list asks for is in the lock file: from the registry or from elsewhere as there, and in the
    /// version that it names, if it names one.
    fn holds(&self, wanted: &Wanted) -> bool {
        let is_registry = wanted.source == Source::Registry;
        let versions = self.0.get(&(wanted.ecosystem, wanted.name.clone()));
        versions.into_iter().flatten().any(|(version, is_locked_from_registry)| {
            let is_version = !is_registry || !matches!(wanted.requirement, Requirement::Exact(_));
            *is_locked_from_registry == is_registry && (is_version || *version == wanted.requirement)
        })
    }
}

fn gather(plans: &[Plan], directory: &Path, is_bounded: bool) -> Gathered {
    let within = is_bounded.then(|| directory.canonicalize().unwrap_or_else(|_| directory.to_owned()));
    let mut gathered = Gathered { within, root: directory.to_owned(), ..Gathered::default() };
    for plan in plans.iter().filter(|plan| brings(plan)) {
        gathered.wanted.extend(plan.wanted.iter().cloned());
        gathered.unknown.extend(plan.unknown.iter().cloned());
        let before = gathered.wanted.len();
        gathered.all(&plan.files, directory, 0, None);
        // The packages of its files come from where the command says.
        for wanted in gathered.wanted.iter_mut().skip(before) {
            if wanted.source == Source::Registry
                && let Some(registry) = plan.registry_of(wanted.ecosystem)
            {
                wanted.source = Source::OtherRegistry(registry.to_owned());
            }
        }
    }
    gathered
}

impl Gathered {
    /// Read files that stand in `folder`. Of a list of which `locked` is the lock file, only what that one
    /// leaves out counts.
    fn all(&mut self, files: &[Listed], folder: &Path, depth: usize, locked: Option<&Locked>) {
        let (implied, named): (Vec<&Listed>, Vec<&Listed>) = files.iter().partition(|file| file.is_implied);
        for file in &named {
            self.read(&folder.join(&file.path), file.format, depth, locked);
        }
        let mut folders: Vec<&Path> = implied.iter().map(|file| folder_of(file)).collect();
        let mut seen = HashSet::new();
        folders.retain(|folder| seen.insert(*folder));
        for place in folders {
            let here: Vec<&Listed> = implied.iter().copied().filter(|file| folder_of(file) == place).collect();
            let is_any = self.implied(&here, folder, depth, locked);
            if !is_any && named.is_empty() {
                let names: Vec<&str> = here.iter().map(|file| file.path.as_str()).collect();
                self.unknown.push(format!("there is none of {}", names.join(", ")));
            }
        }
    }

    /// Read the files of one folder that a manager looks for by itself, and say whether there is any. The
    /// first that is there decides. Behind a lock file the list is read as well: what only the list names,
    /// the manager fetches and writes into the lock file. Danger: a lock file from before the list was
    /// changed, with which the new package would be clean.
    fn implied(&mut self, files: &[&Listed], folder: &Path, depth: usize, locked: Option<&Locked>) -> bool {
        let mut there = files.iter().filter(|file| folder.join(&file.path).exists());
        let Some(first) = there.next() else { return false };
        let before = self.wanted.len();
        self.read(&folder.join(&first.path), first.format, depth, locked);
        let own = first.format.is_lock().then(|| Locked::new(self.wanted.get(before..).unwrap_or_default()));
        for list in there.filter(|file| !file.format.is_lock()) {
            self.read(&folder.join(&list.path), list.format, depth, own.as_ref().or(locked));
        }
        true
    }

    fn read(&mut self, path: &Path, format: Format, depth: usize, locked: Option<&Locked>) {
        // What it constrains is installed by something else.
        if format == Format::Constraints {
            return;
        }
        self.files += 1;
        if depth > DEPTH_MAX || self.files > FILES_MAX {
            self.unknown.push(format!("more files than are followed, at `{}`", path.display()));
            return;
        }
        if let Some(folder) = &self.within
            && !path.canonicalize().is_ok_and(|path| path.starts_with(folder))
        {
            let why = if path.exists() { "is not below the folder that the command runs in" } else { "is not there" };
            self.unknown.push(format!("`{}` {why}", path.display()));
            return;
        }
        let text = match text_of(path) {
            Ok(text) => text,
            Err(error) => return self.unknown.push(format!("`{}` cannot be read: {error}", path.display())),
        };
        match listed(format, &text) {
            Ok(list) => {
                let folder = path.parent().unwrap_or(path);
                let is_new = |wanted: &Wanted| match (locked, &wanted.source) {
                    (None, _) => true,
                    // Lock files do not list the project's own parts.
                    (Some(_), Source::Path(own)) if is_below(&folder.join(own), &self.root) => false,
                    (Some(locked), _) => !locked.holds(wanted),
                };
                let new: Vec<Wanted> = list.wanted.into_iter().filter(is_new).collect();
                self.wanted.extend(new);
                if self.within.is_some() && !list.unknown.is_empty() {
                    self.unknown.push(format!("`{}` leaves {} entries open", path.display(), list.unknown.len()));
                } else {
                    self.unknown.extend(list.unknown.into_iter().map(|why| format!("`{}`: {why}", path.display())));
                }
                self.all(&list.files, folder, depth + 1, locked);
            }
            Err(ListError::Unreadable { line, .. }) if self.within.is_some() => {
                self.unknown.push(format!("`{}` cannot be read at line {line}", path.display()));
            }
            Err(error) => self.unknown.push(format!("`{}`: {error}", path.display())),
        }
    }
}

/// The folder in which a manager looks for a file.
fn folder_of(file: &Listed) -> &Path {
    Path::new(&file.path).parent().unwrap_or(Path::new(""))
}

/// Whether a path, as it is written, is below a folder.
fn is_below(path: &Path, folder: &Path) -> bool {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain.starts_with(folder)
}

fn text_of(path: &Path) -> std::io::Result<String> {
    let metadata = path.metadata()?;
    if !metadata.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is not UTF-8"))
}

/// Why a package cannot be asked about.
enum Elsewhere {
    Foreign(String),
    Unknown(String),
}

fn package(wanted: &Wanted) -> Result<Package, Elsewhere> {
    let foreign = |from: &str, place: &str| Err(Elsewhere::Foreign(format!("{} from {from} {place}", wanted.name)));
    match &wanted.source {
        Source::Registry => {}
        Source::Path(path) => return foreign("the folder", path),
        Source::Git(place) | Source::Url(place) => return foreign("the address", place),
        Source::Image(image) => return foreign("the image", image),
        Source::OtherRegistry(place) => return foreign("another registry,", place),
    }
    let ecosystem = Ecosystem::parse(wanted.ecosystem)
        .map_err(|_| Elsewhere::Unknown(format!("OSV knows nothing of {} ({})", wanted.ecosystem, wanted.name)))?;
    let version = match &wanted.requirement {
        Requirement::Exact(version) => Some(version.clone()),
        Requirement::Range(_) | Requirement::Any => None,
    };
    Ok(Package { ecosystem, name: wanted.name.clone(), version })
}

/// What follows for the gate.
fn findings(audited: &Audited) -> Vec<Finding> {
    let of_report = |report: &Report| -> Vec<Finding> {
        report.findings.iter().map(|advisory| of_advisory(report, advisory)).collect()
    };
    let mut found: Vec<Finding> = audited.reports.iter().flat_map(of_report).collect();
    // The worst of each kind: points are for what is known, not for how long a list is.
    found.sort_by_key(|finding| std::cmp::Reverse((finding.verdict, finding.points)));
    let mut kinds = HashSet::new();
    found.retain(|finding| kinds.insert(finding.name.clone()));
    // Points that ask nothing by themselves count before the asks, which must not make a refusal of them.
    found.sort_by_key(|finding| match finding.verdict {
        Verdict::Deny => 0,
        Verdict::Allow => 1,
        Verdict::Ask => 2,
    });
    let unchecked = audited.reports.iter().filter_map(|report| match &report.status {
        Status::Unknown { reason } => Some(format!("{}: {reason}", report.package.name)),
        Status::Checked { .. } => None,
    });
    let unchecked: Vec<String> = unchecked.chain(audited.unknown.iter().cloned()).collect();
    if !unchecked.is_empty() {
        found.push(Finding {
            name: "package_unchecked".to_owned(),
            verdict: Verdict::Ask,
            points: 10,
            reason: format!("it could not be found out what is known about it: {}", some(&unchecked)),
            advice: "name packages with their versions; `pi-host packages sync` fetches what is known".to_owned(),
        });
    }
    if !audited.foreign.is_empty() {
        found.push(Finding {
            name: "package_from_elsewhere".to_owned(),
            verdict: Verdict::Ask,
            points: 20,
            reason: format!("it does not come from the registry: {}", some(&audited.foreign)),
            advice: "install a released version from the registry".to_owned(),
        });
    }
    found
}

fn of_advisory(report: &Report, advisory: &Advisory) -> Finding {
    let version = report.package.version.as_deref().map(|version| format!("@{version}")).unwrap_or_default();
    let package = format!("{}:{}{version}", report.package.ecosystem, report.package.name);
    let is_malicious = advisory.level == Level::Malicious;
    // Of an unpinned package of which some versions are malicious, the newest may well be a good one.
    let (name, verdict) = match (is_malicious, advisory.basis) {
        (true, Basis::SomeVersions) => ("malicious_versions", Verdict::Ask),
        (true, _) => ("malicious_package", Verdict::Deny),
        (false, _) if advisory.level >= Level::High => ("vulnerable_package", Verdict::Ask),
        (false, _) => ("vulnerable_package", Verdict::Allow),
    };
    let by_level = match advisory.level {
        Level::Low => 10,
        Level::Moderate => 25,
        Level::High => 45,
        Level::Critical => 60,
        Level::Malicious => 100,
    };
    let points = match advisory.severity {
        // 0 to 10 by CVSS, to 0 to 60 points. A conversion to `u8` stops at its limits.
        Some(score) if !is_malicious => (score * 6.0) as u8,
        _ => by_level,
    };
    let points = if verdict == Verdict::Ask && is_malicious { 60 } else { points };
    let summary = if advisory.summary.is_empty() { String::new() } else { format!(" ({})", advisory.summary) };
    let advice = match &advisory.fixed {
        Some(fixed) => format!("take {} {fixed} or newer", report.package.name),
        None if is_malicious => "do not install it; look whether the name is misspelt".to_owned(),
        None => "take another package, or another version of it".to_owned(),
    };
    Finding {
        name: name.to_owned(),
        verdict,
        points,
        reason: format!("{package} is affected by {}{summary}", advisory.id),
        advice,
    }
}

/// The first few, and how many more there are.
fn some(all: &[String]) -> String {
    let shown: Vec<&str> = all.iter().take(NAMED_MAX).map(String::as_str).collect();
    match all.len().saturating_sub(NAMED_MAX) {
        0 => shown.join("; "),
        more => format!("{}; and {more} more", shown.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Gate;

    /// What the gate hears of a command where nobody can be asked.
    async fn heard(command: &str, files: &[(&str, &str)]) -> Vec<(String, String)> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let decision = Gate::builtin().judge(command, "/srv");
        let found = Audit::default().findings(&decision.installs, folder.path()).await;
        found.into_iter().map(|finding| (finding.name, finding.reason)).collect()
    }

    #[tokio::test]
    async fn what_nobody_can_be_asked_about_is_not_clean() {
        let found = heard("pip install requests==2.0", &[]).await;
        assert_eq!(found.len(), 1);
        assert!(found[0].0 == "package_unchecked" && found[0].1.contains("requests"), "{found:?}");
    }

    #[tokio::test]
    async fn requirement_files_are_followed_and_a_loop_of_them_ends() {
        let found =
            heard("pip install -r a.txt", &[("a.txt", "one==1\n-r b.txt\n"), ("b.txt", "two==2\n-r a.txt\n")]).await;
        assert!(found[0].1.contains("one") && found[0].1.contains("two"), "{found:?}");
    }

    #[tokio::test]
    async fn a_file_that_is_missing_or_broken_is_said() {
        let found = heard("pip install -r nowhere.txt", &[]).await;
        assert!(found[0].1.contains("nowhere.txt"), "{found:?}");
        let found = heard("npm ci", &[("package-lock.json", "{")]).await;
        assert!(found[0].1.contains("package-lock.json"), "{found:?}");
        let found = heard("npm ci", &[]).await;
        assert!(found[0].1.contains("there is none of"), "{found:?}");
    }

    #[tokio::test]
    async fn what_stands_in_a_file_is_not_told_and_files_elsewhere_are_not_read() {
        let found = heard("pip install -r a.txt", &[("a.txt", "ok==1\nPASSWORD==hunter2 x\n")]).await;
        assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
        let elsewhere = tempfile::tempdir().unwrap();
        let file = elsewhere.path().join("secret.txt");
        std::fs::write(&file, "hunter2==1\n").unwrap();
        let found = heard(&format!("pip install -r {}", file.display()), &[]).await;
        assert!(found[0].1.contains("is not below") && !found[0].1.contains("hunter2"), "{found:?}");
    }

    #[tokio::test]
    async fn what_comes_from_elsewhere_is_told_apart() {
        let found = heard("pip install git+https://example.org/x.git", &[]).await;
        assert!(found.iter().any(|(name, _)| name == "package_from_elsewhere"), "{found:?}");
    }

    const LOCK: &str = r#"{"lockfileVersion": 3, "packages": {"": {}, "node_modules/ok": {"version": "1.0.0"},
        "node_modules/pinned": {"version": "1.0.0"}, "node_modules/moved": {"version": "1.0.0"}}}"#;
    const LIST: &str = r#"{"dependencies": {"ok": "^1.0.0", "pinned": "2.0.0", "evil": "1.0.0",
        "moved": "git+https://example.org/x.git", "own": "file:own", "workspace": "workspace:*"}}"#;

    /// The packages that an install would look up, and what is foreign.
    async fn looked_up(command: &str, files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let decision = Gate::builtin().judge(command, "/srv");
        let audited = Audit::default().audit(&decision.installs, folder.path()).await;
        let name = |report: &Report| {
            format!("{}@{}", report.package.name, report.package.version.as_deref().unwrap_or("newest"))
        };
        let mut names: Vec<String> = audited.reports.iter().map(name).collect();
        names.sort();
        (names, audited.foreign)
    }

    #[tokio::test]
    async fn what_a_list_has_beyond_its_lock_file_is_looked_up() {
        let files = [("package-lock.json", LOCK), ("package.json", LIST)];
        let (names, foreign) = looked_up("npm install", &files).await;
        assert_eq!(names, ["evil@1.0.0", "moved@1.0.0", "ok@1.0.0", "pinned@1.0.0", "pinned@2.0.0"]);
        assert_eq!(foreign.len(), 1, "{foreign:?}");
        assert!(foreign[0].starts_with("moved from the address"), "{foreign:?}");
        // It fails where the two disagree.
        assert_eq!(looked_up("npm ci", &files).await.0, ["moved@1.0.0", "ok@1.0.0", "pinned@1.0.0"]);
    }

    #[tokio::test]
    async fn stale_lock_files_of_every_kind_are_seen_through() {
        let cargo_lock = "[[package]]\nname = \"ok\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
        let cases: [(&str, [(&str, &str); 2]); 4] = [
            ("cargo fetch", [("Cargo.lock", cargo_lock), ("Cargo.toml", "[dependencies]\nok = \"1\"\nevil = \"1\"\n")]),
            (
                "bundle install",
                [
                    ("Gemfile.lock", "GEM\n  remote: https://rubygems.org/\n  specs:\n    ok (1.0.0)\n"),
                    ("Gemfile", "source 'https://rubygems.org'\ngem 'ok'\ngem 'evil'\n"),
                ],
            ),
            (
                "uv sync",
                [
                    (
                        "uv.lock",
                        "version = 1\n[[package]]\nname = \"ok\"\nversion = \"1.0.0\"\nsource = { registry = \"https://pypi.org/simple\" }\n",
                    ),
                    ("pyproject.toml", "[project]\nname = \"x\"\nversion = \"1\"\ndependencies = [\"ok\", \"evil\"]\n"),
                ],
            ),
            (
                "pipenv install",
                [
                    ("Pipfile.lock", r#"{"_meta": {}, "default": {"ok": {"version": "==1.0.0"}}}"#),
                    ("Pipfile", "[packages]\nok = \"*\"\nevil = \"*\"\n"),
                ],
            ),
        ];
        for (command, files) in cases {
            let (names, _) = looked_up(command, &files).await;
            assert_eq!(names, ["evil@newest", "ok@1.0.0"], "{command}");
        }
    }

    #[tokio::test]
    async fn each_folder_that_is_named_is_read() {
        let list = |name: &str| format!("[project]\nname = \"x\"\nversion = \"1\"\ndependencies = [\"{name}\"]\n");
        let (one, two) = (list("one"), list("two"));
        let (names, _) =
            looked_up("pip install ./a ./b", &[("a/pyproject.toml", &one), ("b/pyproject.toml", &two)]).await;
        assert_eq!(names, ["one@newest", "two@newest"]);
    }

    #[tokio::test]
    async fn a_build_by_maven_looks_up_what_its_file_lists() {
        let pom = "<project><dependencies><dependency><groupId>g</groupId><artifactId>a</artifactId><version>1.0</version></dependency></dependencies></project>";
        for command in ["mvn clean install", "mvn package", "mvn -B test"] {
            assert_eq!(looked_up(command, &[("pom.xml", pom)]).await.0, ["g:a@1.0"], "{command}");
        }
    }

    #[tokio::test]
    async fn what_files_list_comes_from_the_registry_that_the_command_names() {
        let command = "pip install -r a.txt --index-url https://evil.example/x";
        let (names, foreign) = looked_up(command, &[("a.txt", "requests==2.0\n")]).await;
        assert_eq!((names.len(), foreign.len()), (0, 1), "{foreign:?}");
    }

    fn advisory(id: &str, level: Level, severity: Option<f32>, basis: Basis) -> Advisory {
        let (url, summary) = (String::new(), String::new());
        Advisory { id: id.into(), aliases: vec![], summary, severity, level, fixed: None, url, basis }
    }

    fn found(all: Vec<Advisory>) -> Vec<(String, Verdict, u8)> {
        let package = Package { ecosystem: Ecosystem::parse("npm").unwrap(), name: "x".into(), version: None };
        let status = Status::Checked { source: crate::packages::advisory::Source::Scanner };
        let audited = Audited { reports: vec![Report { package, findings: all, status }], ..Audited::default() };
        findings(&audited).into_iter().map(|finding| (finding.name, finding.verdict, finding.points)).collect()
    }

    #[test]
    fn malicious_by_name_is_denied_whatever_else_is_known() {
        let by_name = advisory("MAL-2024-1", Level::Malicious, None, Basis::Name);
        let by_versions = advisory("MAL-2024-2", Level::Malicious, None, Basis::SomeVersions);
        for all in [vec![by_name.clone(), by_versions.clone()], vec![by_versions, by_name]] {
            assert_eq!(found(all)[0], ("malicious_package".to_owned(), Verdict::Deny, 100));
        }
    }

    #[test]
    fn the_worst_score_of_a_level_counts_and_each_kind_once() {
        let vulnerable = |score: f32| advisory("GHSA-1", Level::Critical, Some(score), Basis::Newest);
        let worst = ("vulnerable_package".to_owned(), Verdict::Ask, 60);
        assert_eq!(found(vec![vulnerable(10.0), vulnerable(9.0)]), std::slice::from_ref(&worst));
        let malicious = advisory("MAL-2024-2", Level::Malicious, None, Basis::SomeVersions);
        let all = found(vec![malicious.clone(), vulnerable(10.0), malicious, vulnerable(9.0)]);
        assert_eq!(all, [("malicious_versions".to_owned(), Verdict::Ask, 60), worst]);
    }

    #[tokio::test]
    async fn looking_and_removing_ask_nobody() {
        assert!(heard("pip list", &[]).await.is_empty());
        assert!(heard("npm uninstall left-pad", &[]).await.is_empty());
    }
}
