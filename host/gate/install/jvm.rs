//! What Maven, Gradle and the managers of .NET fetch because a command names it.
//!
//! What a build of Gradle or .NET fetches is in programs or found by the build itself; that is a build and
//! not an install. Maven's is in `pom.xml`, so a build by Maven restores what that file lists. `mvn` with
//! the coordinates of a plugin fetches that plugin and runs it.

use super::draft::Draft;
use super::line::{Grammar, Reader};
use super::list::Format;
use super::specifier::{Spec, bare, is_path, maven as maven_spec, maven_requirement, nuget_requirement, split_at_sign};
use super::{Operation, Source};

const MAVEN: Grammar = Grammar::plain(
    "-D --define -f --file -s --settings -gs --global-settings -P --activate-profiles -pl --projects -rf --resume-from \
     -T --threads -t --toolchains -gt --global-toolchains -l --log-file -b --builder --color -ep --encrypt-password \
     -emp --encrypt-master-password -is --install-settings",
);
/// The phases of Maven in which it fetches what `pom.xml` lists.
const PHASES: &[&str] = &[
    "compile",
    "generate-resources",
    "generate-sources",
    "generate-test-resources",
    "generate-test-sources",
    "initialize",
    "install",
    "integration-test",
    "package",
    "post-integration-test",
    "pre-integration-test",
    "prepare-package",
    "process-classes",
    "process-resources",
    "process-sources",
    "process-test-classes",
    "process-test-resources",
    "process-test-sources",
    "site",
    "test",
    "test-compile",
    "validate",
    "verify",
];
const CENTRAL: &[&str] = &["https://repo.maven.apache.org/maven2", "https://repo1.maven.org/maven2", "central"];
const GRADLE: Grammar = Grammar::plain(
    "-b --build-file -c --settings-file -p --project-dir -g --gradle-user-home -I --init-script -D --system-prop -P \
     --project-prop -x --exclude-task --console --max-workers --include-build --warning-mode --priority -M \
     --write-verification-metadata -F --dependency-verification --configuration --project-cache-dir --update-locks \
     --gradle-version --gradle-distribution-url --distribution-type",
);
const DOTNET: Grammar = Grammar::single(
    "-v --version -version -f -framework -s -source -n -package-directory -tool-path -configfile -add-source -project \
     -verbosity -a -arch -r -runtime -c -configuration -tool-manifest -packages -lock-file-path -o -output -p -k \
     -api-key -name -username -password -interactive-value -from-rollback-file -temp-dir -sdk-version -file",
);
const NUGET: Grammar = Grammar::single(
    "-Version -Source -OutputDirectory -o -Framework -ConfigFile -DependencyVersion -FallbackSource -PackagesDirectory \
     -SolutionDirectory -Verbosity -ApiKey -PackageSaveMode -Name -UserName -Password -MSBuildVersion -MSBuildPath \
     -version -source -outputdirectory -configfile -Id -RepositoryPath",
);
const NUGET_ORG: &[&str] = &["https://api.nuget.org/v3/index.json", "nuget.org", "https://www.nuget.org/api/v2"];
const NUGET_FILES: &[(&str, Format)] =
    &[("packages.lock.json", Format::NugetLock), ("packages.config", Format::PackagesConfig)];

