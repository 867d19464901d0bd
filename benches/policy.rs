//! What a decision costs: `cargo bench --bench policy`. Figures and how to read them are in BENCHMARKS.md.
//!
//! The commands are those of the files that `PI_CORPUS` names (JSON lines with a `command`, separated by
//! `:`), or the list below. Each is judged so many times that the percentiles are over all calls; rounds
//! of the gate alternate with rounds of the parser alone, so that their ratio is taken within one run.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark ends at the first thing that goes wrong"
)]

#[path = "policy/rules.rs"]
mod rules;

use std::hint::black_box;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use brush_parser::{ParserOptions, parse_tokens, uncached_tokenize_str};
use pi_host::gate::{Gate, Rego, RegoSource};

const ROUNDS: usize = 7;
/// How many calls a round has at least, however few commands there are.
const CALLS: usize = 10_000;
const STDIN_COMMANDS: usize = 10_000;
const STDIN_ROUNDS: usize = 5;
const FOLDER: &str = "/srv/app";

const P50_AIM: Duration = Duration::from_micros(100);
const P99_AIM: Duration = Duration::from_micros(300);
const STDIN_AIM: Duration = Duration::from_secs(2);

const COMMANDS: [&str; 60] = [
    "ls -la /srv/app/releases",
    "cat config/settings.toml | grep -v '^#'",
    "git status --short --branch",
    "git log --since='2 days ago' --pretty=format:'%h %an %s' -- host docs",
    "git commit -am 'gate: say why `rm -rf /` is refused'",
    "git push --force-with-lease origin topic/one",
    "git push --force origin main",
    "git rebase -i HEAD~4 && git push",
    "grep -rnE 'unwrap\\(\\)|expect\\(' --include='*.rs' host plugins | wc -l",
    "find . -type f -name '*.tmp' -mtime +3 -print0 | xargs -0 rm -f",
    "find /var/log -name '*.gz' -exec zcat {} \\; | awk '$9 == 500 { n++ } END { print n }'",
    "sed -i 's/timeout = 5/timeout = 30/' config/settings.toml",
    "for host in web-1 web-2 web-3; do ssh \"$host\" 'systemctl is-active app && df -h /'; done",
    "while read -r id; do curl -fsS \"https://api.example.org/v1/orders/$id\" | jq -r .state; done < ids.txt",
    "if ! systemctl is-active --quiet app; then journalctl -u app -n 200 --no-pager; fi",
    "case \"$(uname -m)\" in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) exit 1 ;; esac; echo \"$arch\"",
    "cat <<'EOF' > /srv/app/maintenance.html\n<h1>Back soon</h1>\nEOF",
    "tar -C /srv/app -czf \"/backup/app-$(date +%F).tgz\" --exclude='*.log' current",
    "rsync -a --delete build/ deploy@web-1:/srv/app/current/",
    "scp dump.sql deploy@db-1:/tmp/",
    "sudo systemctl restart app.service",
    "sudo -u postgres psql -d shop -c 'select count(*) from orders'",
    "psql -h db-1 -d shop -c \"update orders set state = 'open' where id = 4711\"",
    "psql -d shop -c 'delete from sessions'",
    "mysql -e 'drop database shop_test'",
    "redis-cli -h cache-1 info memory",
    "redis-cli flushall",
    "mongosh shop --eval 'db.orders.countDocuments({ state: \"open\" })'",
    "kubectl -n shop get pods -o jsonpath='{.items[*].metadata.name}'",
    "kubectl -n shop rollout restart deployment/web",
    "kubectl delete namespace shop",
    "helm upgrade --install web charts/web -f values.yaml --set image.tag=1.4.2",
    "helm uninstall web -n shop",
    "terraform plan -var-file=stage.tfvars -out=plan.bin",
    "terraform apply -auto-approve",
    "aws ec2 describe-instances --filters Name=tag:role,Values=web --query 'Reservations[].Instances[].InstanceId'",
    "aws s3 rm s3://shop-backups/2024/ --recursive",
    "gcloud compute instances list --format=json",
    "az vm delete --ids /subscriptions/x/vm-1 --yes",
    "docker ps --format '{{.Names}} {{.Status}}'",
    "docker run --rm -v \"$PWD:/src\" -w /src node:22 npm test",
    "docker exec -it app-1 sh -c 'kill -HUP 1'",
    "docker system prune -af --volumes",
    "npm ci && npm run build -- --mode production",
    "npm install left-pad@1.3.0",
    "pip install --upgrade requests==2.32.3 'urllib3<3'",
    "cargo test --locked --workspace -- --test-threads=2",
    "apt-get install -y --no-install-recommends curl ca-certificates",
    "curl -fsSL https://example.org/install.sh | sudo bash",
    "wget -qO- https://example.org/x.tgz | tar -xz -C /opt",
    "python3 - <<'PY'\nimport json, sys\nprint(json.dumps({'ok': True}))\nPY",
    "python3 -c 'import os; os.remove(\"/srv/app/lock\")'",
    "node -e 'console.log(process.version)'",
    "echo 'ZWNobyBoaQ==' | base64 -d | sh",
    "chmod -R 777 /srv/app && chown -R www-data: /srv/app",
    "kill -9 $(pgrep -f 'app --worker') || true",
    "df -h | awk 'NR > 1 && $5+0 > 90 { print $6 }'",
    "crontab -l | grep -v backup | crontab -",
    "x=rm; y=-rf; $x $y \"${TARGET:?}\"/cache",
    "dd if=/dev/zero of=/dev/sda bs=1M count=10",
];

