//! Secrets: which paths look like one, which programs hand one out, and whether one that was read
//! leaves for the network.

use super::super::argv::Argv;
use super::super::path::base_name;
use super::line::{Line, is_unknown, listed, shown};
use super::verb::Tool;
use super::{Effect, Kind, Severity};
use Severity::{Destructive, Read, Write};

pub(super) const PROGRAMS: &str = "op pass gopass bw lpass security secret-tool keyctl gpg gpg2 sops age chamber doppler infisical credstash kwallet-query";

/// File names that hold secrets.
const NAMES: &str = ".env .netrc _netrc .pgpass .my.cnf .mylogin.cnf .npmrc .yarnrc.yml .pypirc .git-credentials .htpasswd .dockercfg .dockerconfigjson .s3cfg .boto .vault-token .terraformrc credentials.tfrc.json terraform.tfstate terraform.tfstate.backup .gem/credentials id_rsa id_dsa id_ecdsa id_ed25519 id_ecdsa_sk id_ed25519_sk identity shadow shadow- gshadow gshadow- sudoers kubeconfig .kubeconfig admin.conf credentials credentials.json credentials.yml credentials.yaml credentials.xml credentials.db access_tokens.db application_default_credentials.json service-account.json serviceaccount.json client_secret.json secrets.yml secrets.yaml secrets.json secrets.env secrets.toml secret.yml secret.yaml secret.json master.key .rails_master_key logins.json key4.db key3.db cookies.sqlite wallet.dat keystore.jks .keystore login.keychain login.keychain-db vault.yml vault.yaml .vault_pass .vault_password accessTokens.json azureProfile.json msal_token_cache.json token tokens token.json tokens.json .token auth.json hosts.yml .cargo/credentials.toml credentials.toml .composer/auth.json rclone.conf wg0.conf ipsec.secrets chap-secrets pap-secrets krb5.keytab smbpasswd .smbcredentials .bash_history .zsh_history .psql_history .mysql_history .python_history local.settings.json wp-config.php .pgpass.conf environ";

/// Endings of file names that hold secrets.
const ENDINGS: &[&str] = &[
    ".pem",
    ".key",
    ".p12",
    ".pfx",
    ".jks",
    ".keystore",
    ".kdbx",
    ".kdb",
    ".ppk",
    ".keytab",
    ".ovpn",
    ".asc",
    ".gpg",
    ".age-key",
    ".p8",
    ".bks",
    ".keychain",
    ".keychain-db",
    ".tfvars",
    ".tfstate",
    ".agekey",
    ".htpasswd",
    ".jceks",
];

/// Folders in which everything is taken for a secret, as parts of a path.
const FOLDERS: &[&str] = &[
    "/.ssh/",
    "/.aws/",
    "/.gnupg/",
    "/.azure/",
    "/.kube/",
    "/.docker/config.json",
    "/.config/gcloud/",
    "/.config/gh/",
    "/.config/hub",
    "/.config/doctl/",
    "/.config/rclone/",
    "/.oci/",
    "/.password-store/",
    "/.mozilla/firefox/",
    "/.config/google-chrome/",
    "/.config/chromium/",
    "/.config/BraveSoftware/",
    "/.config/microsoft-edge/",
    "/Library/Keychains/",
    "/Library/Application Support/Google/Chrome/",
    "/Library/Application Support/Firefox/",
    "/.local/share/keyrings/",
    "/run/secrets/",
    "/var/run/secrets/",
    "/etc/ssl/private/",
    "/etc/kubernetes/pki/",
    "/etc/letsencrypt/live/",
    "/etc/letsencrypt/archive/",
    "/etc/wireguard/",
    "/etc/sudoers.d/",
    "/etc/ssh/ssh_host_",
    "/.bitcoin/",
    "/.ethereum/keystore",
    "/.config/solana/",
    "/.terraform.d/credentials",
    "/.vault/",
    "/.config/op/",
    "/etc/rancher/k3s/",
    "/var/lib/kubelet/pki",
    "/etc/docker/key.json",
    "/.pki/",
    "/.config/heroku",
    "/.fly/config.yml",
];

/// Whether a path looks like one that holds secrets. It judges the name alone.
pub(crate) fn is_secret_path(path: &str) -> bool {
    let path = path.trim_start_matches("file://").trim_end_matches('/');
    if path.is_empty() {
        return false;
    }
    // A path of its own is compared as if it stood in a folder, so that `.ssh/x` and `~/.ssh/x` are one.
    let within = format!("/{}/", path.trim_start_matches('/'));
    let name = base_name(path);
    let lower = name.to_lowercase();
    // Public halves and patterns for others to fill in.
    if lower.ends_with(".pub") || listed("known_hosts authorized_keys config.example", &lower) && !lower.is_empty() {
        return false;
    }
    let is_example = ["example", "sample", "template", "dist", "schema"].iter().any(|word| lower.ends_with(word));
    if is_example {
        return false;
    }
    let is_environment = lower == ".env" || lower.starts_with(".env.") || lower.ends_with(".env") || lower == ".envrc";
    is_environment
        || listed(NAMES, name) && !is_everyday(name, path)
        || ENDINGS.iter().any(|ending| lower.ends_with(ending))
        || FOLDERS.iter().any(|folder| {
            within.contains(folder) || within.trim_end_matches('/').ends_with(folder.trim_end_matches('/'))
        })
        || lower.contains("id_rsa")
        || lower.contains("id_ed25519")
        || lower.contains("service-account") && lower.ends_with(".json")
        || (path.starts_with("/proc/") && name == "environ")
}

