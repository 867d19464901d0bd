//! The network: who is connected, what is sent there, who may connect here.
//!
//! The target of an effect is the host, with its port where one is given. Addresses of the cloud's
//! own metadata service, which hands out credentials to whoever asks from within, are `metadata`
//! however they are spelled.

use super::super::argv::Argv;
use super::line::{Line, is_unknown, listed, shown};
use super::secret::flow;
use super::{Effect, Kind, Severity};
use Severity::{Destructive, Read, Write};

pub(super) const PROGRAMS: &str = "curl wget wget2 aria2c axel http https xh xhs httpie lynx w3m links nc ncat netcat socat telnet openssl ssh autossh mosh scp sftp rsync ftp lftp tftp ncftp dig nslookup host drill resolvectl getent ping ping6 traceroute tracepath mtr nmap masscan whois mail mailx sendmail mutt msmtp swaks git hub docker podman nerdctl aws gsutil rclone python php ruby npx busybox ngrok cloudflared localtunnel lt frpc chisel bore tailscale websocat grpcurl iperf iperf3 smbclient mosquitto_pub croc magic-wormhole wormhole transfer http-server serve caddy darkhttpd bash sh zsh dash cat echo printf read exec tee";

pub(super) fn look(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    match argv.program {
        "curl" => curl(argv, found),
        "wget" | "wget2" => wget(argv, found),
        "aria2c" | "axel" | "lynx" | "w3m" | "links" => urls(argv, "download", found),
        "http" | "https" | "xh" | "xhs" | "httpie" => httpie(argv, input, found),
        "nc" | "ncat" | "netcat" => netcat(argv, found),
        "socat" => socat(argv, found),
        "telnet" | "ftp" | "lftp" | "tftp" | "ncftp" | "smbclient" | "websocat" | "grpcurl" => client(argv, found),
        "iperf" | "iperf3" => by_flag(argv, "-s --server", "-c --client", found),
        "openssl" => openssl(argv, found),
        "ssh" | "autossh" | "mosh" => ssh(argv, found),
        "scp" | "sftp" | "rsync" => remote_copy(argv, found),
        "dig" | "nslookup" | "host" | "drill" | "resolvectl" | "getent" => resolve(argv, found),
        "ping" | "ping6" | "traceroute" | "tracepath" | "mtr" | "nmap" | "masscan" | "whois" => probe(argv, found),
        "mail" | "mailx" | "sendmail" | "mutt" | "msmtp" | "swaks" => mail(argv, found),
        "git" | "hub" => git(argv, found),
        "docker" | "podman" | "nerdctl" => registry(argv, found),
        "aws" | "gsutil" | "rclone" => bucket(argv, found),
        "python" | "php" | "ruby" | "busybox" | "npx" => server(argv, found),
        // Of Caddy's verbs these answer requests; the others look at its settings or change them.
        "caddy" if argv.operands.first().is_some_and(|verb| serves(&verb.text)) => listen(&rest(argv), found),
        "http-server" | "serve" | "darkhttpd" => listen(&rest(argv), found),
        "ngrok" | "cloudflared" | "localtunnel" | "lt" | "frpc" | "chisel" | "bore" | "tailscale" => {
            tunnel(argv, found)
        }
        "croc" | "wormhole" | "magic-wormhole" | "transfer" => found.push(effect("upload", &rest(argv), Write)),
        _ => {}
    }
    // The shell's own connections, as an operand of any program that the shell gives a file to.
    for word in argv.words.iter().skip(1) {
        let path = word.text.split_once('>').map_or(word.text.as_str(), |(_, path)| path);
        if let Some(rest) = path.strip_prefix("/dev/tcp/").or_else(|| path.strip_prefix("/dev/udp/")) {
            push(&rest.replacen('/', ":", 1), "connect", found);
        }
    }
}

/// Severity by operation: what was fetched can be thrown away, what was sent cannot be taken back
/// but is what work consists of, so that only a secret in it makes it worse.
fn effect(operation: &'static str, target: &str, severity: Severity) -> Effect {
    Effect::new(Kind::Network, operation, shown(target), severity)
}

