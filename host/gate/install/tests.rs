//! Command lines and what they would install, one line of text each.

use super::super::argv::{Argv, Word};
use super::super::glob::UNKNOWN;
use super::{Plan, Requirement, Source, plan_with};

/// Words parted by spaces; `'...'` holds one together, `$` stands for what only the run will tell.
fn words(line: &str) -> Vec<Word> {
    let mut all = vec![];
    let mut word = String::new();
    let mut is_quoted = false;
    for c in line.chars() {
        match c {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => all.push(std::mem::take(&mut word)),
            '$' => word.push(UNKNOWN),
            c => word.push(c),
        }
    }
    all.push(word);
    all.into_iter().map(Word::plain).collect()
}

fn planned(line: &str) -> Option<Plan> {
    let words = words(line);
    plan_with(&Argv::read(&words, &[]), Vec::new)
}

/// A plan in one line: the operation, the packages, the files (`?`: implied), how many reasons to ask.
fn told(line: &str) -> String {
    let Some(plan) = planned(line) else { return "none".to_owned() };
    let mut parts = vec![];
    for wanted in &plan.wanted {
        let requirement = match &wanted.requirement {
            Requirement::Exact(version) => version.clone(),
            Requirement::Range(range) => format!("({range})"),
            Requirement::Any => "Any".to_owned(),
        };
        let source = match &wanted.source {
            Source::Registry => String::new(),
            Source::Git(url) => format!(" git {url}"),
            Source::Url(url) => format!(" url {url}"),
            Source::Path(path) => format!(" path {path}"),
            Source::Image(image) => format!(" image {image}"),
            Source::OtherRegistry(url) => format!(" registry {url}"),
        };
        parts.push(format!("{} {} {requirement}{source}", wanted.ecosystem, wanted.name));
    }
    for file in &plan.files {
        parts.push(format!("file {}{}", file.path, if file.is_implied { "?" } else { "" }));
    }
    if !plan.unknown.is_empty() {
        parts.push(format!("unknown {}", plan.unknown.len()));
    }
    let operation = format!("{:?}", plan.operation).to_lowercase();
    format!("{operation} {}", parts.join("; ")).trim_end().to_owned()
}