/// Names that mean a secret only in the right folder.
fn is_everyday(name: &str, path: &str) -> bool {
    match name {
        "environ" => !path.starts_with("/proc/"),
        "identity" | "token" | "tokens" | "hosts.yml" | "admin.conf" | "auth.json" => {
            !(path.contains("/.")
                || path.contains("secret")
                || path.starts_with("/etc/kubernetes")
                || path.starts_with('.'))
        }
        "shadow" | "shadow-" | "gshadow" | "gshadow-" | "sudoers" => !path.contains("etc/"),
        _ => false,
    }
}

/// Whether a secret that was read leaves for the network in the same pipeline.
pub(crate) fn flow(reads: &[String], sends: &[Effect]) -> Option<Effect> {
    let path = reads.iter().find(|path| is_secret_path(path))?;
    let host = sends.iter().find(|effect| {
        effect.kind == Kind::Network
            && matches!(effect.operation.as_ref(), "upload" | "connect" | "resolve" | "metadata")
    })?;
    let target = shown(&format!("{path} -> {}", host.target));
    Some(Effect::new(Kind::Secret, "send", target, Destructive))
}

pub(super) fn look(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let _ = input;
    match argv.program {
        "gpg" | "gpg2" => gpg(argv, found),
        "security" => {
            table(&SECURITY, argv, found);
            // It finds an entry by its names, and prints the password only when it is told to.
            let shows = Line::read(argv.words, SECURITY.valued).has("-g -w");
            for effect in found.iter_mut().filter(|effect| effect.operation == "find") {
                effect.operation = if shows { "read" } else { "list" }.into();
            }
        }
        "age" => {
            let line = Line::read(argv.words, "-o --output -r --recipient -R --recipients-file -i --identity");
            let (operation, severity) = if line.has("-d --decrypt") { ("read", Read) } else { ("write", Write) };
            found.push(Effect::new(Kind::Secret, operation, line.target(0), severity));
        }
        "sops" => {
            let line = Line::read(
                argv.words,
                "-k --kms -p --pgp -a --age --config --output --input-type --output-type --extract --set --encrypted-regex --hc-vault-transit --gcp-kms --azure-kv",
            );
            let reads =
                line.has("-d --decrypt") || matches!(line.operand(0), Some("decrypt" | "exec-env" | "exec-file"));
            let (operation, severity) = if reads { ("read", Read) } else { ("write", Write) };
            if !line.operands.is_empty() {
                found.push(Effect::new(Kind::Secret, operation, line.target(0), severity));
            }
        }
        "pass" | "gopass" => pass(argv, found),
        program => {
            if let Some((_, tool)) = TOOLS.iter().find(|(names, _)| listed(names, program)) {
                table(tool, argv, found);
            }
        }
    }
}

fn table(tool: &Tool, argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, tool.valued);
    if let Some(verb) = tool.verb(&line) {
        // Only the first operand names the secret; those behind it may be its value.
        let target = line.operand(verb.length).unwrap_or_default();
        found.push(Effect::new(Kind::Secret, verb.operation, shown(target), verb.severity));
    }
}

fn gpg(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-o --output -r --recipient -u --local-user --homedir --keyserver --passphrase --passphrase-file --passphrase-fd --pinentry-mode --cipher-algo --default-key --status-fd --trust-model",
    );
    let target = line.target(0);
    let (operation, severity) = match () {
        () if line.has("--export-secret-keys --export-secret-subkeys --export-secret-key") => ("read", Read),
        () if line.has("--delete-secret-keys --delete-secret-and-public-key --delete-secret-key") => {
            ("delete", Destructive)
        }
        () if line.has("--delete-keys --delete-key") => ("delete", Write),
        () if line.has("-d --decrypt") => ("read", Read),
        () if line.has(
            "--gen-key --generate-key --full-generate-key --quick-generate-key --import --edit-key --quick-gen-key",
        ) =>
        {
            ("create", Write)
        }
        () => return,
    };
    found.push(Effect::new(Kind::Secret, operation, target, severity));
}

