//! The history of version control: git, Mercurial, Subversion, Jujutsu.
//!
//! What was committed can be found again while the log of references is kept; what was never
//! committed, or is taken from a remote, cannot.

use super::super::argv::Argv;
use super::line::{Line, is_unknown, listed, shown};
use super::verb::Tool;
use super::{Effect, Kind, Severity};
use Severity::{Destructive, Read, Write};

pub(super) const PROGRAMS: &str = "git hub hg svn svnadmin jj git-filter-repo git-filter-branch bfg git-lfs";

pub(super) fn look(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let _ = input;
    match argv.program {
        "git" | "hub" => git(argv, found),
        "hg" => by_table(&HG, argv, found),
        "svn" | "svnadmin" => by_table(&SVN, argv, found),
        "jj" => by_table(&JJ, argv, found),
        "git-lfs" => by_table(&LFS, argv, found),
        _ => found.push(effect("rewrite", argv.line(), Destructive)),
    }
}

fn effect(operation: &'static str, target: &str, severity: Severity) -> Effect {
    Effect::new(Kind::History, operation, shown(target), severity)
}

fn by_table(tool: &Tool, argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, tool.valued);
    if let Some(verb) = tool.verb(&line) {
        found.push(Effect::new(Kind::History, verb.operation, line.target(verb.length), verb.severity));
    }
}

const GLOBAL_VALUED: &str =
    "-C -c --git-dir --work-tree --namespace --super-prefix --config-env --exec-path? --attr-source";

const READING: &str = "status log diff show blame annotate grep shortlog describe rev-parse rev-list ls-files ls-tree ls-remote cat-file name-rev merge-base cherry count-objects fsck help version whatchanged var check-ignore check-attr check-mailmap check-ref-format for-each-ref for-each-repo show-ref show-branch diff-tree diff-index diff-files range-diff patch-id verify-commit verify-tag verify-pack bugreport diagnose get-tar-commit-id archive bundle format-patch request-pull instaweb gitk gui citool interpret-trailers stripspace column mailinfo mailsplit merge-tree hash-object difftool show-index unpack-file last-modified";
const WRITING: &str = "add commit merge cherry-pick revert am apply mv init clone fetch pull notes submodule mergetool stage config remote maintenance pack-refs repack bisect sparse-checkout mktag mktree write-tree commit-tree read-tree update-index symbolic-ref fast-export fast-import rerere replace unpack-objects index-pack multi-pack-index commit-graph pack-objects update-server-info send-email imap-send svn p4 cvsimport archimport quiltimport lfs subtree flow daemon fetch-pack send-pack upload-pack receive-pack http-backend http-fetch credential credential-cache credential-store checkout-index merge-file merge-index merge-one-file hook scalar refs annex crypt absorb history";