fn main() {
    let commands = commands();
    println!("{} commands", commands.len());
    let builtin = Gate::builtin();
    let files = rules::rules();
    let sources: Vec<RegoSource<'_>> = files.iter().map(|(file, text)| RegoSource { file, text }).collect();
    let began = Instant::now();
    let rego = Rego::compile(&sources).unwrap();
    println!("100 rules in {} modules compile in {:.1} ms", sources.len(), began.elapsed().as_secs_f64() * 1e3);
    let with_rules = Gate::builtin().with_rego(rego).unwrap();

    let mut best = [Figures::WORST; 3];
    for _ in 0..ROUNDS {
        best[0] = best[0].min(measured(&commands, parse));
        best[1] = best[1].min(measured(&commands, |command| drop(black_box(builtin.judge(command, FOLDER)))));
        best[2] = best[2].min(measured(&commands, |command| drop(black_box(with_rules.judge(command, FOLDER)))));
    }
    let [parser, alone, ruled] = best;
    report("the parser alone", parser);
    report("judge, built-in policy", alone);
    report("judge, 100 rules in Rego", ruled);
    println!("  a decision is {:.1} times the parser, with rules {:.1} times", alone.over(parser), ruled.over(parser));
    for (name, figures) in [("built-in", alone), ("with rules", ruled)] {
        let is_met = figures.p50 <= P50_AIM && figures.p99 <= P99_AIM;
        println!("  {name}: the aim of {P50_AIM:?} and {P99_AIM:?} is {}", met(is_met));
    }
    by_stdin(&commands);
}

/// The commands of the files in `PI_CORPUS`, or those above.
fn commands() -> Vec<String> {
    let Ok(files) = std::env::var("PI_CORPUS") else { return COMMANDS.map(String::from).to_vec() };
    let mut commands = Vec::new();
    for file in files.split(':').filter(|file| !file.is_empty()) {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("PI_CORPUS: {file}: {error}"));
        for (line, row) in text.lines().enumerate().filter(|(_, row)| !row.trim().is_empty()) {
            let row: serde_json::Value =
                serde_json::from_str(row).unwrap_or_else(|error| panic!("PI_CORPUS: {file}:{}: {error}", line + 1));
            let command = row["command"].as_str();
            commands.push(command.unwrap_or_else(|| panic!("PI_CORPUS: {file}:{}: no `command`", line + 1)).to_owned());
        }
    }
    assert!(!commands.is_empty(), "PI_CORPUS: no commands in it: {files}");
    commands
}

#[derive(Clone, Copy)]
struct Figures {
    p50: Duration,
    p99: Duration,
    calls: usize,
}

impl Figures {
    const WORST: Self = Self { p50: Duration::MAX, p99: Duration::MAX, calls: 0 };

    /// The better of two rounds: what else the machine does only ever makes one slower.
    fn min(self, other: Self) -> Self {
        if other.p50 < self.p50 { other } else { self }
    }

    fn over(self, other: Self) -> f64 {
        self.p50.as_secs_f64() / other.p50.as_secs_f64()
    }
}

/// One round: every command in turn, as often as makes enough calls, each timed by itself.
fn measured(commands: &[String], call: impl Fn(&str)) -> Figures {
    let passes = CALLS.div_ceil(commands.len());
    let mut times = Vec::with_capacity(passes * commands.len());
    for _ in 0..passes {
        for command in commands {
            let began = Instant::now();
            call(command);
            times.push(began.elapsed());
        }
    }
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Figures { p50: at(0.5), p99: at(0.99), calls: times.len() }
}

/// What no gate that reads the shell's syntax can do without. What does not parse costs time as well.
fn parse(command: &str) {
    let options = ParserOptions::default();
    if let Ok(tokens) = uncached_tokenize_str(command, &options.tokenizer_options()) {
        drop(black_box(parse_tokens(&tokens, &options)));
    }
}

fn report(name: &str, figures: Figures) {
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    println!(
        "{name:<28} p50 {:>8.1} us   p99 {:>8.1} us   (best of {ROUNDS} rounds of {} calls)",
        micros(figures.p50),
        micros(figures.p99),
        figures.calls
    );
}

fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}

/// The program from start to end, with ten thousand commands on its standard input.
fn by_stdin(commands: &[String]) {
    let mut input = String::new();
    for command in commands.iter().cycle().take(STDIN_COMMANDS) {
        input.push_str(&serde_json::json!({ "command": command }).to_string());
        input.push('\n');
    }
    let folder = tempfile::tempdir().unwrap();
    let mut best = Duration::MAX;
    for _ in 0..STDIN_ROUNDS {
        let began = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_pi-host"))
            .args(["policy", "check", "--json"])
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        // Fed by a thread of its own: the answers fill their pipe long before the last question is asked.
        let output = std::thread::scope(|scope| {
            let input = &input;
            scope.spawn(move || pipe.write_all(input.as_bytes()).unwrap());
            child.wait_with_output().unwrap()
        });
        best = best.min(began.elapsed());
        let answers = output.stdout.iter().filter(|byte| **byte == b'\n').count();
        assert!(output.status.success(), "policy check ended with {}", output.status);
        assert_eq!(answers, STDIN_COMMANDS, "an answer a line");
    }
    println!("{STDIN_COMMANDS} commands by stdin    {:>8.2} s, the best of {STDIN_ROUNDS}", best.as_secs_f64());
    println!("  the aim of {STDIN_AIM:?} is {}", met(best <= STDIN_AIM));
}
