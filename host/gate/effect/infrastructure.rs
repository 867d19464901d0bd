//! Infrastructure as code, machines and containers: Terraform and its kin, Ansible, Docker and
//! Podman, Nomad, Consul, Vault, and what starts and stops services.

use super::super::argv::Argv;
use super::line::{Line, is_unknown, listed, shown};
use super::verb::{Tool, Verb};
use super::{Effect, Kind, Severity};
use Severity::{Destructive, Read, Write};

pub(super) const PROGRAMS: &str = "terraform tofu terragrunt pulumi cdk cdktf serverless sls sam ansible ansible-playbook ansible-pull ansible-vault ansible-galaxy ansible-inventory ansible-doc ansible-config ansible-lint packer vagrant docker podman nerdctl docker-compose podman-compose systemctl service launchctl rc-service rc-update update-rc.d chkconfig invoke-rc.d sv supervisorctl pm2 monit initctl start stop restart nomad consul vault bao boundary waypoint salt salt-call puppet chef-client knife virsh multipass lxc incus qm pct crictl ctr buildah skopeo crane";

pub(super) fn look(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let _ = input;
    match argv.program {
        "terraform" | "tofu" | "terragrunt" => terraform(argv, found),
        "docker" | "podman" | "nerdctl" => docker(argv, found),
        "docker-compose" | "podman-compose" => compose(argv, 0, found),
        "pulumi" => pulumi(argv, found),
        "cdk" => cdk(argv, found),
        "ansible" => ansible(argv, found),
        "ansible-playbook" | "ansible-pull" => playbook(argv, found),
        "systemctl" => systemctl(argv, found),
        "service" | "rc-service" | "invoke-rc.d" => service(argv, 1, 0, found),
        "start" | "stop" | "restart" => {
            let line = Line::read(argv.words, "");
            if !line.operands.is_empty() {
                push_service(argv.program, &line.target(0), found);
            }
        }
        "sv" | "initctl" => service(argv, 0, 1, found),
        "launchctl" => by_table(&LAUNCHCTL, argv, found),
        "vault" | "bao" => vault(argv, found),
        "salt" | "salt-call" => salt(argv, found),
        "puppet" | "chef-client" => run_by_agent(argv, found),
        program => {
            if let Some((_, tool)) = TOOLS.iter().find(|(names, _)| listed(names, program)) {
                by_table(tool, argv, found);
            }
        }
    }
}

fn effect(operation: &'static str, target: &str, severity: Severity) -> Effect {
    Effect::new(Kind::Infrastructure, operation, shown(target), severity)
}

fn by_table(tool: &Tool, argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, tool.valued);
    let before = found.len();
    tool.look(&line, found);
    // `fmt -check` only tells.
    for effect in found.iter_mut().skip(before).filter(|effect| effect.operation == "fmt" && line.says("-check")) {
        effect.severity = Read;
    }
}

const fn tool(valued: &'static str, read: &'static str, write: &'static str, destructive: &'static str) -> Tool {
    Tool { kind: Kind::Infrastructure, valued, read, write, destructive, dry: "" }
}

const TERRAFORM: Tool = tool(
    "! -chdir --working-dir --terragrunt-working-dir --terragrunt-config --queue-include-dir --queue-exclude-dir --terragrunt-source --terragrunt-parallelism --parallelism --config --log-level --feature",
    "plan show validate output graph providers version state:list=show state:show=show state:pull=show workspace:list=show workspace:show=show modules=show metadata=show render-json=show hclvalidate=validate validate-inputs=validate graph-dependencies=graph output-module-groups=show find=show list=show dag=graph render=show terragrunt-info=show info=show env:list=show query=show",
    "apply import refresh untaint taint workspace:new=workspace_new workspace:select=workspace_select env:new=workspace_new env:select=workspace_select login=set logout=set scaffold=init catalog=init aws-provider-patch=init backend:bootstrap=init fmt console=exec get=init init test=run hclfmt=fmt hcl=fmt",
    "destroy state:rm state:mv state:push state:replace-provider force-unlock workspace:delete=workspace_delete env:delete=workspace_delete backend:delete=destroy backend:migrate=state_push stacks=unknown",
);

fn terraform(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    // Flags of one dash take their value behind `=`, but for the few that Go's parser lets stand apart.
    let valued = format!(
        "{} -target --target -var --var -var-file --var-file -replace --replace -out --out -state --state -lock-timeout -parallelism -backend-config --backend-config -generate-config-out -plugin-dir -from-module -state-out -backup",
        TERRAFORM.valued
    );
    let mut line = Line::read(argv.words, &valued);
    // `terragrunt run-all destroy`, `terragrunt run --all -- destroy`, `terragrunt stack run apply`.
    if argv.program == "terragrunt" {
        let skipped = match (line.operand(0), line.operand(1)) {
            (Some("stack"), Some("run")) => 2,
            (Some("run-all" | "run" | "exec"), _) => 1,
            (Some("plan-all"), _) => return found.push(effect("plan", "", Read)),
            (Some("apply-all"), _) => return found.push(effect("apply_auto", "", Destructive)),
            (Some("destroy-all"), _) => return found.push(effect("destroy", "", Destructive)),
            (Some("stack"), Some("generate" | "output" | "clean")) => return found.push(effect("init", "", Write)),
            _ => 0,
        };
        line.operands.drain(..skipped);
    }
    if line.says("-help -version") {
        return;
    }
    let Some(mut verb) = TERRAFORM.verb(&line) else { return };
    let targets: Vec<&str> = line.values("-target -replace").collect();
    let mut target = if targets.is_empty() { line.target(verb.length) } else { targets.join(" ") };
    if target.is_empty() {
        target = line.value("-chdir --terragrunt-working-dir --working-dir").unwrap_or_default().to_owned();
    }
    match verb.operation.as_ref() {
        "apply" if line.has("-destroy") => {
            verb = Verb { operation: "destroy".into(), severity: Destructive, length: 1 }
        }
        // Nobody looks at the plan; what it destroys is destroyed. A saved plan was looked at before.
        "apply" if line.has("-auto-approve --terragrunt-non-interactive --non-interactive") => {
            verb = Verb { operation: "apply_auto".into(), severity: Destructive, length: 1 };
        }
        "state_mv" if line.says("-dry-run") => verb.severity = Read,
        "state_rm" if line.says("-dry-run") => verb.severity = Read,
        "fmt" if line.says("-check --check --terragrunt-check") => verb.severity = Read,
        _ => {}
    }
    // Without a format, what is marked as sensitive is left out.
    if (verb.operation == "output" && line.has("-json -raw")) || verb.operation == "state_pull" {
        found.push(Effect::new(Kind::Secret, "read", target.clone(), Read));
    }
    found.push(Effect::new(Kind::Infrastructure, verb.operation, shown(&target), verb.severity));
}