/// Add an effect on a host, or on the metadata service.
fn push(target: &str, operation: &'static str, found: &mut Vec<Effect>) {
    let host = host_of(target);
    let effect = if is_metadata(&host) {
        effect("metadata", &host, Destructive)
    } else {
        let severity = if matches!(operation, "upload" | "listen" | "connect") { Write } else { Read };
        let shown = if host.is_empty() { target.to_owned() } else { host };
        effect(operation, &shown, severity)
    };
    if !found.contains(&effect) {
        found.push(effect);
    }
}

/// What a request does, by its method.
pub(in super::super) fn of_request(method: &str, url: &str) -> Effect {
    let host = host_of(url);
    if is_metadata(&host) {
        return effect("metadata", &host, Destructive);
    }
    match method {
        "GET" | "HEAD" | "OPTIONS" => effect("download", &host, Read),
        "DELETE" => effect("delete", &host, Destructive),
        _ => effect("upload", &host, Write),
    }
}

fn listen(target: &str, found: &mut Vec<Effect>) {
    found.push(effect("listen", target, Write));
}

fn rest(argv: &Argv<'_>) -> String {
    argv.words.iter().skip(1).map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// Note the secrets among files that are sent.
fn sent(files: &[String], found: &mut Vec<Effect>) {
    if let Some(effect) = flow(files, found) {
        found.push(effect);
    }
}

/// `host:port` of a URL or of `user@host:path`; nothing where a text names none.
pub(super) fn host_of(text: &str) -> String {
    let text = text.trim_matches(['"', '\'']);
    let behind_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = behind_scheme.split(['/', '?', '#', '\\']).next().unwrap_or(behind_scheme);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    host.to_lowercase()
}

/// Whether a host is the metadata service of a cloud.
fn is_metadata(host: &str) -> bool {
    const NAMES: &[&str] = &[
        "metadata.google.internal",
        "metadata",
        "metadata.goog",
        "instance-data",
        "instance-data.ec2.internal",
        "metadata.azure.internal",
        "metadata.azure.com",
        "metadata.tencentyun.com",
        "metadata.platformequinix.com",
        "metadata.packet.net",
    ];
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.split(']').next());
    let name = match bracketed {
        Some(address) => address,
        // A bare address of version 6 has more than one colon, and no port.
        None if host.matches(':').count() > 1 => host,
        None => host.split(':').next().unwrap_or(host),
    };
    let name = name.split('%').next().unwrap_or(name).trim_end_matches('.');
    if NAMES.contains(&name) {
        return true;
    }
    if let Ok(address) = name.parse::<std::net::Ipv6Addr>() {
        let ec2 = std::net::Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
        let google = std::net::Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254);
        let embedded = address.to_ipv4().is_some_and(|address| is_metadata_number(u32::from(address)));
        let by_nat = address.segments().starts_with(&[0x64, 0xff9b, 0, 0, 0, 0])
            && is_metadata_number(
                address.segments().iter().skip(6).fold(0, |sum, part| (sum << 16) | u32::from(*part)),
            );
        return address == ec2 || address == google || embedded || by_nat;
    }
    // `169.254.169.254.nip.io` resolves to the address in its name.
    if let Some(inner) = [".nip.io", ".sslip.io", ".xip.io"].iter().find_map(|suffix| name.strip_suffix(suffix)) {
        let plain = inner.replace('-', ".");
        return plain.contains("169.254.169.254") || plain.contains("100.100.100.200") || plain.contains("a9fea9fe");
    }
    number_of(name).is_some_and(is_metadata_number)
}

fn is_metadata_number(number: u32) -> bool {
    const EC2: u32 = 0xa9fe_a9fe;
    const ECS_TASK: u32 = 0xa9fe_aa02;
    const ALIBABA: u32 = 0x6464_64c8;
    const ORACLE: u32 = 0xc000_00c0;
    matches!(number, EC2 | ECS_TASK | ALIBABA | ORACLE)
}