fn git(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    // The flags before the verb are git's own, those behind it the verb's.
    let mut at = 1;
    while let Some(text) = argv.words.get(at).map(|word| word.text.as_str()) {
        if !text.starts_with('-') {
            break;
        }
        if matches!(text, "--version" | "--help" | "-h" | "-v" | "--exec-path" | "--html-path" | "--man-path") {
            return;
        }
        let takes_next = !text.contains('=') && listed(GLOBAL_VALUED, text);
        at += 1 + usize::from(takes_next);
    }
    let words = argv.words.get(at..).unwrap_or_default();
    let Some(verb) = words.first().map(|word| word.text.as_str()) else { return };
    let line = Line::read(words, valued_of(verb));
    // The filters take values that are not known here, so that `--help` may be one.
    let asks_for_help = line.asks_for_help() && !verb.starts_with("filter-");
    if asks_for_help || line.says("--dry-run") && !matches!(verb, "reset" | "checkout") {
        found.push(effect("read", verb, Read));
        return;
    }
    let target = line.target(0);
    let (operation, severity) = match verb {
        "push" => return push(&line, found),
        // `--merge` and `--keep` spare some of what is not committed, not all.
        "reset" if line.has("--hard --merge --keep") => ("reset_hard", Destructive),
        "reset" => ("reset", Write),
        "clean" if line.says("-n --dry-run") => ("read", Read),
        // Without `-f` it refuses, but the configuration may waive that.
        "clean" => ("clean", Destructive),
        "checkout" => checkout(&line),
        "switch" if line.has("-f --force --discard-changes") => ("discard", Destructive),
        "switch" => ("switch", Write),
        "restore" if line.has("-S --staged") && !line.has("-W --worktree") => ("unstage", Write),
        "restore" => ("discard", Destructive),
        "rm" if line.has("--cached") => ("unstage", Write),
        "rm" if line.has("-f --force") => ("discard", Destructive),
        "rm" => ("remove", Write),
        "branch" => branch(&line),
        "tag" if line.has("-d --delete") => ("tag_delete", Destructive),
        "tag" if line.has("-f --force") => ("tag_force", Destructive),
        "tag"
            if line.operands.is_empty()
                || line.has("-l --list -n -v --verify --contains --points-at --merged --no-merged --sort --format") =>
        {
            ("read", Read)
        }
        "tag" => ("tag", Write),
        "stash" => match line.operand(0) {
            Some("drop") => ("stash_drop", Destructive),
            Some("clear") => ("stash_drop", Destructive),
            Some("list" | "show") => ("read", Read),
            None | Some("push" | "save" | "pop" | "apply" | "branch" | "create" | "store" | "export" | "import") => {
                ("stash", Write)
            }
            Some(_) => ("unknown", Destructive),
        },
        "reflog" => match line.operand(0) {
            Some("expire" | "delete" | "drop") if line.says("-n --dry-run") => ("read", Read),
            Some("expire" | "delete" | "drop") => ("expire", Destructive),
            Some("write") => ("write", Write),
            Some(word) if is_unknown(word) => ("unknown", Destructive),
            _ => ("read", Read),
        },
        "gc" if line.has("--prune") => ("expire", Destructive),
        "gc" => ("maintain", Write),
        "prune" | "prune-packed" if line.says("-n --dry-run") => ("read", Read),
        "prune" => ("expire", Destructive),
        "prune-packed" => ("maintain", Write),
        "filter-branch" | "filter-repo" => ("rewrite", Destructive),
        "rebase" if line.has("--abort --quit --show-current-patch") => ("abort", Write),
        "rebase" => ("rebase", Write),
        "commit" if line.has("--amend") => ("amend", Write),
        "update-ref" if line.has("-d --delete --stdin") => ("ref_delete", Destructive),
        "update-ref" => ("ref_update", Destructive),
        "worktree" => match line.operand(0) {
            Some("remove") if line.has("-f --force") => ("worktree_remove", Destructive),
            Some("list") => ("read", Read),
            Some("add" | "move" | "lock" | "unlock" | "repair" | "prune" | "remove") => ("worktree", Write),
            None => return,
            Some(_) => ("unknown", Destructive),
        },
        "remote" => match line.operand(0) {
            None | Some("show" | "get-url" | "-v") => ("read", Read),
            Some("remove" | "rm" | "prune" | "add" | "rename" | "set-url" | "set-head" | "set-branches" | "update") => {
                ("remote", Write)
            }
            Some(_) => ("unknown", Destructive),
        },
        "config" => {
            let reads = line
                .has("--get --get-all --get-regexp --get-urlmatch -l --list --get-color --get-colorbool --name-only")
                || matches!(line.operand(0), Some("list" | "get"))
                || line.operands.len() < 2
                    && !line.has("--unset --unset-all --remove-section --add --replace-all -e --edit");
            if reads { ("read", Read) } else { ("config", Write) }
        }
        "submodule" => match line.operand(0) {
            None | Some("status" | "summary") => ("read", Read),
            Some("deinit") if line.has("-f --force") => ("discard", Destructive),
            Some("update") if line.has("-f --force") => ("discard", Destructive),
            Some("foreach") => ("run", Destructive),
            Some(word) if is_unknown(word) => ("unknown", Destructive),
            Some(_) => ("submodule", Write),
        },
        "notes" if matches!(line.operand(0), None | Some("list" | "show")) => ("read", Read),
        "notes" if matches!(line.operand(0), Some("remove" | "prune")) => ("notes_delete", Destructive),
        "bisect" if line.operand(0) == Some("run") => ("run", Write),
        "bisect" if matches!(line.operand(0), Some("log" | "view" | "visualize")) => ("read", Read),
        "am" | "cherry-pick" | "merge" | "revert" if line.has("--abort --quit") => ("abort", Write),
        "fetch" if line.has("-f --force") || line.operands.iter().any(|spec| spec.starts_with('+')) => {
            ("fetch_force", Write)
        }
        "read-tree" if line.has("--reset -u") => ("discard", Destructive),
        "checkout-index" if line.has("-f --force") => ("discard", Destructive),
        "replace" if line.has("-d --delete") => ("ref_delete", Destructive),
        "lfs" => match line.operand(0) {
            Some("prune" | "migrate" | "dedup") => ("rewrite", Destructive),
            Some("ls-files" | "status" | "env" | "logs" | "locks" | "version") => ("read", Read),
            Some(word) if is_unknown(word) => ("unknown", Destructive),
            _ => ("lfs", Write),
        },
        verb if listed(READING, verb) => ("read", Read),
        verb if listed(WRITING, verb) => {
            found.push(Effect::new(Kind::History, verb.replace('-', "_"), target, Write));
            return;
        }
        // An alias or a command of somebody's own: only the configuration tells.
        _ => ("unknown", Destructive),
    };
    let target = if operation == "unknown" { format!("{verb} {target}").trim().to_owned() } else { target };
    found.push(Effect::new(Kind::History, operation, target, severity));
}