const PULUMI: Tool = tool(
    "-s --stack -C --cwd -c --config --config-file -m --message -t --target --target-dependents? -r --replace -p --parallel --color --tracing --profiling --secrets-provider --file --to --plugin --policy-pack --save-plan --plan --exec-kind -n --name",
    "preview=plan pre=plan stack:ls=show stack:output=show stack:graph=show stack:history=show stack:select=workspace_select stack=show config:get=show config=show logs=show whoami=show version about=show plugin:ls=show history=show schema=show convert=show gen-completion=show org=show env:get=show env:ls=show stack:tag:ls=show stack:tag:get=show policy:ls=show deployment:settings=show package=show",
    "up=apply update=apply refresh import new=init stack:init=workspace_new stack:rename=set stack:tag=set stack:change-secrets-provider=set config:set=set config:set-all=set config:rm=set config:refresh=set config:cp=set login=set logout=set plugin:install=init install=init env:set=set env:edit=set env:init=set policy:enable=set policy:disable=set policy:publish=set cancel=force_unlock stack:export=show stack:unselect=workspace_select state:upgrade=set state:move=state_mv state:rename=state_mv state:unprotect=set state:protect=set deployment=apply state:edit=state_push watch=apply",
    "destroy down=destroy stack:rm=workspace_delete stack:import=state_push state:delete=state_rm state:taint=taint state:repair=state_push plugin:rm=delete env:rm=delete policy:rm=delete",
);

fn pulumi(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, PULUMI.valued);
    let Some(mut verb) = PULUMI.verb(&line) else { return };
    if matches!(verb.operation.as_ref(), "destroy" | "apply" | "refresh") && line.says("--preview-only") {
        verb.severity = Read;
    } else if verb.operation == "apply" && line.has("-y --yes -f --skip-preview") {
        verb = Verb { operation: "apply_auto".into(), severity: Destructive, length: verb.length };
    }
    let target = line.value("-s --stack").map_or_else(|| line.target(verb.length), str::to_owned);
    if line.says("--show-secrets --plaintext") {
        found.push(Effect::new(Kind::Secret, "read", target.clone(), Read));
    }
    found.push(Effect::new(Kind::Infrastructure, verb.operation, target, verb.severity));
}

fn cdk(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    const CDK: Tool = tool(
        "-a --app -c --context -p --plugin --profile -o --output --role-arn -r --toolkit-stack-name --require-approval --parameters --outputs-file -t --tags --method --change-set-name --concurrency --trace? --ca-bundle-path --proxy --build-exclude",
        "list=show ls=show synth=plan synthesize=plan diff=plan metadata=show notices=show doctor=show context=show docs=show doc=show drift=plan version",
        "deploy=apply bootstrap=apply watch=apply migrate=import rollback refactor=apply acknowledge=set ack=set init=init import=import",
        "destroy gc=delete",
    );
    let line = Line::read(argv.words, CDK.valued);
    let Some(mut verb) = CDK.verb(&line) else { return };
    if line.operand(0) == Some("context") && line.has("--clear --reset -e") {
        verb.severity = Write;
    }
    if verb.operation == "apply" && line.value("--require-approval") == Some("never") {
        verb = Verb { operation: "apply_auto".into(), severity: Destructive, length: 1 };
    }
    found.push(Effect::new(Kind::Infrastructure, verb.operation, line.target(verb.length), verb.severity));
}

const ANSIBLE_VALUED: &str = "-i --inventory --inventory-file -l --limit -e --extra-vars -u --user -t --tags --skip-tags -f --forks -c --connection -T --timeout --private-key --key-file --become-user --become-method -M --module-path --vault-id --vault-password-file --vault-pass-file --start-at-task --ssh-common-args --ssh-extra-args --scp-extra-args --sftp-extra-args -a --args -m --module-name -B --background -P --poll --task-timeout --playbook-dir -U --url -C? -d --directory -o? --become-password-file --connection-password-file";

fn playbook(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    // For ansible-playbook `-C` is `--check`; for ansible-pull it is the branch.
    let valued = if argv.program == "ansible-pull" {
        ANSIBLE_VALUED.replace("-C?", "-C --checkout")
    } else {
        ANSIBLE_VALUED.replace(" -C? -d --directory -o?", "")
    };
    let line = Line::read(argv.words, &valued);
    if line.asks_for_help() || line.says("--version") {
        return;
    }
    let checks = line.says("--list-hosts --list-tasks --list-tags --syntax-check --check")
        || (argv.program != "ansible-pull" && line.says("-C"));
    let target = line
        .value("-l --limit -i --inventory")
        .map_or_else(|| line.target(0), |hosts| format!("{} on {hosts}", line.target(0)));
    found.push(effect(if checks { "plan" } else { "run" }, &target, if checks { Read } else { Write }));
}

fn ansible(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    const READING: &str = "ping setup debug stat gather_facts service_facts package_facts find slurp assert wait_for wait_for_connection set_fact include_vars getent ansible.builtin.ping ansible.builtin.setup ansible.builtin.debug ansible.builtin.stat win_ping";
    const OPEN: &str = "shell command raw script ansible.builtin.shell ansible.builtin.command ansible.builtin.raw ansible.builtin.script win_shell win_command expect";
    let line = Line::read(argv.words, &ANSIBLE_VALUED.replace(" -C? -d --directory -o?", ""));
    if line.operands.is_empty() || line.asks_for_help() {
        return;
    }
    let module = line.value("-m --module-name").unwrap_or("command");
    let target = format!("{} on {}", line.value("-a --args").unwrap_or(module), line.target(0));
    let arguments = line.value("-a --args").unwrap_or_default();
    let (operation, severity) = match () {
        () if line.says("--list-hosts -C --check --syntax-check") => ("plan", Read),
        () if listed(READING, module) => ("show", Read),
        () if listed(OPEN, module) => ("run", Destructive),
        () if is_unknown(module) => ("unknown", Destructive),
        () if arguments.contains("state=absent") || arguments.contains("state=stopped") => ("delete", Destructive),
        () => ("apply", Write),
    };
    found.push(effect(operation, &target, severity));
}