/// An address of version 4 as `inet_aton` reads it: one to four parts, decimal, octal or hexadecimal.
fn number_of(text: &str) -> Option<u32> {
    let parts: Vec<u64> = text
        .split('.')
        .map(|part| {
            let lower = part.to_lowercase();
            if let Some(hex) = lower.strip_prefix("0x") {
                u64::from_str_radix(hex, 16).ok()
            } else if part.len() > 1 && part.starts_with('0') {
                u64::from_str_radix(part, 8).ok()
            } else {
                part.parse().ok()
            }
        })
        .collect::<Option<_>>()?;
    let (last, leading) = parts.split_last()?;
    if leading.len() > 3 || leading.iter().any(|part| *part > 255) {
        return None;
    }
    let bits = 32 - 8 * u32::try_from(leading.len()).ok()?;
    if bits < 64 && *last >= 1u64 << bits {
        return None;
    }
    let high = leading.iter().fold(0u64, |sum, part| (sum << 8) | part);
    u32::try_from((high << bits) | last).ok()
}

/// Files that `curl` sends with `@`, and what follows it.
fn at_file(value: &str) -> Option<String> {
    let behind =
        value.split_once('@').filter(|(name, _)| name.is_empty() || name.ends_with('=') || !name.contains(' '));
    behind
        .map(|(_, path)| path.split(';').next().unwrap_or(path).to_owned())
        .filter(|path| !path.is_empty() && path != "-")
}

const CURL_VALUED: &str = "-X --request -d --data --data-ascii --data-binary --data-raw --data-urlencode --json -F --form --form-string -T --upload-file -o --output -O? -H --header -A --user-agent -e --referer -u --user -b --cookie -c --cookie-jar -x --proxy -U --proxy-user -E --cert --key --cacert --capath -m --max-time --connect-timeout -w --write-out -K --config -C --continue-at -r --range -z --time-cond -Q --quote -P --ftp-port -y --speed-time -Y --speed-limit --limit-rate --retry --retry-delay --retry-max-time --resolve --connect-to --interface --url --url-query --dns-servers --doh-url --unix-socket --abstract-unix-socket --output-dir --max-redirs --max-filesize --ciphers --tls-max --socks5 --socks5-hostname --socks4 --socks4a --preproxy --noproxy --oauth2-bearer --aws-sigv4 --mail-from --mail-rcpt --mail-auth --pinnedpubkey --trace --trace-ascii -D --dump-header --stderr --variable --netrc-file --etag-save --etag-compare --expect100-timeout --happy-eyeballs-timeout-ms --hostpubmd5 --keepalive-time --local-port --login-options --pass --cert-type --key-type --engine --crlfile --ftp-account --ftp-method --krb --libcurl --proto --proto-default --proto-redir --pubkey --random-file --request-target --service-name --tftp-blksize --proxy-header --parallel-max --rate --alt-svc --hsts --create-file-mode --delegation --egd-file -t --telnet-option --haproxy-clientip --ip-tos --vlan-priority";