pub(super) fn maven(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let goals = reader.rest(&MAVEN);
    let values = reader.values("-D --define");
    let property = |name: &str| {
        let found = values.iter().filter_map(|value| value.split_once('=')).filter(|(key, _)| *key == name);
        found.map(|(_, value)| value).next_back()
    };
    if !reader.unknown.is_empty() {
        return draft.running(Operation::Install);
    }
    let project = reader.value("-f --file");
    let mut found = false;
    for goal in goals.iter().filter_map(|word| draft.known(word)).collect::<Vec<_>>() {
        let parts: Vec<&str> = goal.split(':').collect();
        let plugin = parts.iter().rev().nth(1).copied().unwrap_or_default();
        let name = parts.last().copied().unwrap_or_default();
        let is_dependency = parts.iter().any(|part| matches!(*part, "dependency" | "maven-dependency-plugin"));
        // `group:artifact:version:goal` fetches a plugin and runs it.
        if parts.len() >= 3 && parts.first().is_some_and(|group| group.contains('.')) {
            let version = if parts.len() >= 4 { parts.get(2).copied().unwrap_or_default() } else { "" };
            let own = format!("{}:{}", parts.first().unwrap_or(&""), parts.get(1).unwrap_or(&""));
            draft.want("Maven", Spec::new(&own, maven_requirement(version)));
            draft.plan.runs_scripts = true;
            found = true;
            draft.plan.operation = Operation::Run;
        }
        match name {
            "get" | "copy" if is_dependency => {
                draft.registry(property("remoteRepositories").and_then(|text| text.split("::").last()), CENTRAL);
                match (property("artifact"), property("groupId"), property("artifactId")) {
                    (Some(artifact), ..) => draft.package("Maven", artifact, maven_spec),
                    (_, Some(group), Some(artifact)) => {
                        let version = property("version").unwrap_or_default();
                        draft.package("Maven", &format!("{group}:{artifact}:{version}"), maven_spec);
                    }
                    _ => draft.unknown("it does not name the artifact that it fetches".to_owned()),
                }
                draft.plan.operation = Operation::Install;
                found = true;
            }
            "resolve" | "resolve-plugins" | "go-offline" | "copy-dependencies" | "purge-local-repository"
                if is_dependency =>
            {
                pom(draft, project);
                draft.plan.operation = Operation::Restore;
                found = true;
            }
            "tree" | "list" | "analyze" | "analyze-only" if is_dependency => found = true,
            "generate" if plugin == "archetype" => {
                match (property("archetypeGroupId"), property("archetypeArtifactId")) {
                    (Some(group), Some(artifact)) => {
                        let version = property("archetypeVersion").unwrap_or_default();
                        draft.package("Maven", &format!("{group}:{artifact}:{version}"), maven_spec);
                    }
                    _ => draft.unknown("it does not name the archetype that it fetches".to_owned()),
                }
                draft.plan.operation = Operation::Run;
                draft.plan.runs_scripts = true;
                found = true;
            }
            "deploy" => {
                draft.plan.operation = Operation::Publish;
                found = true;
            }
            _ => {}
        }
    }
    // A phase is a bare word. Without the network Maven takes what was fetched before.
    let is_build = goals.iter().any(|word| PHASES.contains(&word.text.as_str()));
    if is_build && !reader.is_on("-o --offline") && !matches!(draft.plan.operation, Operation::Publish) {
        pom(draft, project);
        if !found {
            return draft.running(Operation::Restore);
        }
    }
    found.then_some(())
}

/// The file of a project, or the one in its folder.
fn pom(draft: &mut Draft, project: Option<&str>) {
    match project {
        Some(path) if path.ends_with(".xml") => draft.file(path, Format::Pom),
        folder => draft.implied(folder, &[("pom.xml", Format::Pom)]),
    }
}

pub(super) fn gradle(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let tasks = reader.rest(&GRADLE);
    let folder = reader.value("-p --project-dir");
    if let Some(url) = reader.value("--gradle-distribution-url") {
        draft.want("Gradle", Spec::from("gradle", super::Requirement::Any, Source::Url(url.to_owned())));
        return draft.operation(Operation::Configure);
    }
    let names: Vec<&str> = tasks.iter().map(|word| word.text.rsplit(':').next().unwrap_or_default()).collect();
    if names.iter().any(|name| name.starts_with("publish")) {
        return draft.operation(Operation::Publish);
    }
    let is_locked = reader.has("--write-locks --update-locks --refresh-dependencies");
    if is_locked {
        draft.implied(folder, &[("gradle.lockfile", Format::GradleLock)]);
        draft.unknown("what the build scripts require is not known before they run".to_owned());
        return draft.running(Operation::Upgrade);
    }
    let is_read =
        |name: &str| matches!(name, "dependencies" | "dependencyInsight" | "tasks" | "projects" | "properties");
    if !names.is_empty() && names.iter().all(|name| is_read(name)) {
        return draft.operation(Operation::Read);
    }
    None
}