const DOCKER: Tool = tool(
    "-H --host -c --context --config -l --log-level --tlscacert --tlscert --tlskey --url --identity --connection --root --runroot --namespace --address -a --storage-driver --log-driver --cgroup-manager --events-backend --module",
    "ps images logs inspect top stats port diff events history info version search save container:ls=ps container:list=ps container:ps=ps container:inspect=inspect container:logs=logs container:top=top container:stats=stats container:port=port container:diff=diff container:exists=inspect image:ls=images image:list=images image:inspect=inspect image:history=history image:tree=images image:exists=inspect image:search=search volume:ls=show volume:list=show volume:inspect=show volume:exists=show network:ls=show network:list=show network:inspect=show network:exists=show system:df=show system:info=show system:events=show context:ls=show context:inspect=show context:show=show node:ls=show node:ps=show node:inspect=show service:ls=show service:ps=show service:inspect=show service:logs=logs stack:ls=show stack:ps=show stack:services=show stack:config=show secret:ls=show secret:inspect=show config:ls=show config:inspect=show plugin:ls=show plugin:inspect=show manifest:inspect=show buildx:ls=show buildx:inspect=show buildx:du=show buildx:version=show buildx:imagetools:inspect=show buildx:history=show builder:ls=show trust:inspect=show swarm:ca=show swarm:unlock-key=show pod:ps=show pod:ls=show pod:list=show pod:inspect=show pod:logs=logs pod:stats=show pod:top=show pod:exists=show machine:ls=show machine:list=show machine:info=show machine:inspect=show generate=show healthcheck=show scout=show sbom=show model:ls=show mcp=show checkpoint:ls=show namespace:ls=show apparmor=show",
    "run create start restart pause unpause rename update build commit tag pull push cp=copy exec attach=exec import load export wait container:wait=wait login=config logout=config container:run=run container:create=create container:start=start container:restart=restart container:pause=pause container:unpause=unpause container:rename=rename container:update=update container:exec=exec container:attach=exec container:cp=copy container:commit=commit container:export=export container:init=create container:clone=create container:restore=start container:checkpoint=save container:mount=copy container:unmount=copy image:build=build image:pull=pull image:push=push image:tag=tag image:load=load image:save=save image:import=import image:scp=push image:untag=tag image:convert=build image:encrypt=build image:decrypt=build volume:create=create volume:update=update volume:import=import volume:export=export network:create=create network:connect=update network:disconnect=update network:reload=update context:create=config context:use=config context:update=config context:import=config context:export=config context:rm=config node:update=update node:promote=update node:demote=update service:create=create service:update=update service:scale=update service:rollback=update stack:deploy=apply stack:up=apply secret:create=create config:create=create plugin:install=create plugin:enable=update plugin:disable=update plugin:set=update plugin:upgrade=update plugin:create=create plugin:push=push manifest:create=create manifest:push=push manifest:annotate=update manifest:add=update buildx:build=build buildx:b=build buildx:bake=build buildx:create=create buildx:use=config buildx:install=config buildx:imagetools=push buildx:stop=update builder:build=build trust=update swarm:init=create swarm:join=create swarm:join-token=grant swarm:update=update swarm:unlock=update pod:create=create pod:start=start pod:restart=restart pod:pause=pause pod:unpause=unpause pod:clone=create play=apply kube=apply unshare=exec machine:init=create machine:start=start machine:set=update machine:ssh=exec machine:cp=copy auto-update=update mount=copy umount=copy quadlet=apply farm=build init=config debug=exec model=run desktop=config extension=config completion=show artifact=push compose=compose checkpoint:create=save system:connection=config system:service=start system:migrate=update system:renumber=update system:dial-stdio=exec",
    "rm=delete rmi=delete kill=kill stop=stop container:rm=delete container:remove=delete container:kill=kill container:stop=stop container:prune=prune container:cleanup=prune image:rm=delete image:remove=delete image:prune=prune volume:rm=delete_volume volume:remove=delete_volume volume:prune=prune network:rm=delete network:remove=delete network:prune=prune system:prune=prune system:reset=delete_all builder:prune=prune buildx:prune=prune buildx:rm=delete node:rm=delete service:rm=delete stack:rm=delete stack:down=delete secret:rm=delete config:rm=delete plugin:rm=delete manifest:rm=delete swarm:leave=delete pod:rm=delete pod:kill=kill pod:stop=stop pod:prune=prune machine:rm=delete machine:stop=stop machine:reset=delete_all kube:down=delete model:rm=delete checkpoint:rm=delete volume:reload=update namespace:remove=delete",
);

fn docker(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    if let Some(at) = argv.words.iter().position(|word| word.text == "compose")
        && Line::read(argv.words.get(..=at).unwrap_or_default(), DOCKER.valued).operands == ["compose"]
    {
        compose(argv, at, found);
        return;
    }
    let global = Line::read(argv.words, DOCKER.valued);
    // Behind the verb, the verb's own flags hold.
    let verb_valued = "-f --filter --format -n --last --since --until --tail -t --tag --time -s --signal --file --build-arg --target --platform --label -o --output --name -v --volume -p --publish -e --env --env-file -u --user -w --workdir --network --mount --entrypoint -m --memory --cpus --restart -h --hostname --add-host --dns --cap-add --cap-drop --device --security-opt --ulimit --ip --gpus --pid --ipc --userns --runtime --shm-size --link --log-opt --health-cmd --cidfile --volumes-from --tmpfs --detach-keys --driver -d? --opt --replicas --image --availability --role --subnet --gateway -c --compose-file --cgroup-parent --cpu-shares --pull --secret --ssh --cache-from --cache-to --builder --progress --iidfile --password -username";
    let line = Line::read(argv.words, &format!("{} {verb_valued}", DOCKER.valued));
    let operands = if DOCKER.verb(&global).is_some_and(|verb| verb.operation == "unknown") { &line } else { &global };
    let Some(mut verb) = DOCKER.verb(operands) else { return };
    let target = match global.value("-H --host -c --context") {
        Some(host) if global.operands.first() == line.operands.first() => {
            format!("{host} {}", line.target(verb.length))
        }
        _ => line.target(verb.length),
    };
    if verb.operation == "compose" {
        verb = Verb::unknown();
    }
    if matches!(verb.operation.as_ref(), "delete" | "stop" | "kill") {
        // A stopped container starts again; a removed image is pulled again.
        let is_image = matches!(line.operand(0), Some("rmi" | "image"));
        let is_forced = line.has("-f --force -v --volumes -a --all");
        if matches!(verb.operation.as_ref(), "stop" | "kill") || (is_image && !is_forced) {
            verb.severity = Write;
        }
    }
    if verb.operation == "prune" && line.has("-a --all --volumes") {
        verb.operation = "prune_all".into();
    }
    if matches!(verb.operation.as_ref(), "run" | "create" | "exec") && gives_host(argv) {
        verb.operation = "run_privileged".into();
        verb.severity = Destructive;
    }
    found.push(Effect::new(Kind::Infrastructure, verb.operation, shown(&target), verb.severity));
}