fn curl(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    const BODIES: &str = "-d --data --data-ascii --data-binary --data-urlencode --json -F --form";
    let line = Line::read(argv.words, CURL_VALUED);
    let method = line.value("-X --request").unwrap_or_default().to_uppercase();
    let files: Vec<String> = line
        .values(BODIES)
        .filter_map(at_file)
        .chain(line.values("-T --upload-file").map(str::to_owned))
        .chain(line.values("-F --form").filter_map(|value| value.split_once("=<").map(|(_, path)| path.to_owned())))
        .chain(line.values("-H --header -b --cookie -E").filter_map(|value| value.strip_prefix('@').map(str::to_owned)))
        .collect();
    let sends = line.has("-T --upload-file -F --form --form-string --json --mail-rcpt")
        || (line.has("-d --data --data-ascii --data-binary --data-raw --data-urlencode") && !line.says("-G --get"))
        || !files.is_empty()
        || matches!(method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE")
        || is_unknown(&method);
    let operation = if sends { "upload" } else { "download" };
    let targets: Vec<&str> = line.operands.iter().copied().chain(line.values("--url")).collect();
    if let Some(config) = line.value("-K --config") {
        found.push(effect("upload", config, Write));
    }
    // The name in the URL says nothing where the address is given apart.
    let detours: Vec<&str> = line
        .values("--resolve --connect-to")
        .filter(|value| value.split(':').any(is_metadata) || value.contains("fd00:ec2"))
        .collect();
    if !detours.is_empty() {
        found.push(effect("metadata", &detours.join(" "), Destructive));
    }
    for target in targets {
        if target.starts_with("file:") {
            continue;
        }
        push(target, operation, found);
        if method == "DELETE"
            && let Some(last) = found.last_mut()
            && last.operation == "upload"
        {
            // What the other side deletes is gone.
            last.operation = "delete".into();
            last.severity = Destructive;
            last.target = shown(target);
        }
    }
    sent(&files, found);
}

fn wget(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-O --output-document -o --output-file -a --append-output -i --input-file -P --directory-prefix -U --user-agent -e --execute -t --tries -T --timeout -w --wait -Q --quota -l --level -A --accept -R --reject -D --domains --exclude-domains -I --include-directories -X --exclude-directories --header --post-data --post-file --method --body-data --body-file --user --password --http-user --http-password --ca-certificate --certificate --private-key --limit-rate --load-cookies --save-cookies --referer --bind-address -B --base --cut-dirs --default-page --retry-connrefused? --dns-timeout --connect-timeout --read-timeout --proxy-user --proxy-password --progress --secure-protocol --restrict-file-names --max-redirect --waitretry --use-askpass",
    );
    let files: Vec<String> = line.values("--post-file --body-file").map(str::to_owned).collect();
    let sends = line.has("--post-data --post-file --body-data --body-file")
        || line
            .value("--method")
            .is_some_and(|method| !matches!(method.to_uppercase().as_str(), "GET" | "HEAD" | "OPTIONS"));
    for target in &line.operands {
        push(target, if sends { "upload" } else { "download" }, found);
    }
    if line.value("-i --input-file").is_some() {
        found.push(effect("download", line.value("-i --input-file").unwrap_or_default(), Read));
    }
    sent(&files, found);
}

fn urls(argv: &Argv<'_>, operation: &'static str, found: &mut Vec<Effect>) {
    let line =
        Line::read(argv.words, "-o --out -d --dir -i --input-file -x -s -j -n -S -H --header -U -T -I -post_data");
    for target in line.operands.iter().filter(|word| word.contains('.') || word.contains("://")) {
        push(target, operation, found);
    }
}

fn httpie(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-a --auth -A --auth-type -o --output -p --print --session --session-read-only --proxy --timeout --verify --cert --cert-key --ssl --style -s --raw --boundary --max-redirects --bearer --resolve --interface",
    );
    let method = line.operand(0).filter(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase()));
    let at = usize::from(method.is_some());
    let Some(target) = line.operand(at) else { return };
    let items = line.rest(at + 1);
    let has_body = items
        .iter()
        .any(|item| item.contains('=') && !item.contains("==") || item.contains(":=") || item.contains('@'));
    let method =
        method.unwrap_or(if has_body || input.is_some() || line.value("--raw").is_some() { "POST" } else { "GET" });
    push(target, if matches!(method, "GET" | "HEAD" | "OPTIONS") { "download" } else { "upload" }, found);
    if method == "DELETE"
        && let Some(last) = found.last_mut()
        && last.operation == "upload"
    {
        last.operation = "delete".into();
        last.severity = Destructive;
    }
    let files: Vec<String> =
        items.iter().filter_map(|item| item.split_once('@').map(|(_, path)| path.to_owned())).collect();
    sent(&files, found);
}

fn netcat(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-p --source-port -s --source -w --wait -e --exec -c --sh-exec -i --idle-timeout -X -x --proxy --proxy-type --proxy-auth -q -T -I -O -P -V -g -G --ssl-cert --ssl-key --ssl-trustfile -o --output -m --max-conns -d --delay --lua-exec --allow --deny -M",
    );
    if line.has("-e --exec -c --sh-exec --lua-exec") {
        found.push(Effect::new(Kind::Code, "shell", shown(argv.line()), Destructive));
    }
    if line.has("-l --listen") {
        let port = line.value("-p --source-port").map_or_else(|| line.operands.join(":"), str::to_owned);
        listen(&port, found);
    } else if line.has("-U --unixsock") || line.operands.is_empty() {
    } else {
        let operation = if line.has("-z") { "download" } else { "connect" };
        push(&line.operands.join(":"), operation, found);
    }
}