pub(super) fn dotnet(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let subcommand = reader.subcommand(&DOTNET);
    match subcommand {
        "add" | "package" | "tool" | "workload" | "new" | "nuget" | "remove" | "list" | "restore" | "dnx" => {}
        // It builds, tests, runs or publishes the project.
        _ => return None,
    }
    if subcommand == "dnx" {
        return tool_run(reader, draft);
    }
    if subcommand == "tool"
        && reader.remaining().first().is_some_and(|word| matches!(word.text.as_str(), "exec" | "execute"))
    {
        reader.next(&DOTNET);
        return tool_run(reader, draft);
    }
    let words = reader.rest(&DOTNET);
    let text = |at: usize| words.get(at).map_or("", |word| word.text.as_str());
    for source in reader.values("-s -source -add-source") {
        draft.registry(Some(source), NUGET_ORG);
    }
    if reader.has("-configfile") && subcommand != "nuget" {
        draft.unknown("it names a file of sources of its own".to_owned());
    }
    let version = reader.value("-version -v").map(nuget_requirement);
    // `dotnet add [project] package name`.
    let package_at = words.iter().position(|word| word.text == "package");
    match (subcommand, text(0)) {
        ("add", _) if package_at.is_some() => {
            nuget_packages(draft, words.get(package_at.unwrap_or_default() + 1..).unwrap_or_default(), version);
            draft.operation(Operation::Install)
        }
        ("package", "add" | "update") | ("tool", "install" | "update") => {
            nuget_packages(draft, words.get(1..).unwrap_or_default(), version);
            draft.plan.is_global = reader.is_on("-g -global") || reader.has("-tool-path");
            if reader.is_on("-all") {
                draft.all("tools");
            }
            draft.operation(if text(0) == "update" { Operation::Upgrade } else { Operation::Install })
        }
        ("new", "install" | "update") => {
            nuget_packages(draft, words.get(1..).unwrap_or_default(), None);
            draft.operation(Operation::Install)
        }
        ("new", first) if first.is_empty() || !reader.has("-i -install") => None,
        ("workload", "install" | "update" | "restore" | "repair") => {
            draft.packages("workload", words.get(1..).unwrap_or_default(), bare);
            draft.plan.is_global = true;
            draft.running(if text(0) == "update" { Operation::Upgrade } else { Operation::Install })
        }
        ("tool", "restore") => {
            draft.unknown("the tools stand in `.config/dotnet-tools.json`, which is not read".to_owned());
            draft.operation(Operation::Restore)
        }
        ("restore", _) => {
            for path in words
                .iter()
                .filter_map(|word| draft.known(word))
                .filter(|path| path.ends_with("proj"))
                .collect::<Vec<_>>()
            {
                draft.file(path, Format::MsBuildProject);
            }
            draft.implied(None, NUGET_FILES);
            draft.operation(Operation::Restore)
        }
        ("remove", _) | (_, "remove" | "uninstall" | "delete") => draft.operation(Operation::Remove),
        ("nuget", "push" | "sign") => draft.operation(Operation::Publish),
        ("nuget", "add" | "update" | "enable" | "disable" | "config" | "locals" | "trust") => {
            draft.operation(Operation::Configure)
        }
        ("tool", "run") => None,
        _ => draft.operation(Operation::Read),
    }
}

pub(super) fn nuget(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let subcommand = reader.subcommand(&NUGET);
    let words = reader.rest(&NUGET);
    for source in reader.values("-Source -source -FallbackSource") {
        draft.registry(Some(source), NUGET_ORG);
    }
    match subcommand.to_ascii_lowercase().as_str() {
        "install" | "update" => {
            let version = reader.value("-Version -version").map(nuget_requirement);
            for path in words.iter().map(|word| word.text.as_str()).filter(|text| text.ends_with("packages.config")) {
                draft.file(path, Format::PackagesConfig);
            }
            let named: Vec<_> = words.iter().copied().filter(|word| !word.text.ends_with("packages.config")).collect();
            nuget_packages(draft, &named, version);
            let is_update = subcommand.eq_ignore_ascii_case("update");
            draft.operation(match (named.is_empty(), is_update) {
                (_, true) => Operation::Upgrade,
                (true, _) => Operation::Restore,
                _ => Operation::Install,
            })
        }
        "restore" => {
            draft.implied(None, NUGET_FILES);
            draft.operation(Operation::Restore)
        }
        "push" | "delete" | "sign" => draft.operation(Operation::Publish),
        "add" | "init" | "config" | "setapikey" | "sources" | "locals" | "trusted-signers" => {
            draft.operation(Operation::Configure)
        }
        "list" | "search" | "verify" | "help" | "?" | "" => draft.operation(Operation::Read),
        "pack" | "spec" => None,
        _ => draft.unknown_command(subcommand),
    }
}

fn tool_run(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let word = reader.next(&DOTNET)?;
    let version = reader.value("-version -v").map(nuget_requirement);
    nuget_packages(draft, &[word], version);
    draft.running(Operation::Run)
}

fn nuget_packages(draft: &mut Draft, words: &[&super::Word], version: Option<super::Requirement>) {
    draft.packages("NuGet", words, |text| {
        if is_path(text) {
            return bare(text);
        }
        // Templates write `name::1.2`, tools `name@1.2`.
        let (name, version) =
            text.split_once("::").map_or_else(|| split_at_sign(text), |(name, version)| (name, Some(version)));
        let mut spec = bare(name)?;
        spec.requirement = nuget_requirement(version.unwrap_or_default());
        Ok(spec)
    });
    draft.versioned(version);
}