/// Whether a container gets the host itself: its devices, its root folder, its engine, its processes.
fn gives_host(argv: &Argv<'_>) -> bool {
    let texts: Vec<&str> = argv.words.iter().skip(1).map(|word| word.text.as_str()).collect();
    texts.iter().enumerate().any(|(at, text)| {
        let value =
            text.split_once('=').map_or_else(|| texts.get(at + 1).copied().unwrap_or_default(), |(_, value)| value);
        let name = text.split('=').next().unwrap_or(text);
        match name {
            "--privileged" => !text.ends_with("=false"),
            "--pid" | "--ipc" | "--userns" | "--uts" => value == "host",
            "--cap-add" => matches!(
                value.to_ascii_uppercase().trim_start_matches("CAP_"),
                "ALL" | "SYS_ADMIN" | "SYS_PTRACE" | "SYS_MODULE" | "SYS_RAWIO" | "DAC_READ_SEARCH"
            ),
            "--security-opt" => value.contains("unconfined"),
            "-v" | "--volume" => is_host_path(value.split(':').next().unwrap_or_default()),
            "--mount" => value.split(',').any(|part| {
                part.split_once('=').is_some_and(|(key, path)| matches!(key, "source" | "src") && is_host_path(path))
            }),
            name if name.starts_with("-v") && name.len() > 2 && !name.starts_with("--") => {
                is_host_path(name.trim_start_matches("-v").split(':').next().unwrap_or_default())
            }
            _ => false,
        }
    })
}

fn is_host_path(path: &str) -> bool {
    const PATHS: &[&str] = &[
        "/",
        "/etc",
        "/root",
        "/proc",
        "/sys",
        "/dev",
        "/boot",
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/var/lib/docker",
        "/var/run",
        "/run",
        "/usr",
        "/var",
        "/home",
    ];
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    PATHS.contains(&path)
}

const COMPOSE: Tool = tool(
    "-f --file -p --project-name --project-directory --profile --env-file --parallel --ansi --progress -H --host -c --context -t --timeout --tail --since --until -s --signal -e --env -u --user -w --workdir --scale --index --name --entrypoint -v --volume --publish --pull --build-arg --filter --format --exit-code-from --attach --label -l",
    "ps ls logs top config images=images version port events convert=config stats volumes=show alpha=unknown",
    "up=run start restart run exec wait build create pull push pause unpause cp=copy scale=update watch=run attach=exec commit publish=push bridge=build export=save",
    "down rm=delete kill stop",
);

fn compose(argv: &Argv<'_>, skipped: usize, found: &mut Vec<Effect>) {
    let words = argv.words.get(skipped..).unwrap_or_default();
    // Behind the verb letters change their sense: `logs -f` and `down -v` are switches.
    let is_verb = |at: &usize| Line::read(words.get(..=*at).unwrap_or_default(), COMPOSE.valued).operands.len() == 1;
    let Some(at) = (1..words.len()).find(is_verb) else { return };
    let global = Line::read(words.get(..at).unwrap_or_default(), COMPOSE.valued);
    let name = words.get(at).map_or("", |word| word.text.as_str());
    let mut valued = COMPOSE.valued.to_owned();
    if matches!(name, "logs" | "rm") {
        valued = valued.replace("-f --file ", "");
    }
    if name != "run" {
        valued = valued.replace(" -v --volume", "");
    }
    let line = Line::read(words.get(at - 1..).unwrap_or_default(), &valued);
    let Some(mut verb) = COMPOSE.verb(&line) else { return };
    if line.says("--dry-run") || global.says("--dry-run") {
        verb.severity = Read;
    } else {
        match verb.operation.as_ref() {
            // Volumes are where the data is; the rest comes again with `up`.
            "down" if line.has("-v --volumes") => verb.operation = "down_volumes".into(),
            "down" if line.has("--rmi") => {}
            "down" | "stop" | "kill" => verb.severity = Write,
            "run" if line.has("-V --renew-anon-volumes") => verb.severity = Destructive,
            _ => {}
        }
    }
    let target = global.value("-p --project-name").map_or_else(|| line.target(verb.length), str::to_owned);
    found.push(Effect::new(Kind::Infrastructure, verb.operation, target, verb.severity));
}

fn push_service(verb: &str, target: &str, found: &mut Vec<Effect>) {
    let (operation, severity): (&'static str, Severity) = match verb {
        "status" | "is-active" | "is-enabled" | "is-failed" | "list-units" | "list-unit-files" | "list-timers"
        | "list-sockets" | "list-jobs" | "list-dependencies" | "list-automounts" | "list-paths" | "list-machines"
        | "show" | "cat" | "help" | "get-default" | "show-environment" | "is-system-running" | "check" | "list"
        | "describe" | "log" | "whoami" => ("status", Read),
        "start" | "up" | "once" | "zap" => ("start", Write),
        "stop" | "down" | "exit" => ("stop", Write),
        "restart" | "try-restart" | "condrestart" | "reload-or-restart" | "try-reload-or-restart" | "force-restart" => {
            ("restart", Write)
        }
        "reload"
        | "force-reload"
        | "daemon-reload"
        | "daemon-reexec"
        | "hup"
        | "usr1"
        | "usr2"
        | "reload-configuration" => ("reload", Write),
        "enable" | "reenable" | "preset" | "preset-all" | "unmask" | "link" | "add-wants" | "add-requires" | "add" => {
            ("enable", Write)
        }
        "disable" | "remove" | "del" | "delete" => ("disable", Write),
        "mask" => ("mask", Write),
        "kill" | "force-stop" | "term" | "alarm" | "interrupt" | "force-shutdown" => ("kill", Write),
        "edit" | "set-property" | "set-environment" | "unset-environment" | "import-environment" | "set-default"
        | "revert" | "reset-failed" | "freeze" | "thaw" | "bind" | "mount-image" | "log-level" | "log-target"
        | "service-log-level" | "service-log-target" | "cancel" | "defaults" | "emit" | "pause" | "cont"
        | "soft-reboot" => ("edit", Write),
        "clean" => ("clean", Destructive),
        "isolate" | "default" | "rescue" | "emergency" => ("isolate", Destructive),
        _ => ("unknown", Destructive),
    };
    // These carry everything else on the machine.
    const VITAL: &str = "ssh sshd ssh.service sshd.service networking NetworkManager NetworkManager.service systemd-networkd systemd-networkd.service network firewalld firewalld.service ufw nftables iptables auditd auditd.service dbus dbus.service systemd-logind systemd-resolved systemd-resolved.service systemd-journald rsyslog fail2ban docker containerd kubelet";
    let is_vital = target.split_whitespace().any(|unit| listed(VITAL, unit));
    let severity =
        if is_vital && matches!(operation, "stop" | "disable" | "mask" | "kill") { Destructive } else { severity };
    found.push(Effect::new(Kind::Service, operation, shown(target), severity));
}