/// Each row is a command line, an arrow, and what it would install.
fn holds(table: &str) {
    let mut wrong = vec![];
    for row in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let (line, expected) = row.split_once(" => ").unwrap_or((row, ""));
        let found = told(line);
        if found != expected {
            wrong.push(format!("{line} => {found}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn scripts_and_reach_are_told_apart() {
    let runs = |line: &str| planned(line).unwrap().runs_scripts;
    assert!(runs("npm i x") && runs("npm i x --ignore-scripts=false") && runs("npm i --ignore-scripts false x"));
    assert!(!runs("npm i x --ignore-scripts") && !runs("npm i x --ignore-s") && !runs("npm i x --dry-run"));
    assert!(runs("npm i --ignore-scripts --no-ignore-scripts x"));
    assert!(runs("pip install x") && runs("pip install --dry-run x") && !runs("pip install --only-binary :all: x"));
    assert!(runs("pip install --only-binary :all: git+https://github.com/a/b"));
    assert!(!runs("go install github.com/a/b@v1.0.0") && runs("go run github.com/a/b@v1.0.0"));
    assert!(!runs("cargo add x") && runs("cargo install x"));
    assert!(!runs("composer install --no-scripts --no-plugins") && runs("composer install --no-scripts"));
    assert!(!runs("rpm -i --noscripts x.rpm") && runs("rpm -i x.rpm"));
    let is_global = |line: &str| planned(line).unwrap().is_global;
    assert!(is_global("npm i -g x") && is_global("npm i --location=global x") && is_global("apt install x"));
    assert!(!is_global("npm i x") && !is_global("npm i --global false x") && is_global("pip install --user x"));
}

#[test]
fn reasons_to_ask_name_the_word() {
    let reason = |line: &str| planned(line).unwrap().unknown.join("; ");
    assert_eq!(reason("npm i $"), "`…` is known only when it runs");
    assert_eq!(reason("npm frobnicate"), "`frobnicate` is no command of npm that is known");
    assert_eq!(reason("pip install x=1"), "`x=1`: `=1` is no version that PEP 440 knows");
    assert_eq!(reason("pip install --no-b x y"), "`--no-b` is short for more than one flag");
    assert_eq!(reason("pip install -$ x"), "the flag `-…` is known only when it runs");
}

#[test]
fn globs_of_the_shell_are_reasons_to_ask_unless_they_are_extras() {
    let glob = |text: &str| Word { is_glob: true, ..Word::plain(text) };
    let extras = [Word::plain("pip"), Word::plain("install"), glob("uvicorn[standard]")];
    let plan_of = |words: &[Word]| plan_with(&Argv::read(words, &[]), Vec::new).unwrap();
    assert_eq!(plan_of(&extras).wanted.len(), 1);
    let wheels = [Word::plain("pip"), Word::plain("install"), glob("dist/*.whl")];
    assert_eq!(plan_of(&wheels).unknown.len(), 1);
}

/// What `line` would install with these variables; `$` stands for what only the run will tell.
fn planned_with(line: &str, environment: &[(&str, &str)]) -> Plan {
    let words = words(line);
    let value = |text: &str| Word::plain(text.replace('$', &UNKNOWN.to_string()));
    let environment: Vec<(String, Word)> =
        environment.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect();
    plan_with(&Argv::read(&words, &[]), || environment).unwrap()
}

#[test]
fn a_variable_names_another_registry_as_the_flag_does() {
    let evil = "https://evil.example/x";
    for (line, name) in [
        ("pip install requests", "PIP_INDEX_URL"),
        ("python3 -m pip install requests", "PIP_EXTRA_INDEX_URL"),
        ("uv pip install requests", "UV_INDEX"),
        ("uvx ruff", "UV_DEFAULT_INDEX"),
        ("npm install left-pad", "NPM_CONFIG_REGISTRY"),
        ("npm install left-pad", "npm_config_registry"),
        ("npm install @a/left-pad", "npm_config_@a:registry"),
        ("yarn add left-pad", "YARN_REGISTRY"),
        ("yarn add left-pad", "YARN_NPM_REGISTRY_SERVER"),
        ("cargo add serde", "CARGO_REGISTRIES_OWN_INDEX"),
        ("go install example.org/a@v1.0.0", "GOPROXY"),
        ("bundle add rails", "BUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/"),
        ("gem install rails", "RUBYGEMS_HOST"),
    ] {
        let plan = planned_with(line, &[(name, evil)]);
        assert_eq!(plan.wanted[0].source, Source::OtherRegistry(evil.into()), "{name} {line}");
        assert_eq!(planned_with(line, &[]).wanted[0].source, Source::Registry, "{line}");
    }
}

#[test]
fn a_variable_counts_for_the_packages_that_files_list() {
    let plan = planned_with("pip install -r requirements.txt", &[("PIP_INDEX_URL", "https://evil.example/x")]);
    assert_eq!((plan.registry_of("PyPI"), plan.registry_of("npm")), (Some("https://evil.example/x"), None));
    let plan = planned_with("pip install -r requirements.txt -i https://evil.example/x", &[]);
    assert_eq!(plan.registry_of("PyPI"), Some("https://evil.example/x"));
}

#[test]
fn variables_that_say_what_is_usual_or_are_of_others_change_nothing() {
    for (line, name, value) in [
        ("pip install requests", "PIP_INDEX_URL", "https://pypi.org/simple/"),
        ("pip install requests", "PIP_EXTRA_INDEX_URL", ""),
        ("pip install requests", "NPM_CONFIG_REGISTRY", "https://evil.example"),
        ("npm ci", "GOSUMDB", "off"),
        ("cargo add serde", "CARGO_REGISTRIES_CRATES_IO_PROTOCOL", "sparse"),
        ("go install example.org/a@v1.0.0", "GOPROXY", "https://proxy.golang.org,direct"),
        ("go install example.org/a@v1.0.0", "GOFLAGS", "-mod=mod -trimpath"),
        ("mvn test", "MAVEN_OPTS", "-server -Xmx1g"),
    ] {
        assert_eq!(planned_with(line, &[(name, value)]), planned_with(line, &[]), "{name}={value} {line}");
    }
}

#[test]
fn a_variable_that_cannot_be_followed_is_a_reason_to_ask() {
    for (line, name, value) in [
        ("pip install requests", "PIP_INDEX_URL", "$"),
        ("pip install requests", "PIP_CONFIG_FILE", "/tmp/pip.conf"),
        ("npm install left-pad", "NPM_CONFIG_USERCONFIG", "/tmp/npmrc"),
        ("go install example.org/a@v1.0.0", "GOFLAGS", "-modfile=/tmp/go.mod"),
        ("go install example.org/a@v1.0.0", "GOSUMDB", "off"),
        ("bundle install", "BUNDLE_GEMFILE", "/tmp/Gemfile"),
    ] {
        let plan = planned_with(line, &[(name, value)]);
        assert!(plan.unknown.iter().any(|reason| reason.contains(name)), "{name}={value} {line}: {plan:?}");
    }
}

#[test]
fn too_many_packages_are_a_reason_to_ask() {
    let line = format!("npm i {}", (0..super::WANTED_MAX + 5).map(|at| format!("p{at}")).collect::<Vec<_>>().join(" "));
    let plan = planned(&line).unwrap();
    assert_eq!((plan.wanted.len(), plan.unknown.len()), (super::WANTED_MAX, 1));
}

#[test]
fn a_megabyte_of_flags_or_of_open_words_is_a_reason_to_ask() {
    let plan = planned(&format!("pip install -{} x", "a".repeat(1_000_000))).unwrap();
    assert_eq!((plan.wanted.len(), plan.unknown.len()), (1, 1));
    let plan = planned(&format!("npm i {}", "$ a$ ".repeat(100_000))).unwrap();
    assert_eq!((plan.wanted.len(), plan.unknown.len()), (0, super::REASONS_MAX));
}

#[test]
fn a_long_nest_of_commands_ends_in_a_reason_to_ask() {
    let plan = planned(&format!("{}npm i x", "corepack ".repeat(50_000))).unwrap();
    assert_eq!((plan.unknown.len(), plan.operation), (1, super::Operation::Install));
}

#[test]
fn no_order_of_words_panics() {
    const WORDS: &[&str] = &[
        "install",
        "add",
        "-r",
        "--",
        "-",
        "",
        "$",
        "=",
        "@",
        "--x=",
        "-x=y",
        "é",
        "[",
        "a[b",
        "@/",
        "a@",
        "https://",
        "git+",
        "run",
        "global",
        "--version",
        "-m",
        "tool",
        "exec",
        ":",
        "a:b:c",
        "^",
        "~",
        "%",
        "update",
        "package",
        "x@npm:",
        "env",
    ];
    // A fixed sequence of numbers, so that a failure can be repeated.
    let mut state = 7_u64;
    let mut next = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for (names, _, _) in super::MANAGERS {
        for name in names.split(' ') {
            for _ in 0..300 {
                let line: Vec<&str> =
                    std::iter::once(name).chain((0..next(7)).map(|_| WORDS[next(WORDS.len())])).collect();
                if let Some(plan) = planned(&line.join(" ")) {
                    assert!(plan.wanted.iter().all(|wanted| !wanted.name.contains(UNKNOWN)), "{line:?}");
                }
            }
        }
    }
}

#[test]
fn pip_is_read() {
    holds(
        r#"
        pip install requests => install PyPI requests Any
        pip install requests==2.31.0 'flask>=2,<3' Django~=4.2 => install PyPI requests 2.31.0; PyPI flask (>=2,<3); PyPI django (~=4.2)
        pip3 install -U --user 'uvicorn[standard]' => upgrade PyPI uvicorn Any
        pip3.11 install --no-cache-dir 'zope.interface===5.0' => install PyPI zope-interface 5.0
        pip --proxy http://p install left => install PyPI left Any
        pip install -r requirements.txt -c constraints.txt => restore file requirements.txt; file constraints.txt
        pip install -rrequirements/dev.txt => restore file requirements/dev.txt
        pip install --requirement=a.txt b => install PyPI b Any; file a.txt
        pip install --index-url https://evil.example/simple internal-lib => install PyPI internal-lib Any registry https://evil.example/simple
        pip install --extra-index https://evil.example/simple internal-lib => install PyPI internal-lib Any registry https://evil.example/simple
        pip install -i https://pypi.org/simple/ ok => install PyPI ok Any
        pip install --pre --prefix /opt x => install PyPI x Any
        pip install git+https://github.com/a/b@main#egg=b => install PyPI b Any git git+https://github.com/a/b@main#egg=b
        pip install 'b @ https://x.example/b-1.2-py3-none-any.whl' => install PyPI b 1.2 url https://x.example/b-1.2-py3-none-any.whl
        pip install https://x.example/c-1.0.tar.gz => install PyPI https://x.example/c-1.0.tar.gz Any url https://x.example/c-1.0.tar.gz
        pip install -e . => install PyPI . Any path .; file pyproject.toml?
        pip install .[dev] ./dist/x-1.whl => install PyPI . Any path .; PyPI ./dist/x-1.whl Any path ./dist/x-1.whl; file pyproject.toml?
        pip install 'x; python_version<"3.8"' => install PyPI x Any
        pip install --dry-run x => read PyPI x Any
        pip install $ => install unknown 1
        pip install -r $ => install unknown 1
        pip install --index-url=$ x => install PyPI x Any; unknown 1
        pip install -- -x => install unknown 1
        pip install 'not a name' => install unknown 1
        pip install x=1 => install unknown 1
        pip install -r https://evil.example/r.txt => install unknown 1
        pip uninstall -y requests => remove
        pip list --outdated => read
        pip config set global.index-url https://evil.example => configure
        pip frobnicate x => install unknown 1
        pip => read
        pip install --help => read
        python -m pip install x => install PyPI x Any
        python3.12 -Im pip install x==1 => install PyPI x 1
        python3 -W ignore -mpip install x => install PyPI x Any
        python /usr/bin/pip3 install x => install PyPI x Any
        python setup.py install => install PyPI . Any path .; unknown 1
        python script.py install x => none
        python -c 'import pip' install x => none
        pip download x => install PyPI x Any
        "#,
    );
}

#[test]
fn uv_is_read() {
    holds(
        r#"
        uv pip install x==1.0 -r requirements.txt => install PyPI x 1.0; file requirements.txt
        uv pip install --system -e ./lib => install PyPI ./lib Any path ./lib; file ./lib/pyproject.toml?
        uv pip sync requirements.txt => restore file requirements.txt
        uv pip list => read
        uv add httpx 'pydantic>=2' => install PyPI httpx Any; PyPI pydantic (>=2)
        uv add --dev --index https://evil.example/simple x => install PyPI x Any registry https://evil.example/simple
        uv add -r requirements.txt => install file requirements.txt
        uv remove httpx => remove
        uv sync => restore file uv.lock?; file pyproject.toml?
        uv --directory app sync --frozen => restore file app/uv.lock?
        uv --directory app sync => restore file app/uv.lock?; file app/pyproject.toml?
        uv lock --upgrade => upgrade file uv.lock?; file pyproject.toml?
        uv tool install ruff@0.3.0 => install PyPI ruff 0.3.0
        uv tool run --from 'httpie==3.2' http GET x => run PyPI httpie 3.2
        uvx ruff check . => run PyPI ruff Any
        uvx ruff@latest check => run PyPI ruff Any
        uvx --with a,b>=1,<2 --from git+https://github.com/a/b tool => run PyPI a Any; PyPI b (>=1,<2); PyPI git+https://github.com/a/b Any git git+https://github.com/a/b
        uvx -p 3.12 black --version => run PyPI black Any
        uv run --with requests script.py => run PyPI requests Any
        uv run script.py --with requests => none
        uv run pip install x => install PyPI x Any
        uv run pytest => none
        uv python install 3.12 => install runtime python (3.12)
        uv self update => upgrade
        uv $ x => install unknown 1
        uv frobnicate => install unknown 1
        uvx pip install evil => run PyPI pip Any; PyPI evil Any
        uv pip install -r /dev/stdin => install unknown 1
        uvx poetry@1.8 add evil => run PyPI poetry 1.8; PyPI evil Any
        "#,
    );
}

#[test]
fn the_other_managers_of_python_are_read() {
    holds(
        r#"
        poetry add requests => install PyPI requests Any
        poetry add 'requests@^2.31' 'flask>=2' -G dev => install PyPI requests (>=2.31,<3); PyPI flask (>=2)
        poetry add django@latest --source internal => install PyPI django Any registry internal
        poetry add git+https://github.com/a/b.git => install PyPI git+https://github.com/a/b.git Any git git+https://github.com/a/b.git
        poetry install --no-root => restore file poetry.lock?; file pyproject.toml?
        poetry -C app install => restore file app/poetry.lock?; file app/pyproject.toml?
        poetry update requests => upgrade PyPI requests Any; file poetry.lock?; file pyproject.toml?
        poetry remove x => remove
        poetry show --tree => read
        poetry run pip install x => install PyPI x Any
        poetry self add poetry-plugin-x => install PyPI poetry-plugin-x Any
        poetry frobnicate => install unknown 1
        pipenv install requests => install PyPI requests Any
        pipenv install => restore file Pipfile.lock?; file Pipfile?
        pipenv install --dev -r dev.txt => install file dev.txt
        pipenv sync => restore file Pipfile.lock?; file Pipfile?
        pipenv run python -m pip install x => install PyPI x Any
        pipx install black==23.1.0 => install PyPI black 23.1.0
        pipx run cowsay moo => run PyPI cowsay Any
        pipx run --spec git+https://github.com/a/b tool --flag => run PyPI git+https://github.com/a/b Any git git+https://github.com/a/b
        pipx inject black plugin-a plugin-b => install PyPI plugin-a Any; PyPI plugin-b Any
        pipx list => read
        pipx upgrade-all => upgrade unknown 1
        pipx runpip black install x => install PyPI x Any
        pdm add -d pytest>=7 => install PyPI pytest (>=7)
        pdm sync => restore file pdm.lock?; file pyproject.toml?
        pdm add -e ./lib => install PyPI ./lib Any path ./lib
        hatch env create => restore file pyproject.toml?
        hatch run pip install x => install PyPI x Any
        conda install -c conda-forge numpy=1.26 'scipy>=1.10' => install Conda numpy (=1.26); Conda scipy (>=1.10)
        conda install -y -c evil x => install Conda x Any registry evil
        conda create -n e python=3.11 evil::y => install Conda python (=3.11); Conda y Any registry evil
        mamba env create -f environment.yml => restore file environment.yml
        conda env update --file env/dev.yml => restore file env/dev.yml
        conda update --all => upgrade unknown 1
        conda list => read
        conda run -n e pip install x => install PyPI x Any
        conda install pkg==1.2.3 => install Conda pkg 1.2.3
        easy_install x==1 => install PyPI x 1
        "#,
    );
}

#[test]
fn npm_and_npx_are_read() {
    holds(
        r#"
        npm install left-pad => install npm left-pad Any
        npm i left-pad@1.3.0 @a/b@^1 c@latest d@next => install npm left-pad 1.3.0; npm @a/b (^1); npm c Any; npm d Any
        npm install => restore file npm-shrinkwrap.json?; file package-lock.json?; file package.json?
        npm ci => restore file npm-shrinkwrap.json?; file package-lock.json?
        npm install => restore file npm-shrinkwrap.json?; file package-lock.json?; file package.json?
        npm --prefix web i => restore file web/npm-shrinkwrap.json?; file web/package-lock.json?; file web/package.json?
        npm i -g typescript@5 => install npm typescript (5)
        npm i --location=global x => install npm x Any
        npm i --save-dev --ignore-scripts x => install npm x Any
        npm i alias@npm:other@1.0.0 => install npm other 1.0.0
        npm i git+https://github.com/a/b.git#v1 => install npm git+https://github.com/a/b.git#v1 Any git git+https://github.com/a/b.git#v1
        npm i user/repo => install npm user/repo Any git github:user/repo
        npm i github:user/repo#0123456789012345678901234567890123456789 => install npm github:user/repo#0123456789012345678901234567890123456789 0123456789012345678901234567890123456789 git github:user/repo#0123456789012345678901234567890123456789
        npm i https://x.example/a.tgz => install npm https://x.example/a.tgz Any url https://x.example/a.tgz
        npm i ./lib ../x.tgz => install npm ./lib Any path ./lib; npm ../x.tgz Any path ../x.tgz; file ./lib/package.json?
        npm i file:lib => install npm file:lib Any path lib; file lib/package.json?
        npm install --registry https://evil.example x => install npm x Any registry https://evil.example
        npm install --regist=https://evil.example x => install npm x Any registry https://evil.example
        npm i --@corp:registry=https://evil.example @corp/x => install npm @corp/x Any registry https://evil.example
        npm i x --dry-run => read npm x Any
        npm i x --dry-run=false => install npm x Any
        npm i --global false x => install npm x Any
        npm i $ => install unknown 1
        npm i --registry=$ x => install npm x Any; unknown 1
        npm i x 'a b' => install npm x Any; unknown 1
        npm uninstall x => remove
        npm update => upgrade file npm-shrinkwrap.json?; file package-lock.json?; file package.json?
        npm up x => upgrade npm x Any
        npm audit fix => upgrade file npm-shrinkwrap.json?; file package-lock.json?; file package.json?
        npm audit => read file npm-shrinkwrap.json?; file package-lock.json?; file package.json?
        npm exec --package=a --yes -- b --flag => run npm a Any
        npm x cowsay hello => run npm cowsay Any
        npm init react-app my-app => run npm create-react-app Any
        npm init @scope => run npm @scope/create Any
        npm init -y => configure
        npm create vite@latest app -- --template vue => run npm create-vite Any
        npm run build => none
        npm test => none
        npm instal x => install npm x Any
        npm inst x => install npm x Any
        npm publish => publish
        npm config set registry https://evil.example => configure
        npm ls => read
        npm frobnicate => install unknown 1
        npx create-react-app my-app => run npm create-react-app Any
        npx -y cowsay@1.5.0 npm install evil => run npm cowsay 1.5.0
        npx -p typescript tsc => run npm typescript Any
        npx --package=a@1 -c 'a && b' => run npm a (1); unknown 1
        npx ./tool.js => run npm ./tool.js Any path ./tool.js
        npx $ => run unknown 1
        npx => read
        npx -y npm@10 install evil => run npm npm (10); npm evil Any
        npx -p a npm i evil => run npm a Any; npm evil Any
        npm i --glob x => install npm x Any; unknown 1
        npm i --prefix $/.local x => install npm x Any
        npm --prefix $ i => restore file npm-shrinkwrap.json?; file package-lock.json?; file package.json?; unknown 1
        npm i '' => install unknown 1
        "#,
    );
}

#[test]
fn the_other_managers_of_javascript_are_read() {
    holds(
        r#"
        pnpm add x@1.0.0 -D => install npm x 1.0.0
        pnpm i => restore file pnpm-lock.yaml?; file package.json?
        pnpm -C web install --frozen-lockfile => restore file web/pnpm-lock.yaml?
        pnpm -C web install => restore file web/pnpm-lock.yaml?; file web/package.json?
        pnpm add -g x => install npm x Any
        pnpm --filter app add y => install npm y Any
        pnpm dlx degit a/b out => run npm degit Any
        pnpm exec tsc => none
        pnpm build => none
        pnpm update --latest => upgrade file pnpm-lock.yaml?; file package.json?
        pnpm remove x => remove
        pnpm create vite app => run npm create-vite Any
        pnpx cowsay => run npm cowsay Any
        yarn => restore file yarn.lock?; file package.json?
        yarn install --immutable => restore file yarn.lock?
        yarn install => restore file yarn.lock?; file package.json?
        yarn add x@^1 --dev => install npm x (^1)
        yarn global add x => install npm x Any
        yarn dlx create-thing app => run npm create-thing Any
        yarn create react-app app => run npm create-react-app Any
        yarn remove x => remove
        yarn build => none
        yarn workspace web add x => install npm x Any
        yarn workspaces foreach -A add x => install npm x Any
        yarn workspaces focus => restore file yarn.lock?; file package.json?
        yarn up x@2 => upgrade npm x (2)
        yarn --cwd web add x => install npm x Any
        yarn plugin import https://x.example/p.js => install npm https://x.example/p.js Any url https://x.example/p.js
        yarn set version 4.0.0 => install npm yarn 4.0.0
        yarn --version => read
        bun add x => install npm x Any
        bun add -g x@1.0.0 => install npm x 1.0.0
        bun install => restore file bun.lock?; file package.json?
        bun i --production => restore file bun.lock?; file package.json?
        bun x cowsay => run npm cowsay Any
        bunx --bun cowsay@1 => run npm cowsay (1)
        bun run dev => none
        bun test => none
        bun update x => upgrade npm x Any
        bun add $ => install unknown 1
        deno install npm:chalk@5 => install npm chalk (5)
        deno add jsr:@std/path@1 npm:x => install JSR @std/path (1); npm x Any
        deno run -A npm:cowsay@1.5.0 hi => run npm cowsay 1.5.0
        deno run main.ts => none
        deno run https://x.example/m.ts => run npm https://x.example/m.ts Any url https://x.example/m.ts
        deno install -g -n tool jsr:@a/b --flag => install JSR @a/b Any
        deno add x => install unknown 1
        corepack pnpm add x => install npm x Any
        corepack yarn@1.22.0 add x => run npm yarn 1.22.0; npm x Any
        corepack prepare pnpm@9.0.0 --activate => install npm pnpm 9.0.0
        corepack enable => configure
        "#,
    );
}

#[test]
fn cargo_and_rustup_are_read() {
    holds(
        r#"
        cargo add serde => install crates.io serde Any
        cargo add serde@1.0.1 tokio -F full => install crates.io serde (^1.0.1); crates.io tokio Any
        cargo add --dev --git https://github.com/a/b b => install crates.io b Any git https://github.com/a/b
        cargo add --path ../lib => install crates.io ../lib Any path ../lib
        cargo add x --registry internal => install crates.io x Any registry internal
        cargo add x --dry-run => read crates.io x Any
        cargo install ripgrep => install crates.io ripgrep Any
        cargo install ripgrep@14.1.0 --locked => install crates.io ripgrep 14.1.0
        cargo install --version 0.5.1 cargo-x => install crates.io cargo-x 0.5.1
        cargo install --version '^0.5' cargo-x => install crates.io cargo-x (^0.5)
        cargo install --git https://github.com/a/b --rev 0123abc => install crates.io https://github.com/a/b 0123abc git https://github.com/a/b
        cargo install --path . => install crates.io . Any path .
        cargo install --index https://evil.example/index x => install crates.io x Any registry https://evil.example/index
        cargo +nightly install x => install crates.io x Any
        cargo -Z unstable install x => install crates.io x Any
        cargo install --list => read
        cargo binstall ripgrep@14.1.0 => install crates.io ripgrep 14.1.0
        cargo binstall --pkg-url https://evil.example x => install crates.io x Any; unknown 1
        cargo update -p serde --precise 1.0.5 => upgrade crates.io serde 1.0.5; file Cargo.lock?; file Cargo.toml?
        cargo update => upgrade file Cargo.lock?; file Cargo.toml?
        cargo fetch => restore file Cargo.lock?; file Cargo.toml?
        cargo build => none
        cargo run -- install x => none
        cargo uninstall x => remove
        cargo search x => read
        cargo publish => publish
        cargo install $ => install unknown 1
        cargo install 'a b' => install unknown 1
        cargo --config source.crates-io.replace-with=\"x\" install y => install crates.io y Any; unknown 1
        rustup toolchain install nightly => install rustup nightly Any
        rustup component add clippy => install rustup clippy Any
        rustup show => read
        rustup self update => upgrade
        "#,
    );
}

#[test]
fn go_is_read() {
    holds(
        r#"
        go install golang.org/x/tools/gopls@latest => install Go golang.org/x/tools/gopls Any
        go install github.com/a/b/cmd/c@v1.2.3 => install Go github.com/a/b/cmd/c 1.2.3
        go install -ldflags '-s -w' github.com/a/b@v1 => install Go github.com/a/b (v1)
        go install ./... => none
        go install => none
        go get github.com/a/b => install Go github.com/a/b Any
        go get -u github.com/a/b@v2.0.0 => upgrade Go github.com/a/b 2.0.0
        go get github.com/a/b@none => remove
        go get github.com/a/b@main => install Go github.com/a/b Any git github.com/a/b
        go get github.com/a/b@0123456789ab => install Go github.com/a/b 0123456789ab git github.com/a/b
        go get -tags x github.com/a/b@'>=v1' => install Go github.com/a/b (>=v1)
        go run github.com/a/b@v1.0.0 --flag => run Go github.com/a/b 1.0.0
        go run . => none
        go run main.go => none
        go build ./... => none
        go mod download => restore file go.mod?; file go.sum?
        go mod tidy => restore file go.mod?; file go.sum?
        go -C sub mod tidy => restore file sub/go.mod?; file sub/go.sum?
        go install $ => install unknown 1
        go install github.com/a/b@$ => install unknown 1
        go env -w GOPROXY=https://evil.example => configure
        go list -m all => read
        go test ./... => none
        go get -u ./... => upgrade file go.mod?; file go.sum?; unknown 1
        go get => restore file go.mod?; file go.sum?
        "#,
    );
}

#[test]
fn gem_bundle_and_composer_are_read() {
    holds(
        r#"
        gem install rails => install RubyGems rails Any
        gem install a:1.2 b -v 1 => install RubyGems a 1.2; RubyGems b 1
        gem install rails --version '~> 7.0' => install RubyGems rails (~> 7.0)
        gem i --source https://evil.example x => install RubyGems x Any registry https://evil.example
        gem ins x --sour https://evil.example => install RubyGems x Any registry https://evil.example
        gem install ./x-1.0.gem => install RubyGems ./x-1.0.gem Any path ./x-1.0.gem
        gem update => upgrade unknown 1
        gem update --system => upgrade
        gem uninstall x => remove
        gem list => read
        gem sources --add https://evil.example => configure
        gem frob x => install unknown 1
        gem install $ => install unknown 1
        gem exec -g rails rails new app => run RubyGems rails Any
        bundle install => restore file Gemfile.lock?; file Gemfile?
        bundle => restore file Gemfile.lock?; file Gemfile?
        bundle install --gemfile sub/Gemfile => restore file sub/Gemfile.lock?; file sub/Gemfile
        bundle add x --version '~> 1.0' => install RubyGems x (~> 1.0)
        bundle add x --git https://github.com/a/b => install RubyGems x Any git https://github.com/a/b
        bundle update x => upgrade RubyGems x Any; file Gemfile.lock?; file Gemfile?
        bundle exec gem install x => install RubyGems x Any
        bundle exec rake => none
        composer require vendor/package => install Packagist vendor/package Any
        composer require vendor/package:^1.2 other/thing=2.0.1 => install Packagist vendor/package (^1.2); Packagist other/thing 2.0.1
        composer require vendor/package ^1.0 php:^8 other/thing => install Packagist vendor/package (^1.0); Packagist other/thing Any
        composer req vendor/package --dev => install Packagist vendor/package Any
        composer global require x/y => install Packagist x/y Any
        composer install --no-dev => restore file composer.lock?; file composer.json?
        composer -d app install => restore file app/composer.lock?; file app/composer.json?
        composer update => upgrade file composer.lock?; file composer.json?
        composer create-project laravel/laravel app 10.0.1 => run Packagist laravel/laravel 10.0.1
        composer install --no-scripts --no-plugins => restore file composer.lock?; file composer.json?
        composer remove x/y => remove
        composer show => read
        composer require package => install unknown 1
        composer require $ => install unknown 1
        composer --repository https://evil.example require a/b => install Packagist a/b Any registry https://evil.example
        php composer.phar require a/b => install Packagist a/b Any
        php artisan migrate => none
        "#,
    );
}

#[test]
fn maven_gradle_and_dotnet_are_read() {
    holds(
        r#"
        mvn dependency:get -Dartifact=org.a:b:1.2.3 => install Maven org.a:b 1.2.3
        mvn -q org.apache.maven.plugins:maven-dependency-plugin:3.6.0:get -D artifact=g:a:1.0 -DremoteRepositories=https://evil.example/m2 => install Maven org.apache.maven.plugins:maven-dependency-plugin 3.6.0; Maven g:a 1.0 registry https://evil.example/m2
        mvn dependency:get -DgroupId=g -DartifactId=a -Dversion=2 => install Maven g:a 2
        mvn dependency:go-offline => restore file pom.xml?
        mvn dependency:tree => read
        mvn clean package => restore file pom.xml?
        mvn -B -DskipTests install => restore file pom.xml?
        mvn -f app/pom.xml test => restore file app/pom.xml
        mvn -f app verify => restore file app/pom.xml?
        mvn -q -o test => none
        mvn clean => none
        mvn dependency:get => install unknown 1
        mvn dependency:get -Dartifact=$ => install unknown 1
        mvn com.evil:plugin:1.0:run => run Maven com.evil:plugin 1.0
        mvn archetype:generate -DarchetypeGroupId=g -DarchetypeArtifactId=a => run Maven g:a Any
        mvn deploy => publish
        mvn dependency:get -Dartifact=bad => install unknown 1
        gradle build => none
        gradle dependencies => read
        ./gradlew build --write-locks => upgrade file gradle.lockfile?; unknown 1
        gradle publish => publish
        dotnet add package Newtonsoft.Json => install NuGet Newtonsoft.Json Any
        dotnet add app.csproj package Newtonsoft.Json --version 13.0.1 => install NuGet Newtonsoft.Json 13.0.1
        dotnet add package X -s https://evil.example/v3/index.json => install NuGet X Any registry https://evil.example/v3/index.json
        dotnet package add X@1.2 => install NuGet X 1.2
        dotnet tool install -g dotnet-ef --version 8.0.0 => install NuGet dotnet-ef 8.0.0
        dotnet tool restore => restore unknown 1
        dotnet restore => restore file packages.lock.json?; file packages.config?
        dotnet new install T::1.0 => install NuGet T 1.0
        dotnet workload install maui => install workload maui Any
        dotnet build => none
        dotnet remove package X => remove
        dotnet nuget add source https://evil.example => configure
        dotnet list package --vulnerable => read
        dotnet add package $ => install unknown 1
        nuget install X -Version 1.2.3 -Source https://evil.example => install NuGet X 1.2.3 registry https://evil.example
        nuget restore => restore file packages.lock.json?; file packages.config?
        "#,
    );
}

#[test]
fn apt_dpkg_and_apk_are_read() {
    holds(
        r#"
        apt install curl => install Debian curl Any
        apt-get -y install nginx=1.18.0-6 vim/stable libc6:amd64 => install Debian nginx 1.18.0-6; Debian vim Any; Debian libc6 Any
        apt-get install -y --no-install-recommends -t bookworm-backports git => install Debian git Any
        apt install g++ foo+ foo- => install Debian g++ Any; Debian foo Any
        apt install ./x.deb => install Debian ./x.deb Any path ./x.deb
        apt-get -o Dir::Etc::sourcelist=/tmp/x install y => install Debian y Any; unknown 1
        apt-get -s install x => read Debian x Any
        apt-get -qq update => configure
        apt upgrade => upgrade unknown 1
        apt install --only-upgrade openssl => upgrade Debian openssl Any
        apt remove x => remove
        apt list --installed => read
        apt-cache x => none
        apt install $ => install unknown 1
        apt install 'php*' => install unknown 1
        apt frobnicate x => install unknown 1
        aptitude install x => install Debian x Any
        dpkg -i x.deb => install Debian x.deb Any path x.deb
        dpkg -l => read
        dpkg -r x => remove
        apk add curl => install Alpine curl Any
        apk add --no-cache -t .deps curl=8.1.0-r0 'vim~9' 'git>2' x@edge => install Alpine curl 8.1.0-r0; Alpine vim (~9); Alpine git (>2); Alpine x Any
        apk add -X https://evil.example/repo x => install Alpine x Any registry https://evil.example/repo
        apk add --repository https://dl-cdn.alpinelinux.org/alpine/edge/main x => install Alpine x Any
        apk --allow-untrusted add ./x.apk => install Alpine ./x.apk Any path ./x.apk; unknown 1
        apk add --simulate x => read Alpine x Any
        apk add !x y => install Alpine y Any
        apk del x => remove
        apk update => configure
        apk upgrade => upgrade unknown 1
        apk info => read
        apk add $ => install unknown 1
        "#,
    );
}

#[test]
fn dnf_rpm_zypper_and_pacman_are_read() {
    holds(
        r#"
        dnf install httpd => install Red Hat httpd Any
        yum -y install httpd-2.4.57-5.el9.x86_64 java-1.8.0-openjdk => install Red Hat httpd 2.4.57-5.el9; Red Hat java-1.8.0-openjdk Any
        dnf install 'kernel = 5.14' bash.x86_64 => install Red Hat kernel 5.14; Red Hat bash Any
        dnf install https://x.example/x.rpm ./y.rpm => install Red Hat https://x.example/x.rpm Any url https://x.example/x.rpm; Red Hat ./y.rpm Any path ./y.rpm
        dnf install @development => install unknown 1
        dnf install /usr/bin/x => install unknown 1
        dnf --repofrompath=e,https://evil.example install x => install Red Hat x Any registry e,https://evil.example
        dnf group install g => install unknown 1
        dnf upgrade => upgrade unknown 1
        dnf --assumeno install x => read Red Hat x Any
        dnf remove x => remove
        dnf list => read
        microdnf install x => install Red Hat x Any
        dnf frob x => install unknown 1
        rpm -ivh https://x.example/x.rpm => install Red Hat https://x.example/x.rpm Any url https://x.example/x.rpm
        rpm -Uvh --nodeps y.rpm => install Red Hat y.rpm Any path y.rpm
        rpm -qa => read
        rpm -e x => remove
        rpm --import https://x.example/key => configure
        zypper -n in curl nginx=1.2 => install openSUSE curl Any; openSUSE nginx 1.2
        zypper --non-interactive install -t pattern devel => install openSUSE devel Any; unknown 1
        zypper ar https://evil.example e => configure
        zypper up => upgrade unknown 1
        zypper se x => read
        pacman -S vim => install Arch Linux vim Any
        pacman -Syu --noconfirm => upgrade unknown 1
        pacman -S extra/vim x=1.2 => install Arch Linux vim Any; Arch Linux x 1.2
        pacman -U https://x.example/p.pkg.tar.zst => install Arch Linux https://x.example/p.pkg.tar.zst Any url https://x.example/p.pkg.tar.zst
        pacman -Ss x => read
        pacman -Rns x => remove
        yay -S x => install Arch Linux x Any; unknown 1
        "#,
    );
}

#[test]
fn brew_is_read() {
    holds(
        r#"
        brew install wget => install Homebrew wget Any
        brew install openssl@3 --cask => install Homebrew openssl@3 (3)
        brew install user/tap/thing => install Homebrew thing Any registry user/tap
        brew install homebrew/core/wget => install Homebrew wget Any
        brew install https://x.example/f.rb => install Homebrew https://x.example/f.rb Any url https://x.example/f.rb
        brew install ./f.rb => install Homebrew ./f.rb Any path ./f.rb
        brew reinstall x => install Homebrew x Any
        brew upgrade => upgrade unknown 1
        brew upgrade x => upgrade Homebrew x Any
        brew tap user/repo => configure Homebrew user/repo Any git github:user/homebrew-repo
        brew tap user/repo https://evil.example/r.git => configure Homebrew user/repo Any git https://evil.example/r.git
        brew tap => read
        brew bundle => restore file Brewfile?
        brew bundle --file=x/Brewfile => restore file x/Brewfile
        brew bundle exec npm i x => install npm x Any
        brew update => configure
        brew list => read
        brew --prefix openssl => read
        brew --cache --build-from-source wget => read
        brew --verbose install wget => install Homebrew wget Any
        brew uninstall x => remove
        brew install -n x => read Homebrew x Any
        brew install $ => install unknown 1
        brew frob => install unknown 1
        "#,
    );
}

#[test]
fn managers_of_applications_runtimes_and_images_are_read() {
    holds(
        r#"
        snap install --classic code => install snap code Any
        snap install x --channel=edge => install snap x (edge)
        flatpak install flathub org.gimp.GIMP => install Flatpak org.gimp.GIMP Any
        flatpak install -y evil org.x.Y => install Flatpak org.x.Y Any registry evil
        flatpak remote-add e https://evil.example => configure
        winget install --id Git.Git -e --version 2.40 => install winget git.git 2.40
        winget upgrade => read
        winget install x -s msstore => install winget x Any registry msstore
        choco install git -y --version=2.40 => install Chocolatey git 2.40
        choco install packages.config => restore file packages.config
        choco upgrade all => upgrade unknown 1
        scoop install extras/x@1.2 => install Scoop x 1.2 registry extras
        mix deps.get => restore file mix.lock?
        mix archive.install hex phx_new 1.7.0 => install Hex phx_new 1.7.0
        dart pub add http:^1.0.0 => install Pub http (^1.0.0)
        flutter pub get => restore file pubspec.lock?; file pubspec.yaml?
        dart pub global activate x 1.0.0 => install Pub x 1.0.0
        cpanm JSON::XS@4.0 => install CPAN JSON::XS 4.0
        luarocks install busted 2.0 => install LuaRocks busted 2.0
        code --install-extension ms-python.python@2024.1.0 --force => install VSCode ms-python.python 2024.1.0
        code --list-extensions => read
        code . => none
        gh extension install owner/gh-x --pin v1 => install GitHub owner/gh-x v1 git github:owner/gh-x
        gh pr list => none
        nvm install 20.1.0 => install runtime node 20.1.0
        pyenv install 3.12 => install runtime python (3.12)
        asdf install nodejs 20.1.0 => install runtime nodejs 20.1.0
        asdf plugin add x https://evil.example/x.git => install runtime x Any git https://evil.example/x.git
        mise use -g node@20 npm:prettier@3.0.0 => install runtime node (20); npm prettier 3.0.0
        mise exec node@20 -- npm i x => run runtime node (20); npm x Any
        nvm use 20 => configure
        mise install => restore unknown 1
        docker pull nginx => install Docker nginx Any image nginx
        docker pull nginx:1.25 --platform linux/amd64 => install Docker nginx (1.25) image nginx:1.25
        docker pull ghcr.io/a/b@sha256:0123 => install Docker ghcr.io/a/b sha256:0123 image ghcr.io/a/b@sha256:0123
        docker run --rm -it -v /:/host -p 80:80 alpine:3.18 sh -c 'apk add x' => run Docker alpine (3.18) image alpine:3.18
        podman run -d quay.io/a/b => run Docker quay.io/a/b Any image quay.io/a/b
        docker image pull $ => install unknown 1
        docker ps => none
        docker pull 'a b' => install unknown 1
        helm install x $ => install unknown 1
        docker build . => none
        docker load -i x.tar => install Docker x.tar Any path x.tar
        helm install web bitnami/nginx --version 15.0.0 => install Helm nginx 15.0.0 registry bitnami
        helm install --repo https://evil.example web nginx => install Helm nginx Any registry https://evil.example
        helm upgrade --install web oci://r.example/c => upgrade Helm oci://r.example/c Any url oci://r.example/c
        helm repo add e https://evil.example => configure
        helm template x ./chart => read Helm ./chart Any path ./chart
        helm plugin install https://github.com/a/b => install Helm https://github.com/a/b Any git https://github.com/a/b
        helm status x => none
        skopeo copy docker://a/b:1 dir:/x => install Docker a/b (1) image a/b:1
        ls -la => none
        npm.cmd install x => install npm x Any
        corepack corepack corepack corepack corepack corepack corepack corepack corepack corepack corepack npm i x => install unknown 1
        "#,
    );
}