fn valued_of(verb: &str) -> &'static str {
    match verb {
        "push" => "-o --push-option --receive-pack --exec --repo --recurse-submodules? --force-with-lease?",
        "commit" => {
            "-m --message -F --file -C --reuse-message -c --reedit-message --author --date -t --template --cleanup --fixup --squash --trailer --pathspec-from-file -S?"
        }
        "tag" => "-m --message -F --file -u --local-user --sort --format --contains --points-at --cleanup -n?",
        "clean" => "-e --exclude",
        "checkout" | "switch" => {
            "-b -B -c -C --create --force-create --orphan --conflict --pathspec-from-file -U --unified --inter-hunk-context"
        }
        "restore" => "-s --source --conflict --pathspec-from-file",
        "branch" => "-u --set-upstream-to --sort --format --contains --no-contains --points-at --merged? --abbrev?",
        "rebase" => "-s --strategy -X --strategy-option -x --exec --onto -C --whitespace -S?",
        "merge" | "pull" | "cherry-pick" | "revert" => {
            "-m --message --mainline -s --strategy -X --strategy-option -F --file -S? --into-name --upload-pack --depth --cleanup"
        }
        "fetch" | "clone" => {
            "-o --origin -b --branch -u --upload-pack -c --config --depth --shallow-since --shallow-exclude --refmap -j --jobs --filter --reference --separate-git-dir --template --server-option --negotiation-tip --deepen --bundle-uri"
        }
        "config" => "-f --file --blob --type --default --value --comment",
        "reflog" => "--expire --expire-unreachable",
        "stash" => "-m --message --pathspec-from-file",
        "reset" => "--pathspec-from-file",
        "worktree" => "-b -B --reason --expire",
        "update-ref" => "-m",
        _ => "",
    }
}

fn push(line: &Line<'_>, found: &mut Vec<Effect>) {
    let target = line.target(0);
    let specs = line.rest(1);
    if line.says("-n --dry-run") {
        found.push(effect("push", &target, Read));
    } else if line.has("--mirror --prune -d --delete")
        || specs.iter().any(|spec| spec.trim_start_matches('+').starts_with(':') && spec.len() > 1)
    {
        found.push(effect("push_delete", &target, Destructive));
    } else if line.has("-f --force --force-with-lease --force-if-includes")
        || specs.iter().any(|spec| spec.starts_with('+'))
    {
        found.push(effect("force_push", &target, Destructive));
    } else {
        // A reference that is not known yet may begin with `+` or `:`; far most often it is a branch.
        found.push(effect("push", &target, Write));
    }
}

fn checkout(line: &Line<'_>) -> (&'static str, Severity) {
    // `-B` moves a branch that exists; where it stood is in the log of references.
    let creates = line.has("-b -B --orphan --detach -t --track");
    let has_paths =
        !line.behind_dashes().is_empty() || line.operand(0) == Some(".") || line.rest(1).iter().any(|_| !creates);
    match () {
        () if line.has("-f --force") => ("discard", Destructive),
        () if line.has("-p --patch") => ("discard", Destructive),
        () if creates => ("switch", Write),
        () if has_paths || line.has("--ours --theirs --pathspec-from-file") => ("discard", Destructive),
        () => ("switch", Write),
    }
}

fn branch(line: &Line<'_>) -> (&'static str, Severity) {
    let forced = line.has("-f --force");
    match () {
        () if line.has("-D") || (line.has("-d --delete") && forced) => ("branch_delete", Destructive),
        // It refuses what is not merged.
        () if line.has("-d --delete") => ("branch_delete", Write),
        () if line.has("-M -C") || forced => ("branch_force", Destructive),
        () if line.has("-m --move -c --copy -u --set-upstream-to --unset-upstream --edit-description") => ("branch", Write),
        () if line.operands.is_empty() || line.has("-l --list -a --all -r --remotes --show-current --contains --no-contains --merged --no-merged --points-at -v --format --sort") => {
            ("read", Read)
        }
        () => ("branch", Write),
    }
}

const fn tool(valued: &'static str, read: &'static str, write: &'static str, destructive: &'static str) -> Tool {
    Tool { kind: Kind::History, valued, read, write, destructive, dry: "-n --dry-run" }
}