fn systemctl(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-t --type --state -p --property -P -H --host -M --machine -n --lines -o --output --root --image --job-mode -s --signal --kill-whom --kill-who --what --preset-mode --message --check-inhibitors --drop-in --when --timestamp --legend? --boot-loader-menu --boot-loader-entry --firmware-setup? --mkdir?",
    );
    if line.asks_for_help() || line.says("--version") {
        return;
    }
    let dry = line.says("--dry-run");
    match line.operand(0) {
        None => found.push(Effect::new(Kind::Service, "status", "", Read)),
        Some(
            verb @ ("reboot"
            | "poweroff"
            | "halt"
            | "kexec"
            | "soft-reboot"
            | "suspend"
            | "hibernate"
            | "hybrid-sleep"
            | "suspend-then-hibernate"
            | "switch-root"
            | "emergency"
            | "rescue"
            | "default"
            | "exit"),
        ) => {
            let severity = if dry { Read } else { Destructive };
            found.push(Effect::new(Kind::Host, "shutdown", verb, severity));
        }
        Some("isolate") => {
            found.push(Effect::new(Kind::Host, "shutdown", line.target(1), Destructive));
        }
        Some("start")
            if line.operands.iter().any(|unit| {
                matches!(
                    *unit,
                    "reboot.target"
                        | "poweroff.target"
                        | "halt.target"
                        | "shutdown.target"
                        | "kexec.target"
                        | "rescue.target"
                        | "emergency.target"
                        | "exit.target"
                        | "ctrl-alt-del.target"
                )
            }) =>
        {
            found.push(Effect::new(Kind::Host, "shutdown", line.target(1), Destructive));
        }
        Some(verb) => {
            let target = match line.value("-H --host -M --machine") {
                Some(host) => format!("{} on {host}", line.target(1)),
                None => line.target(1),
            };
            push_service(verb, &target, found);
            if dry && let Some(effect) = found.last_mut() {
                effect.severity = Read;
            }
        }
    }
}

/// `service NAME VERB` and `sv VERB NAME`.
fn service(argv: &Argv<'_>, verb_at: usize, name_at: usize, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "-w");
    if line.has("--status-all -e --list -l") || line.operands.is_empty() {
        found.push(Effect::new(Kind::Service, "status", "", Read));
        return;
    }
    match line.operand(verb_at) {
        Some(verb) => push_service(verb, line.operand(name_at).unwrap_or_default(), found),
        None => found.push(Effect::new(Kind::Service, "status", line.target(0), Read)),
    }
}

const LAUNCHCTL: Tool = Tool {
    kind: Kind::Service,
    valued: "-s -p -D -S -k?",
    read: "list=status print=status print-cache=status print-disabled=status plist=status procinfo=status hostinfo=status resolveport=status blame=status dumpstate=status error=status variant=status managerpid=status manageruid=status managername=status getenv=status limit=status version=status examine=status dumpjpcategory=status help=status",
    write: "load=start bootstrap=start start kickstart=restart enable disable setenv=edit unsetenv=edit stop submit=start asuser=start bsexec=start attach=edit debug=edit config=edit kill unload=stop remove=stop bootout=stop",
    destructive: "reboot=unknown bootshell=unknown runstats=unknown",
    dry: "",
};

const VAULT: Tool = Tool {
    kind: Kind::Secret,
    valued: "! -address -agent-address -ca-cert -ca-path -client-cert -client-key -header -mfa -namespace -ns -tls-server-name -wrap-ttl -field -format -mount -version -versions -path -description -method -cas -max-versions -ttl -policy -type -role -default-lease-ttl -key-shares -key-threshold -recovery-shares -recovery-threshold -n -t -config -output-policy? --namespace --address --mount",
    read: "read kv:get=read status=list list kv:list=list kv:metadata:get=list kv:metadata=list policy:list=list policy:read=list secrets:list=list auth:list=list audit:list=list token:lookup=list token:capabilities=list lease:lookup=list operator:members=list operator:raft:list-peers=list operator:key-status=list operator:diagnose=list operator:usage=list operator:raft:autopilot:get-config=list operator:raft:autopilot:state=list plugin:list=list plugin:info=list print=read namespace:list=list namespace:lookup=list path-help=list version=list version-history=list debug=list monitor=list unwrap=read ssh=read pki:health-check=list pki:list-intermediates=list transform=list events=list kv:help=list",
    write: "write kv:put=write kv:patch=write patch=write kv:undelete=write kv:rollback=write kv:metadata:put=write kv:metadata:patch=write kv:enable-versioning=write policy:write=grant policy:fmt=list secrets:enable=write secrets:tune=write secrets:move=write auth:enable=grant auth:tune=write auth:move=write audit:enable=write token:create=create token:renew=write lease:renew=write login=read operator:init=create operator:unseal=write operator:rotate=write operator:rekey=write operator:raft:join=write operator:raft:snapshot:save=read operator:generate-root=grant operator:raft:autopilot:set-config=write operator:step-down=write plugin:register=write plugin:reload=write plugin:runtime=write namespace:create=write namespace:patch=write namespace:unlock=write agent=write proxy=write server=write pki:issue=create pki:reissue=create pki:verify-sign=list transit=write operator:import=write operator:migrate=write",
    destructive: "delete kv:delete=delete kv:destroy=destroy kv:metadata:delete=destroy policy:delete=delete secrets:disable=destroy auth:disable=destroy audit:disable=delete token:revoke=delete lease:revoke=delete revoke=delete operator:seal=seal operator:raft:remove-peer=delete operator:raft:snapshot:restore=destroy plugin:deregister=delete namespace:delete=destroy namespace:lock=seal",
    dry: "",
};