fn socat(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "-T -t -b -L -W -lf -lp");
    for address in &line.operands {
        let (kind, value) = address.split_once(':').unwrap_or((address, ""));
        let value = value.split(',').next().unwrap_or(value);
        match kind.to_uppercase().as_str() {
            kind if kind.contains("LISTEN") || kind.contains("-L") || kind.contains("RECV") => listen(value, found),
            kind if kind.starts_with("TCP")
                || kind.starts_with("UDP")
                || kind.starts_with("OPENSSL")
                || kind.starts_with("SSL")
                || kind.starts_with("SOCKS")
                || kind.starts_with("PROXY")
                || kind.starts_with("SCTP")
                || kind.starts_with("IP") =>
            {
                push(value, "connect", found);
            }
            "EXEC" | "SYSTEM" => found.push(Effect::new(Kind::Code, "shell", shown(value), Destructive)),
            _ => {}
        }
    }
}

fn client(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-l -u -p -P -U -c -e -f -d -b -n -D -I -A -s -m -k -W -H -proto -import-path -authority",
    );
    if let Some(target) = line.operands.iter().find(|word| !word.starts_with('{')) {
        let port = line.operand(1).filter(|port| port.parse::<u16>().is_ok());
        let target = target.trim_start_matches("//");
        let target = port.map_or_else(|| target.to_owned(), |port| format!("{target}:{port}"));
        let sends = line
            .value("-c -e -d")
            .is_some_and(|code| code.contains("put") || code.contains("mirror -R") || code.contains("mput"));
        push(&target, if sends { "upload" } else { "connect" }, found);
    }
}

fn by_flag(argv: &Argv<'_>, server: &str, client: &str, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "-c --client -p --port -t --time -P --parallel -b -i -B");
    if line.has(server) {
        listen(line.value("-p --port").unwrap_or("5201"), found);
    } else if let Some(host) = line.value(client) {
        push(host, "connect", found);
    }
}

fn openssl(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line =
        Line::read(argv.words, "-connect -host -port -accept -servername -cert -key -CAfile -proxy -url -in -out");
    match line.operand(0) {
        Some("s_client" | "s_time" | "ocsp") => {
            let target = line.value("-connect -url").or_else(|| line.value("-host")).or_else(|| line.operand(1));
            push(target.unwrap_or("localhost:4433"), "connect", found);
        }
        Some("s_server") => listen(line.value("-accept -port").unwrap_or("4433"), found),
        _ => {}
    }
}

fn ssh(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-b -B -c -D -E -e -F -I -i -J -L -l -m -O -o -p -P -Q -R -S -W -w --ssh --predict --port -M?",
    );
    if line.says("-V -G -Q") {
        return;
    }
    for (flag, label) in [("-L", "forward"), ("-R", "reverse"), ("-D", "proxy")] {
        for value in line.values(flag) {
            listen(&format!("{label} {value}"), found);
        }
    }
    // A command of the local side stands in an option.
    for value in line.values("-o") {
        let lower = value.to_lowercase();
        if ["proxycommand", "localcommand", "permitlocalcommand=yes"].iter().any(|own| lower.starts_with(own))
            && !lower.ends_with("=none")
        {
            found.push(Effect::new(Kind::Code, "shell", shown(value), Destructive));
        }
    }
    for jump in line.values("-J") {
        push(jump, "connect", found);
    }
    if let Some(host) = line.operand(0) {
        let port = line.value("-p").map(|port| format!(":{port}")).unwrap_or_default();
        push(&format!("{}{port}", host_of(host)), "connect", found);
    }
}

/// Whether `host:path` or `rsync://host/path` names another machine.
fn remote_host(word: &str) -> Option<String> {
    if let Some((scheme, _)) = word.split_once("://") {
        return matches!(scheme, "rsync" | "scp" | "sftp" | "ssh").then(|| host_of(word));
    }
    let (host, _) = word.split_once(':')?;
    (!host.is_empty() && !host.contains('/')).then(|| host_of(host))
}