const HG: Tool = tool(
    "-R --repository --cwd --config -m --message -u --user -d --date -r --rev -b -I --include -X --exclude -s --source --dest -T --template -l --limit -B --bookmark -e --ssh --remotecmd -k --keyword",
    "status=read st=read log=read history=read diff=read annotate=read blame=read cat=read identify=read id=read summary=read sum=read heads=read tip=read parents=read paths=read incoming=read in=read outgoing=read out=read branches=read tags=read bookmarks=read files=read manifest=read locate=read grep=read verify=read root=read showconfig=read config=read version=read help=read export=read bundle=read archive=read debugancestor=read serve=read glog=read",
    "add=add commit=commit ci=commit pull=pull clone=clone init=init update=switch up=switch checkout=switch merge=merge push=push branch=branch tag=tag bookmark=branch rename=move mv=move copy=copy cp=copy addremove=add import=apply unbundle=apply graft=cherry_pick backout=revert resolve=merge rebase=rebase amend=amend histedit=rewrite shelve=stash unshelve=stash phase=phase remove=remove rm=remove forget=unstage absorb=amend evolve=rewrite recover=maintain bisect=switch",
    "strip=rewrite rollback=rewrite purge=clean clean=clean revert=discard convert=rewrite prune=rewrite uncommit=amend obsolete=rewrite debugstrip=rewrite fold=rewrite split=rewrite",
);

const SVN: Tool = tool(
    "-m --message -F --file -r --revision -c --change --username --password --config-dir --config-option --depth --set-depth --targets --changelist --cl -l --limit --encoding --with-revprop --accept -x --extensions",
    "status=read st=read stat=read log=read diff=read di=read info=read list=read ls=read cat=read blame=read annotate=read praise=read ann=read proplist=read pl=read propget=read pg=read mergeinfo=read help=read export=read verify=read dump=read lstxns=read lslocks=read lsrevprops=read freeze=read",
    "add=add checkout=clone co=clone update=switch up=switch switch=switch sw=switch commit=commit ci=commit copy=copy cp=copy move=move mv=move rename=move mkdir=add merge=merge propset=config ps=config propedit=config pe=config propdel=config pd=config resolve=merge resolved=merge lock=lock unlock=lock relocate=remote import=commit patch=apply changelist=config cl=config upgrade=maintain cleanup=maintain create=init hotcopy=copy pack=maintain recover=maintain upgrade=maintain shelve=stash unshelve=stash",
    "delete=remove del=remove remove=remove rm=remove revert=discard load=rewrite setrevprop=rewrite setlog=rewrite rmtxns=expire rmlocks=expire delrevprop=rewrite setuuid=rewrite",
);

const JJ: Tool = tool(
    "-R --repository --at-operation --at-op --config --config-file --color -r --revision --revisions -m --message -b --bookmark -d --destination -s --source --remote --from --to --into -o --onto -A --insert-after -B --insert-before -T --template -n --limit --change -c -t",
    "status=read st=read log=read diff=read show=read evolog=read obslog=read interdiff=read bookmark:list=read b:list=read branch:list=read op:log=read op:show=read op:diff=read operation:log=read file:list=read file:show=read file:annotate=read file:search=read git:remote:list=read config:list=read config:get=read config:path=read help=read version=read root=read workspace:list=read workspace:root=read tag:list=read util=read sparse:list=read resolve=merge bisect=read",
    "new=commit describe=amend desc=amend commit=commit ci=commit edit=switch squash=amend split=rewrite rebase=rebase next=switch prev=switch duplicate=copy bookmark:create=branch bookmark:set=branch bookmark:move=branch bookmark:rename=branch bookmark:track=branch bookmark:untrack=branch b:create=branch b:set=branch b:move=branch git:fetch=fetch git:push=push git:clone=clone git:init=init git:import=fetch git:export=write git:remote=remote undo=undo redo=undo op:undo=undo op:restore=undo op:revert=undo operation:undo=undo operation:restore=undo file:track=add file:untrack=unstage file:chmod=amend workspace:add=worktree workspace:update-stale=worktree workspace:forget=worktree workspace:rename=worktree config:set=config config:unset=config config:edit=config sign=amend unsign=amend fix=amend diffedit=amend sparse=config parallelize=rebase simplify-parents=rebase revert=revert backout=revert absorb=amend metaedit=amend tag:set=tag bookmark:advance=branch git:colocation=config gerrit=push",
    "abandon=discard restore=discard bookmark:delete=branch_delete bookmark:forget=branch_delete b:delete=branch_delete op:abandon=expire operation:abandon=expire util:gc=expire tag:delete=tag_delete",
);

const LFS: Tool = tool(
    "-I --include -X --exclude",
    "ls-files=read status=read env=read logs=read locks=read version=read fsck=read ext=read pointer=read",
    "install=config uninstall=config update=config track=config untrack=config fetch=fetch pull=fetch push=push lock=lock unlock=lock checkout=switch clone=clone",
    "prune=expire migrate=rewrite dedup=maintain",
);
