//! Files that a program reads without being told: a Makefile, a list of packages, modules beside a script.

/// What a program reads by itself.
pub(super) struct Implied {
    /// In its folder, or in one above.
    pub files: &'static [&'static str],
    /// Below its folder, by the ends of their names.
    pub ends: &'static [&'static str],
}

type Row = (&'static [&'static str], Implied);

const fn row(names: &'static [&'static str], files: &'static [&'static str], ends: &'static [&'static str]) -> Row {
    (names, Implied { files, ends })
}

const PROGRAMS: &[Row] = &[
    row(&["make", "gmake", "remake"], &["GNUmakefile", "makefile", "Makefile"], &[".mk"]),
    row(
        &["cmake", "ninja", "meson"],
        &["CMakeLists.txt", "CMakePresets.json", "build.ninja", "meson.build"],
        &[".cmake"],
    ),
    row(&["just"], &["justfile", "Justfile", ".justfile"], &[".just"]),
    row(&["task", "go-task"], &["Taskfile.yml", "Taskfile.yaml", "taskfile.yml"], &[]),
    row(
        &["npm", "npx", "pnpm", "pnpx", "yarn", "bun", "bunx", "corepack"],
        &[
            "package.json",
            "package-lock.json",
            "npm-shrinkwrap.json",
            "yarn.lock",
            "pnpm-lock.yaml",
            "pnpm-workspace.yaml",
            "bun.lock",
            "bun.lockb",
            ".npmrc",
            ".yarnrc",
            ".yarnrc.yml",
            "bunfig.toml",
            ".pnpmfile.cjs",
        ],
        &[".js", ".mjs", ".cjs", ".ts", ".json"],
    ),
    row(
        &["node", "nodejs", "deno", "tsx", "ts-node"],
        &["package.json", "deno.json", "deno.jsonc", "deno.lock", "tsconfig.json"],
        &[".js", ".mjs", ".cjs", ".ts", ".json", ".node"],
    ),
    row(
        &["cargo", "rustc", "cross"],
        &["Cargo.toml", "Cargo.lock", "rust-toolchain", "rust-toolchain.toml", ".cargo/config.toml", ".cargo/config"],
        &[".rs", ".toml"],
    ),
    row(&["go"], &["go.mod", "go.sum", "go.work"], &[".go"]),
    row(
        &["python", "pypy", "py", "pytest", "tox", "nox"],
        &["pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "noxfile.py", "pytest.ini", "conftest.py"],
        &[".py", ".pth", ".pyc", ".so"],
    ),
    row(
        &["pip", "uv", "uvx", "pipx", "poetry", "pipenv", "pdm", "hatch", "conda", "mamba", "easy_install"],
        &[
            "pyproject.toml",
            "setup.py",
            "setup.cfg",
            "uv.lock",
            "uv.toml",
            "poetry.lock",
            "poetry.toml",
            "Pipfile",
            "Pipfile.lock",
            "pdm.lock",
            "environment.yml",
            "pip.conf",
        ],
        &[".py"],
    ),
    row(
        &["ruby", "bundle", "bundler", "rake", "gem", "rspec"],
        &["Gemfile", "Gemfile.lock", "Rakefile"],
        &[".rb", ".rake", ".gemspec"],
    ),
    row(&["perl"], &["Makefile.PL", "cpanfile"], &[".pl", ".pm"]),
    row(&["php", "composer"], &["composer.json", "composer.lock"], &[".php"]),
    row(
        &["mvn", "mvnw", "gradle", "gradlew", "ant", "sbt"],
        &["pom.xml", "build.xml", "build.sbt", ".mvn/maven.config", ".mvn/extensions.xml"],
        &[".gradle", ".kts", ".java", ".kt", ".properties", "pom.xml"],
    ),
    row(
        &["dotnet", "msbuild", "nuget"],
        &["nuget.config", "global.json"],
        &[".csproj", ".sln", ".props", ".targets", ".cs"],
    ),
    row(
        &["docker", "podman", "nerdctl", "docker-compose", "podman-compose", "buildah"],
        &[
            "Dockerfile",
            "Containerfile",
            ".dockerignore",
            "compose.yaml",
            "compose.yml",
            "docker-compose.yaml",
            "docker-compose.yml",
            "docker-compose.override.yml",
            ".env",
        ],
        &[],
    ),
    row(&["terraform", "tofu", "terragrunt"], &[], &[".tf", ".tfvars", ".hcl", ".tf.json", ".tfvars.json"]),
    row(&["ansible", "ansible-playbook"], &["ansible.cfg"], &[".yml", ".yaml"]),
    row(
        &["kubectl", "kustomize", "helm", "skaffold"],
        &["kustomization.yaml", "kustomization.yml", "Chart.yaml", "values.yaml", "skaffold.yaml"],
        &[],
    ),
    row(&["sh", "bash", "dash", "zsh", "ksh", "ash"], &[], &[".sh"]),
    row(&["git"], &[".gitattributes", ".gitmodules"], &[]),
];

/// What the program of this name reads by itself. `python3.12` is a `python`, `/usr/bin/make` a `make`.
pub(super) fn implied(word: &str) -> Option<&'static Implied> {
    let name = word.rsplit('/').next().unwrap_or(word);
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    let row = PROGRAMS.iter().find(|(names, _)| names.contains(&name) || names.contains(&stem));
    row.map(|(_, implied)| implied)
}

/// These read nothing of what is in a folder that they are given.
const BLIND: &[&str] = &["rm", "rmdir", "chmod", "chown", "chgrp", "mkdir", "touch", "ls", "du", "stat", "cd", "kill"];
/// The last folder of these is where something goes to.
const PLACING: &[&str] = &["cp", "mv", "install", "ln", "scp", "rsync"];

/// Whether what is in a folder that this program is given decides what it does.
pub(super) fn is_deciding(program: &str, is_last: bool) -> bool {
    let name = program.rsplit('/').next().unwrap_or(program);
    !(BLIND.contains(&name) || (is_last && PLACING.contains(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_by_its_path_and_its_version() {
        for word in ["python", "python3", "/usr/bin/python3.12", "pip3", "/usr/bin/make"] {
            assert!(implied(word).is_some(), "{word}");
        }
        assert!(implied("systemctl").is_none());
    }
}