fn remote_copy(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let valued = match argv.program {
        "rsync" => {
            "-e --rsh --rsync-path --exclude --include --exclude-from --include-from --files-from --filter -f -T --temp-dir --backup-dir --suffix --bwlimit --port --password-file --log-file --out-format --chmod --chown --timeout --contimeout --max-size --min-size --compare-dest --copy-dest --link-dest --partial-dir -M --remote-option --info --debug -B --block-size --max-delete --usermap --groupmap --address --sockopts --stop-after --modify-window"
        }
        _ => "-B -b -c -D -F -i -J -l -o -P -R -S -s? -X",
    };
    let line = Line::read(argv.words, valued);
    if let Some(command) = line.value("-e --rsh --rsync-path").filter(|_| argv.program == "rsync") {
        let base = command.split_whitespace().next().unwrap_or_default();
        if !matches!(super::super::path::base_name(base), "ssh" | "rsh" | "rsync" | "sudo") {
            found.push(Effect::new(Kind::Code, "shell", shown(command), Destructive));
        }
    }
    if argv.program == "rsync" && line.has("--daemon") {
        return listen("rsync daemon", found);
    }
    if argv.program == "sftp" {
        if let Some(host) = line.operand(0) {
            let batch = line.value("-b").is_some();
            push(
                &host_of(host.split_once(':').filter(|_| !host.contains("://")).map_or(host, |(host, _)| host)),
                if batch { "upload" } else { "connect" },
                found,
            );
        }
        return;
    }
    let Some((destination, sources)) = line.operands.split_last() else { return };
    let dry = argv.program == "rsync" && line.says("-n --dry-run");
    if let Some(host) = remote_host(destination) {
        push(&host, if dry { "connect" } else { "upload" }, found);
        if argv.program == "rsync" && !dry && line.texts().any(|text| text.starts_with("--del")) {
            found.push(effect("delete", &format!("{destination} (what the source lacks)"), Destructive));
        }
        let files: Vec<String> =
            sources.iter().filter(|word| remote_host(word).is_none()).map(|word| (*word).to_owned()).collect();
        if !dry {
            sent(&files, found);
        }
    }
    for host in sources.iter().filter_map(|word| remote_host(word)) {
        push(&host, "download", found);
    }
}

/// Whether a verb of Caddy's answers requests.
fn serves(verb: &str) -> bool {
    matches!(verb, "run" | "start" | "file-server" | "reverse-proxy" | "respond") || is_unknown(verb)
}

fn resolve(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "-b -c -f -k -p -q -t -x -y -i -R -W -N -T");
    let at = match argv.program {
        "getent" if !matches!(line.operand(0), Some("hosts" | "ahosts" | "ahostsv4" | "ahostsv6")) => return,
        "resolvectl" if line.operand(0) != Some("query") => return,
        "getent" | "resolvectl" => 1,
        _ => 0,
    };
    let names =
        line.rest(at).iter().filter(|word| !word.starts_with(['@', '+']) && (word.contains('.') || is_unknown(word)));
    for name in names {
        // A name that holds something computed carries it to whoever serves the zone.
        let severity = if is_unknown(name) { Write } else { Read };
        found.push(effect("resolve", name, severity));
    }
}

fn probe(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-c -i -W -w -s -t -I -m -p -q -M -Q -T -h -f -g -o -S -n? --rate --ports --script -oN -oX -iL",
    );
    for host in &line.operands {
        push(host, "resolve", found);
    }
}

fn mail(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-s -c -b -a -A -r -f -F -i? -e -H -q -S -t --to --from --server --attach --body --header -u --auth-user --auth-password -C --file",
    );
    let recipients: Vec<&str> = line.operands.iter().copied().chain(line.values("--to")).collect();
    let files: Vec<String> =
        line.values("-a -A --attach").map(|value| value.trim_start_matches('@').to_owned()).collect();
    if recipients.is_empty() && !line.has("-t") {
        return;
    }
    found.push(effect("upload", &recipients.join(", "), Write));
    sent(&files, found);
}