fn vault(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    // Behind `write` the operands hold the secrets themselves: only the path is shown.
    let line = Line::read(argv.words, VAULT.valued);
    let Some(verb) = VAULT.verb(&line) else { return };
    let target = line.operand(verb.length).unwrap_or_default();
    found.push(Effect::new(Kind::Secret, verb.operation, shown(target), verb.severity));
}

fn salt(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-t --timeout -b --batch-size -c --config-dir -l --log-level --out --output --return -m --module-dirs",
    );
    let at = usize::from(argv.program == "salt");
    let Some(function) = line.operand(at) else { return };
    let test = line.operands.iter().any(|word| word.eq_ignore_ascii_case("test=true"));
    const READING: &str = "test.ping test.version grains.items grains.get grains.item grains.ls pillar.items pillar.get sys.doc sys.list_functions status.uptime status.all_status service.status service.get_all pkg.list_pkgs pkg.version network.interfaces disk.usage cmd.which state.show_sls state.show_top state.show_highstate saltutil.running file.read file.file_exists";
    let (operation, severity) = match function {
        _ if test => ("plan", Read),
        function if listed(READING, function) => ("show", Read),
        function
            if function.starts_with("state.")
                || function.starts_with("service.")
                || function.starts_with("pkg.install") =>
        {
            ("run", Write)
        }
        _ => ("run", Destructive),
    };
    found.push(effect(operation, &line.target(0), severity));
}

fn run_by_agent(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-c --config -e --execute -o --override-runlist -j --json-attributes -r --runlist -E --environment -l --log_level --server --environment --modulepath",
    );
    if line.asks_for_help() || (line.operands.is_empty() && line.says("--version -V -v")) {
        return;
    }
    let dry = line.says("--noop -W --why-run");
    match line.operand(0) {
        Some(
            "resource" | "facts" | "lookup" | "help" | "parser" | "describe" | "doc" | "epp" | "catalog" | "config",
        ) if line.operands.len() <= 3 && !line.operands.iter().any(|word| word.contains('=')) => {
            found.push(effect("show", &line.target(0), Read));
        }
        _ if dry => found.push(effect("plan", &line.target(0), Read)),
        _ => found.push(effect("run", &line.target(0), Write)),
    }
}