fn pass(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "-c? -q? --clip?");
    let Some(verb) = line.operand(0) else { return };
    let (operation, severity) = match verb {
        _ if is_unknown(verb) => ("unknown", Destructive),
        "ls" | "list" | "find" | "search" | "help" | "version" | "git" => ("list", Read),
        "show" | "grep" | "otp" => ("read", Read),
        "insert" | "add" | "edit" | "generate" | "cp" | "copy" | "mv" | "rename" | "init" | "set" => ("write", Write),
        "rm" | "remove" | "delete" => ("delete", Destructive),
        // `pass NAME` shows it.
        _ => ("read", Read),
    };
    found.push(Effect::new(Kind::Secret, operation, shown(line.operand(1).unwrap_or(verb)), severity));
}

const SECURITY: Tool = tool(
    "-a -s -l -c -D -j -k -p -t -T -U? -D",
    "find-generic-password=find find-internet-password=find get-identity-preference=list find-certificate=list find-identity=list dump-keychain=read export=read list-keychains=list default-keychain=list login-keychain=list show-keychain-info=list verify-cert=list dump-trust-settings=list error=list cms=list find-key=list smartcards=list",
    "add-generic-password=write add-internet-password=write add-certificates=write add-trusted-cert=write import=write create-keychain=create unlock-keychain=write lock-keychain=write set-keychain-settings=write set-key-partition-list=write authorizationdb=write set-keychain-password=write set-identity-preference=write",
    "delete-generic-password=delete delete-internet-password=delete delete-keychain=delete delete-certificate=delete delete-identity=delete remove-trusted-cert=delete",
);

const fn tool(valued: &'static str, read: &'static str, write: &'static str, destructive: &'static str) -> Tool {
    Tool { kind: Kind::Secret, valued, read, write, destructive, dry: "--dry-run" }
}

const TOOLS: &[(&str, Tool)] = &[
    (
        "op",
        tool(
            "--account --vault --fields --format --session --otp? --category --title --template --tags -o --out-file --env-file --cache? --config --encoding",
            "read inject=read item:get=read item:list=list document:get=read document:list=list vault:list=list vault:get=list account:list=list account:get=list user:list=list user:get=list group:list=list whoami=list events-api=list run=read connect=list group:get=list item:template=list",
            "signin=write signout=write item:create=create item:edit=write item:move=write item:share=send document:create=create document:edit=write vault:create=create vault:edit=write vault:user=write vault:group=write user:*=write group:*=write account:*=write service-account:create=create plugin=write update=write",
            "item:delete=delete document:delete=delete vault:delete=delete user:delete=delete group:delete=delete user:suspend=delete account:forget=delete",
        ),
    ),
    (
        "bw lpass",
        tool(
            "--session --organizationid --itemid --output --search --folderid --collectionid --color --sync --format",
            "list get=read export=read status=list sync=list show=read ls=list generate=list encode=list template=list receive=read serve=read",
            "login=write logout=write lock=write unlock=write create edit=write config=write import=write move=write confirm=write send add=create mv=write share=write duplicate=write passwd=write",
            "delete rm=delete restore=write rmdir=delete",
        ),
    ),
    ("secret-tool", tool("--label --collection", "lookup=read search=read", "store=write lock=write", "clear=delete")),
    (
        "keyctl",
        tool(
            "",
            "show=list list=list print=read read=read pipe=read describe=list search=list rdescribe=list rlist=list id=list",
            "add=write padd=write request=write update=write link=write newring=create setperm=write timeout=write session=write chown=write instantiate=write",
            "revoke=delete clear=delete unlink=delete purge=delete invalidate=delete reap=delete",
        ),
    ),
    (
        "chamber",
        tool(
            "-b --backend -v --version -f --format -r --retries",
            "read list export=read env=read history=list exec=read list-services=list find=list",
            "write import=write",
            "delete",
        ),
    ),
    (
        "doppler",
        tool(
            "-p --project -c --config -t --token --format --scope --name",
            "secrets=read secrets:get=read secrets:download=read secrets:substitute=read run=read projects=list configs=list environments=list me=list activity=list configure=list configs:tokens=list",
            "secrets:set=write secrets:upload=write login=write logout=write setup=write projects:create=create projects:update=write configs:create=create configs:tokens:create=create configs:clone=write configs:update=write environments:create=create configure:set=write",
            "secrets:delete=delete projects:delete=delete configs:delete=delete environments:delete=delete configs:tokens:revoke=delete",
        ),
    ),
    (
        "infisical",
        tool(
            "--env --path --projectId --token --format --domain",
            "secrets=read secrets:get=read export=read run=read user=list scan=list secrets:folders:get=list",
            "login=write init=write secrets:set=write secrets:folders:create=create service-token=create vault=write secrets:generate-example-env=list",
            "secrets:delete=delete secrets:folders:delete=delete reset=delete",
        ),
    ),
    (
        "credstash",
        tool(
            "-r --region -t --table -p --profile -v --version -f --format",
            "list get=read getall=read keys=list",
            "put=write putall=write setup=create",
            "delete",
        ),
    ),
    ("kwallet-query", tool("-f --folder -r -w -l?", "*=read", "", "")),
];