fn git(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-C -c --git-dir --work-tree --namespace -b --branch -o --origin -u --upload-pack --depth --config --reference --push-option --receive-pack",
    );
    let target = line.operand(1).unwrap_or("origin");
    let host =
        if target.contains("://") { host_of(target) } else { remote_host(target).unwrap_or_else(|| target.to_owned()) };
    match line.operand(0) {
        Some("push" | "send-email") if line.says("-n --dry-run") => {}
        Some("push" | "send-email") => push(&host, "upload", found),
        Some("clone" | "fetch" | "pull" | "ls-remote") => push(&host, "download", found),
        Some("submodule") if matches!(line.operand(1), Some("update" | "add")) => push("submodule", "download", found),
        Some("daemon" | "instaweb") => listen("git", found),
        _ => {}
    }
}

fn registry(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "-H --host -c --context --config -l --log-level --platform");
    let (verb, image) = match line.operand(0) {
        Some("image") => (line.operand(1), line.operand(2)),
        verb => (verb, line.operand(1)),
    };
    let Some(image) = image else { return };
    // The first part is a host only if it looks like one.
    let first = image.split('/').next().unwrap_or(image);
    let host =
        if image.contains('/') && (first.contains(['.', ':']) || first == "localhost") { first } else { "docker.io" };
    match verb {
        Some("push") => push(host, "upload", found),
        Some("pull") => push(host, "download", found),
        _ => {}
    }
}

fn bucket(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "--profile --region --endpoint-url --acl --exclude --include --sse --storage-class -h -o --config --transfers --content-type --cache-control --metadata",
    );
    let operands = match argv.program {
        "aws" if line.operand(0) == Some("s3") => line.rest(1),
        "aws" => return,
        _ => line.rest(0),
    };
    let operands: Vec<&str> = operands.iter().copied().filter(|word| *word != "-m").collect();
    let [verb, source, destination, ..] = operands.as_slice() else { return };
    if !matches!(*verb, "cp" | "mv" | "sync" | "rsync" | "copy" | "copyto" | "move" | "moveto")
        || line.says("--dryrun --dry-run")
    {
        return;
    }
    let is_remote = |word: &str| word.contains("://") || (argv.program == "rclone" && word.contains(':'));
    if is_remote(destination) && !is_remote(source) {
        push(destination, "upload", found);
        sent(&[(*source).to_owned()], found);
    } else if is_remote(source) && !is_remote(destination) {
        push(source, "download", found);
    }
}

/// Languages that come with a web server.
fn server(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let texts: Vec<&str> = argv.words.iter().skip(1).map(|word| word.text.as_str()).collect();
    let after = |flag: &str| texts.iter().position(|text| *text == flag).and_then(|at| texts.get(at + 1)).copied();
    let module =
        after("-m").or_else(|| texts.iter().find_map(|text| text.strip_prefix("-m").filter(|rest| !rest.is_empty())));
    match argv.program {
        "python"
            if module.is_some_and(|module| {
                listed("http.server SimpleHTTPServer pyftpdlib smtpd uvicorn gunicorn http flask", module)
            }) =>
        {
            let port = texts.iter().rev().find(|text| text.parse::<u16>().is_ok()).copied().unwrap_or("8000");
            listen(port, found);
        }
        "php" => {
            if let Some(address) = after("-S") {
                listen(address, found);
            }
        }
        "ruby"
            if texts.iter().any(|text| text.contains("un") && text.starts_with("-r")) && texts.contains(&"httpd") =>
        {
            listen("8080", found)
        }
        "busybox" if matches!(texts.first(), Some(&("httpd" | "telnetd" | "ftpd" | "tcpsvd" | "udpsvd"))) => {
            listen(&texts.join(" "), found)
        }
        "npx" if texts.iter().any(|text| listed("http-server serve localtunnel", text)) => {
            listen(&texts.join(" "), found)
        }
        _ => {}
    }
}

fn tunnel(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "--url --hostname --config --name --port -p --subdomain --authtoken --region --token -c",
    );
    let is_query = matches!(
        line.operand(0),
        None | Some("version" | "help" | "status" | "list" | "config" | "diagnose" | "ip" | "netcheck" | "whois")
    ) && !line.has("--url --port -p -c");
    if !is_query || (argv.program == "frpc" && line.operands.is_empty() && line.has("-c")) {
        listen(&rest(argv), found);
    }
}