const TOOLS: &[(&str, Tool)] = &[
    (
        "cdktf",
        tool(
            "-a --app -o --output --var --var-file --parallelism --terraform-parallelism --language -l",
            "list=show synth=plan diff=plan plan output=show debug=show convert=show completion=show",
            "deploy=apply apply watch=apply login=set get=init init provider=init",
            "destroy",
        ),
    ),
    (
        "serverless sls",
        tool(
            "-s --stage -r --region -c --config --aws-profile --org --app --service --param -f --function -d --data -p --path --timestamp -t --template -n --name --stackName --startTime --filter",
            "info=show print=show logs=show metrics=show package=plan slstats=show doctor=show plugin:list=show deploy:list=show diagnostics=show support=show usage=show",
            "deploy=apply invoke=run dev=run login=set config=set create=init install=init plugin:install=init plugin:uninstall=init rollback prune=delete param=show reconcile=apply dashboard=show test=run offline=run",
            "remove=destroy",
        ),
    ),
    (
        "sam",
        tool(
            "-t --template --template-file --stack-name --s3-bucket --s3-prefix --region --profile --parameter-overrides --capabilities --config-file --config-env -n --name --event -e --env-vars --image-repository --role-arn --tags --runtime -r --location",
            "validate=show list=show logs=show traces=show package=plan docs=show",
            "deploy=apply sync=apply publish=apply remote=run build local=run init pipeline=init",
            "delete=destroy",
        ),
    ),
    (
        "ansible-galaxy",
        tool(
            "-p --roles-path -r --role-file -s --server --token -i? -c?",
            "*:list=show *:info=show *:search=show *:verify=show list=show info=show search=show",
            "*:install=install install *:init=init init *:build=build *:publish=push *:import=import *:download=install *:setup=set login=set collection:import=import",
            "*:remove=delete remove=delete *:delete=delete delete",
        ),
    ),
    ("ansible-config", tool("", "list=show dump=show view=show validate=show", "init", "")),
    ("ansible-inventory ansible-doc ansible-lint", tool("", "*=show", "", "")),
    (
        "ansible-vault",
        Tool {
            kind: Kind::Secret,
            valued: "--vault-id --vault-password-file --vault-pass-file --encrypt-vault-id --output --new-vault-id --new-vault-password-file -n --name --stdin-name",
            read: "view=read decrypt=read",
            write: "encrypt=write create edit=write rekey=write encrypt_string=write",
            destructive: "",
            dry: "",
        },
    ),
    (
        "packer",
        tool(
            "! -var -var-file -only -except -machine-readable? -parallel-builds -on-error",
            "validate=show inspect=show version fix=show hcl2_upgrade=show plugins:installed=show plugins:required=show",
            "build plugins=install fmt init console=exec",
            "",
        ),
    ),
    (
        "vagrant",
        tool(
            "--provider --provision-with -c --command --name --box-version --box --vagrantfile",
            "status=show global-status=show ssh-config=show port=show box:list=show box:outdated=show version snapshot:list=show plugin:list=show validate=show winrm-config=show cloud=show list-commands=show docker-logs=logs",
            "up=run reload=restart provision=run resume=start suspend=stop halt=stop box:add=pull box:update=pull box:repackage=build snapshot:save=save snapshot:push=save package=build init plugin=install ssh=exec winrm=exec powershell=exec rsync=copy rsync-auto=copy upload=copy share=proxy rdp=exec docker-exec=exec docker-run=run autocomplete=set serve=run login=set",
            "destroy box:remove=delete box:prune=prune snapshot:restore=restore snapshot:pop=restore snapshot:delete=delete",
        ),
    ),
    (
        "rc-update update-rc.d chkconfig",
        Tool {
            kind: Kind::Service,
            valued: "--level",
            read: "show=status --list=status",
            write: "add=enable *:on=enable *:defaults=enable *:enable=enable *:disable=disable *:off=disable *:remove=disable delete=disable del=disable *:reset=enable",
            destructive: "",
            dry: "",
        },
    ),
    (
        "supervisorctl",
        Tool {
            kind: Kind::Service,
            valued: "-c --configuration -s --serverurl -u --username -p --password",
            read: "status tail=status avail=status pid=status version=status maintail=status open=status help=status",
            write: "start stop restart reload reread=reload update=reload add=enable signal=kill fg=edit clear=edit",
            destructive: "shutdown=stop remove=disable",
            dry: "",
        },
    ),
    (
        "pm2",
        Tool {
            kind: Kind::Service,
            valued: "-n --name -i --instances --env --cron --max-memory-restart --log --lines --interpreter",
            read: "list=status ls=status l=status ps=status status show=status describe=status info=status logs=status monit=status prettylist=status jlist=status env=status pid=status report=status conf=status get=status id=status",
            write: "start restart reload gracefulReload=reload stop scale=edit reset=edit save=edit dump=edit resurrect=start startup=enable unstartup=disable update=restart set=edit install=enable uninstall=disable sendSignal=kill trigger=edit ping=status serve=start module:update=enable link=edit plus=edit reloadLogs=reload startOrRestart=restart startOrReload=reload deploy=unknown",
            destructive: "delete=delete del=delete kill=stop flush=clean cleardump=clean unlink=edit",
            dry: "",
        },
    ),
    (
        "monit",
        Tool {
            kind: Kind::Service,
            valued: "-c -d -g -l -p -s",
            read: "status summary=status report=status validate=status procmatch=status",
            write: "start stop restart monitor=edit unmonitor=edit reload reset=edit",
            destructive: "quit=stop",
            dry: "",
        },
    ),
    (
        "nomad",
        tool(
            "! -address -region -namespace -ca-cert -client-cert -client-key -token -tls-server-name -var -var-file -check-index -task -job -t -json? -filter -n -group -meta -payload -policy -name -type -config -ttl -role-name -role-id",
            "status=show job:status=show job:plan=plan plan job:inspect=show job:history=show job:deployments=show job:allocs=show job:validate=show node:status=show alloc:status=show alloc:logs=logs alloc:fs=show alloc:checks=show deployment:status=show deployment:list=show eval:status=show eval:list=show server:members=show agent-info=show operator:raft:list-peers=show operator:autopilot:get-config=show operator:autopilot:health=show operator:metrics=show operator:scheduler:get-config=show operator:snapshot:inspect=show volume:status=show var:get=show var:list=show acl:*:list=show acl:*:info=show acl:*:self=show namespace:list=show namespace:inspect=show namespace:status=show version monitor=logs ui=show system=show service:list=show service:info=show quota:list=show quota:status=show plugin:status=show scaling=show node:pool:list=show node:pool:info=show logs fs=show inspect=show validate=show operator:debug=show license:get=show recommendation:list=show",
            "run=apply job:run=apply job:start=start job:restart=restart job:revert=rollback job:promote=update job:scale=update job:dispatch=run job:periodic=run job:action=run alloc:restart=restart alloc:signal=kill alloc:exec=exec exec deployment:promote=update deployment:pause=update deployment:resume=update deployment:unblock=update node:eligibility=update node:meta=update node:config=update node:pool:apply=update namespace:apply=update quota:apply=update quota:init=init volume:create=create volume:register=create volume:init=init var:put=set var:init=init var:lock=set acl:bootstrap=grant acl:*:create=grant acl:*:update=grant acl:*:apply=grant server:join=update agent=start operator:autopilot:set-config=update operator:scheduler:set-config=update operator:gossip=update operator:api=unknown setup=set job:eval=update job:init=init operator:snapshot:save=save job:tag=set tls=set fmt login=set",
            "stop job:stop=stop alloc:stop=stop deployment:fail=stop node:drain=drain node:purge=delete volume:delete=delete_volume volume:deregister=delete volume:detach=delete var:purge=delete acl:*:delete=delete namespace:delete=delete quota:delete=delete node:pool:delete=delete server:force-leave=delete system:gc=prune system:reconcile=update operator:raft:remove-peer=delete operator:raft:transfer-leadership=update operator:snapshot:restore=restore operator:root=grant service:delete=delete",
        ),
    ),
    (
        "consul",
        tool(
            "! -http-addr -token -token-file -datacenter -namespace -ca-file -client-cert -client-key -partition -stale? -separator -kind -name -id -description -policy-name -service-name -rules -cas? -modify-index -prefix -config-dir -data-dir",
            "members=show kv:get=get kv:export=dump catalog=show info=show monitor=logs operator:raft:list-peers=show operator:autopilot:get-config=show operator:autopilot:state=show operator:usage=show acl:*:list=show acl:*:read=show config:list=show config:read=show intention:list=show intention:get=show intention:match=show intention:check=show snapshot:inspect=show version connect:ca:get-config=show health=show validate=show rtt=show peering:list=show peering:read=show resource:read=show resource:list=show troubleshoot=show namespace:list=show namespace:read=show partition:list=show",
            "kv:put=set kv:import=set services:register=set config:write=set intention:create=grant intention:delete=revoke acl:bootstrap=grant acl:*:create=grant acl:*:update=grant acl:set-agent-token=grant maint=update join=update event=run reload=reload agent=start connect:ca:set-config=set connect:proxy=start connect:envoy=start connect:expose=set operator:autopilot:set-config=set operator:raft:transfer-leader=update exec=run lock=run peering:generate-token=grant peering:establish=set namespace:create=create namespace:write=set namespace:update=set partition:create=create resource:apply=set snapshot:agent=save snapshot:save=save debug=save keyring=set services:export=set watch=run login=set logout=set tls=set",
            "kv:delete=delete services:deregister=delete config:delete=delete acl:*:delete=delete snapshot:restore=restore leave=delete force-leave=delete operator:raft:remove-peer=delete peering:delete=delete namespace:delete=delete partition:delete=delete resource:delete=delete",
        ),
    ),
    (
        "boundary waypoint",
        tool(
            "! -addr -token -id -scope-id -target-id -name -description -type -project -app -workspace",
            "*:list=show *:read=show status=show version logs *:search=show *:inspect=show",
            "authenticate=set connect=exec *:create=create *:update=update *:add-*=grant *:set-*=grant dev=start *:authorize-session=grant up=apply deploy=apply build release=apply exec init config=set login=set server=start runner=start database=create config:get=show logout=set",
            "*:delete=delete *:remove-*=revoke *:cancel=stop destroy daemon=start",
        ),
    ),
    (
        "knife",
        tool(
            "-c --config -E --environment -s --server-url -u --user -k --key -z? -x --ssh-user -i --identity-file",
            "*:list=show *:show=show search=show status=show diff=plan *:*:list=show *:*:show=show ssl=show list=show show",
            "*:create=create *:edit=update *:from=apply upload=apply *:upload=apply bootstrap=run ssh=run *:*:add=update *:*:set=update *:*:create=create download=show tag=update cookbook:download=show vault:show=show",
            "*:delete=delete *:bulk=delete *:*:delete=delete delete cookbook:*:delete=delete exec=run *:*:remove=update raw=unknown",
        ),
    ),
    (
        "virsh",
        tool(
            "-c --connect -d --debug -e -k -K -l --log",
            "list=show dominfo=show domstate=show dumpxml=show net-list=show net-info=show net-dumpxml=show pool-list=show pool-info=show vol-list=show vol-info=show nodeinfo=show domblklist=show domiflist=show domstats=show snapshot-list=show snapshot-info=show capabilities=show version hostname=show uri=show vcpuinfo=show domblkinfo=show domifaddr=show domuuid=show domid=show checkpoint-list=show",
            "start create define autostart=update resume=start suspend=stop save=save restore=start reboot=restart setmem=update setvcpus=update setmaxmem=update attach-disk=update attach-device=update attach-interface=update edit=update snapshot-create=save snapshot-create-as=save net-start=start net-define=create net-create=create net-autostart=update pool-start=start pool-define=create pool-define-as=create pool-build=create pool-autostart=update pool-refresh=update vol-create=create vol-create-as=create vol-clone=create vol-upload=update vol-resize=update migrate=update update-device=update managedsave=save dump=save shutdown=stop blockresize=update set-user-password=grant console=exec",
            "destroy=stop undefine=delete detach-disk=update detach-device=update detach-interface=update snapshot-delete=delete snapshot-revert=restore net-destroy=stop net-undefine=delete pool-destroy=stop pool-undefine=delete pool-delete=delete vol-delete=delete_volume vol-wipe=delete_volume reset=restart blockcommit=update blockpull=update managedsave-remove=delete",
        ),
    ),
    (
        "multipass lxc incus",
        tool(
            "-n --name -c --config -p --profile -s --storage -t --type --cpus --memory --disk --target --project --remote --cloud-init -d --device",
            "list=show ls=show info=show find=show get=show version networks=show config:show=show config:get=show image:list=show image:info=show network:list=show network:show=show storage:list=show storage:show=show storage:info=show storage:volume:list=show profile:list=show profile:show=show remote:list=show cluster:list=show project:list=show monitor=logs operation:list=show snapshot:list=show admin:info=show warning:list=show query=unknown help=show aliases=show",
            "launch=run init=create start restart suspend=stop resume=start stop pause=stop set=update config=update copy=create move=update rename=update exec shell=exec console=exec file=copy transfer=copy mount=update umount=update unmount=update snapshot=save snapshot:create=save publish=build export=save import=create image=update network=update storage=update profile=update remote=config cluster=update project=update authenticate=grant alias=config unalias=config clone=create prefer=config admin=update recover=start",
            "delete purge=prune restore rm=delete image:delete=delete network:delete=delete storage:delete=delete_volume storage:volume:delete=delete_volume profile:delete=delete project:delete=delete cluster:remove=delete snapshot:delete=delete snapshot:restore=restore remote:remove=config file:delete=delete rebuild=restore",
        ),
    ),
    (
        "qm pct",
        tool(
            "--timeout --storage --node --snapname --skiplock? --target --vmid",
            "list=show config=show status=show showcmd=show listsnapshot=show pending=show df=show cpusets=show",
            "start resume=start suspend=stop reboot=restart shutdown=stop create clone=create set=update snapshot=save migrate=update template=update resize=update move_disk=update move-disk=update move-volume=update importdisk=import importovf=import enter=exec exec push=copy pull=copy guest=exec monitor=exec sendkey=update unlock=force_unlock mount=update unmount=update console=exec terminal=exec agent=exec cloudinit=update disk=update fstrim=update remote-migrate=update cleanup=update",
            "destroy=delete stop reset=restart rollback=restore delsnapshot=delete unlink=delete_volume restore fsck=update",
        ),
    ),
    (
        "crictl ctr",
        tool(
            "-r --runtime-endpoint -i --image-endpoint -t --timeout -c --config -n --namespace -a --address -o --output",
            "ps pods=ps images logs inspect inspecti=inspect inspectp=inspect stats statsp=stats info version imagefsinfo=show events *:ls=show *:list=show *:info=show *:tree=show runtimep=show containers:list=show",
            "run create start pull exec attach=exec update runp=run *:pull=pull *:push=push *:tag=tag *:import=import *:export=export *:start=start *:exec=exec *:create=create config=config checkpoint=save *:mount=copy *:unmount=copy *:pause=pause *:resume=start *:label=update port-forward=proxy",
            "rm=delete rmi=delete rmp=delete stop stopp=stop *:rm=delete *:delete=delete *:remove=delete *:kill=kill *:del=delete content:prune=prune",
        ),
    ),
    (
        "buildah skopeo",
        tool(
            "--authfile --creds --src-creds --dest-creds -t --tag -f --file --policy --override-os --override-arch --registries-conf --platform",
            "images ps=ps containers=ps inspect info version list-tags=show manifest-digest=show digest=show manifest=show ls=show catalog=show blob=show validate=show layers=show",
            "build bud=build from=create run add=copy copy=push sync=push push pull commit tag login=config logout=config mount=copy umount=copy unshare=exec rename=update config=update append=build mutate=build rebase=build export=save flatten=build cp=push auth=config manifest:create=create manifest:add=update manifest:push=push generate-sigstore-key=create standalone-sign=create registry=start index=build",
            "rm=delete rmi=delete delete prune=prune manifest:rm=delete",
        ),
    ),
    (
        "crane",
        tool(
            "--platform -t --tag -o --output --format",
            "ls=show digest=show manifest=show config=show catalog=show blob=show validate=show version",
            "append=build auth=config copy=push cp=push export=save flatten=build index=build mutate=build pull push rebase=build registry=start serve=start tag",
            "delete",
        ),
    ),
];
