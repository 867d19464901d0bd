//! Kubernetes: kubectl and its kin, Helm, and the tools that deploy and mesh.
//!
//! A target is `context/namespace/kind/name`, of which only what the command line names is shown;
//! the default context is not known here.

use super::super::argv::Argv;
use super::line::{Line, is_unknown, listed, shown};
use super::verb::{Tool, Verb};
use super::{Effect, Kind, Severity};
use Severity::{Destructive, Read, Write};

pub(super) const PROGRAMS: &str = "kubectl oc k3s microk8s kubecolor k9s kubectx kubens helm helmfile kustomize argocd argo flux istioctl linkerd kubeadm kind minikube k3d velero stern kubeseal calicoctl cilium skaffold tilt eksctl kops clusterctl talosctl rke";

/// The flags of kubectl and oc that take a value. Where a letter is a switch for one verb and takes
/// a value for another (`-f`), the verb decides.
const KUBECTL_VALUED: &str = "-n --namespace --context --cluster --user --kubeconfig -s --server --token --as --as-group --as-uid --certificate-authority --client-certificate --client-key --tls-server-name --request-timeout --cache-dir --password --username --profile --profile-output --v -v -o --output -l --selector --field-selector -f --filename -k --kustomize -c --container --replicas --current-replicas --image --type -p --patch --patch-file --subresource --grace-period --timeout --tail --since --since-time --for --sort-by --template --field-manager --to-revision --revision --port --target-port --name --from-literal --from-file --from-env-file --overrides --restart --env -e --labels --limits --requests --serviceaccount --clusterrole --role --group --verb --resource --resource-name --min --max --cpu --cpu-percent --memory --node --max-log-requests --retries --address --pod-running-timeout --chunk-size -L --label-columns --raw --api-version --schedule --tcp --rule --class --docker-username --docker-password --docker-email --docker-server --cert --key --image-pull-policy --target --copy-to --profile-name --set-image --duration --audience --annotations --cascade? --dry-run? --pod-selector --resource-version --load-balancer-ip --external-ip --session-affinity --protocol --to --as-user --disable-eviction?";

const KUBECTL: Tool = Tool {
    kind: Kind::Kubernetes,
    valued: KUBECTL_VALUED,
    read: "get describe logs log top explain api-resources api-versions cluster-info version diff events wait auth:can-i=get auth:whoami=get config:view=get config:get-contexts=get config:get-clusters=get config:get-users=get config:current-context=get rollout:status=get rollout:history=get completion options plugin kustomize certificate:list=get status projects whoami help krew:list=get krew:search=get krew:info=get adm:top=get adm:node-logs=get tree=get neat=get explore=get who-can=get view-secret=get_secret apply:view-last-applied=get",
    write: "apply apply:edit-last-applied=edit apply:set-last-applied=set create edit patch scale autoscale label annotate set taint cordon uncordon expose rollout:restart=rollout rollout:undo=rollout rollout:pause=rollout rollout:resume=rollout rollout:cancel=rollout rollout:retry=rollout rollout:latest=rollout rollout run=run debug=exec attach=exec certificate:approve=grant certificate:deny=certificate config:set=config config:set-context=config config:set-cluster=config config:set-credentials=config config:use-context=config config:rename-context=config config:delete-context=config config:delete-cluster=config config:delete-user=config config:unset=config auth:reconcile=grant login=config logout=config new-project=create new-app=create new-build=create start-build=create cancel-build=delete import-image=create tag policy=grant adm:policy=grant process=get extract=get_secret idle=scale rsh=exec rsync=copy registry=config image=copy port-forward proxy=proxy cp=copy exec convert alpha=unknown krew:install=install krew:upgrade=install krew:update=get create:token=grant adm:cordon=cordon adm:uncordon=uncordon adm:upgrade=apply adm:groups=grant adm:taint=taint adm:certificate=grant adm:new-project=create serviceaccounts=grant secrets=set restart=rollout argo=rollout project=config adm:must-gather=run adm:inspect=copy ctx=config ns=config",
    destructive: "delete drain replace=replace adm:drain=drain adm:prune=delete_all adm:migrate=apply krew:uninstall=delete node-shell=exec prune=delete_all",
    dry: "",
};

pub(super) fn look(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let _ = input;
    match argv.program {
        "kubectl" | "oc" | "kubecolor" => kubectl(argv, 0, found),
        "k3s" | "microk8s" => match argv.words.get(1).map(|word| word.text.as_str()) {
            Some("kubectl" | "kubectl.sh") => kubectl(argv, 1, found),
            _ => by_table(&CLUSTERS, argv, found),
        },
        "k9s" => {
            let line = Line::read(argv.words, "-n --namespace --context -c --command --kubeconfig --cluster --user");
            if !matches!(line.operand(0), Some("info" | "version" | "help")) {
                let severity = if line.says("--readonly") { Read } else { Destructive };
                found.push(Effect::new(
                    Kind::Kubernetes,
                    "console",
                    line.value("--context").unwrap_or_default(),
                    severity,
                ));
            }
        }
        "kubectx" | "kubens" => {
            let line = Line::read(argv.words, "");
            let (operation, severity) = if line.has("-d --delete") || line.has("-u --unset") {
                ("config", Write)
            } else if line.operands.is_empty() || line.has("-c --current -h --help") {
                ("get", Read)
            } else {
                ("config", Write)
            };
            found.push(Effect::new(Kind::Kubernetes, operation, line.target(0), severity));
        }
        "helm" => helm(argv, found),
        "kustomize" => by_table(&KUSTOMIZE, argv, found),
        program => {
            if let Some((_, tool)) = TOOLS.iter().find(|(names, _)| listed(names, program)) {
                by_table(tool, argv, found);
            }
        }
    }
}

fn by_table(tool: &Tool, argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, tool.valued);
    let Some(verb) = tool.verb(&line) else { return };
    let mut target = line.value("--context --kube-context --kubecontext").unwrap_or_default().to_owned();
    for part in [line.value("-n --namespace").unwrap_or_default().to_owned(), line.target(verb.length)] {
        if !part.is_empty() {
            if !target.is_empty() {
                target.push('/');
            }
            target.push_str(&part);
        }
    }
    found.push(Effect::new(tool.kind, verb.operation, shown(&target), verb.severity));
}

fn kubectl(argv: &Argv<'_>, skipped: usize, found: &mut Vec<Effect>) {
    let words = argv.words.get(skipped..).unwrap_or_default();
    // For `logs -f`, `exec -p` and `get -p` these letters are switches.
    let has_switches = words.iter().any(|word| matches!(word.text.as_str(), "logs" | "log"));
    let valued = if has_switches {
        &KUBECTL_VALUED.replace(" -f --filename", "").replace(" -p --patch", "")
    } else {
        KUBECTL_VALUED
    };
    let line = Line::read(words, valued);
    let Some(mut verb) = KUBECTL.verb(&line) else { return };
    let operation = verb.operation.clone();
    let target = target_of(&line, &verb);
    let resource = resources(&line, verb.length);
    if matches!(
        operation.as_ref(),
        "apply"
            | "create"
            | "delete"
            | "patch"
            | "scale"
            | "label"
            | "annotate"
            | "set"
            | "taint"
            | "cordon"
            | "drain"
            | "run"
            | "expose"
            | "autoscale"
            | "replace"
            | "rollout"
            | "uncordon"
            | "grant"
            | "edit"
    ) && is_dry(&line)
    {
        found.push(Effect::new(Kind::Kubernetes, verb.operation, target, Read));
        return;
    }
    match operation.as_ref() {
        "delete" => {
            let is_all = line.has("--all -A --all-namespaces")
                || resource.iter().any(|kind| listed(WHOLE, kind))
                || line.operand(1) == Some("all");
            if is_all {
                verb.operation = "delete_all".into();
            }
            // A pod of a deployment comes again; nobody here knows whether it has one.
        }
        "apply" if line.has("--prune") => {
            verb.severity = Destructive;
            verb.operation = "delete_all".into();
        }
        "apply" | "create" if line.has("--force") => verb.severity = Destructive,
        "replace" if !line.has("--force") => verb.severity = Write,
        // Scaled to nothing it serves nobody, and is scaled up again as fast.
        "scale" if line.value("--replicas") == Some("0") => verb.operation = "scale_to_zero".into(),
        "taint" if line.operands.iter().any(|operand| operand.contains("NoExecute")) => verb.severity = Destructive,
        "rollout" if line.operand(1).is_some_and(is_unknown) => verb = Verb::unknown(),
        "get" if line.value("--raw").is_some() => {}
        "get_secret" => verb.operation = "get".into(),
        "exec" | "run" => {}
        _ => {}
    }
    let reads_secret = operation == "get_secret"
        || (matches!(operation.as_ref(), "get" | "describe" | "edit") && resource.iter().any(|kind| is_secret(kind)))
        || line.value("--raw").is_some_and(|path| path.contains("/secrets"));
    // A list of secrets shows names; their values come with an output format or a template.
    if reads_secret {
        // `describe` shows sizes.
        let shows_values = !matches!(operation.as_ref(), "get" | "describe")
            || line.value("-o --output --template").is_some_and(|format| !matches!(format, "name" | "wide"))
            || line.value("--raw").is_some();
        if shows_values {
            found.push(Effect::new(Kind::Secret, "read", target.clone(), Read));
        }
    }
    if operation == "grant" && line.operand(0) == Some("create") {
        found.push(Effect::new(Kind::Secret, "create", target.clone(), Write));
    }
    if operation == "create"
        && resource
            .iter()
            .any(|kind| listed("clusterrolebinding rolebinding clusterrole role serviceaccount sa token", kind))
    {
        verb.operation = "grant".into();
    }
    if matches!(operation.as_ref(), "proxy" | "port_forward") {
        let address = line.value("--address").unwrap_or("localhost");
        found.push(Effect::new(Kind::Network, "listen", address, Write));
    }
    found.push(Effect::new(Kind::Kubernetes, verb.operation, target, verb.severity));
}

/// Kinds whose end takes everything within them along.
const WHOLE: &str = "namespace namespaces ns pv persistentvolume persistentvolumes pvc persistentvolumeclaim persistentvolumeclaims crd crds customresourcedefinition customresourcedefinitions node nodes no storageclass sc project projects clusters cluster";

fn is_secret(kind: &str) -> bool {
    matches!(kind, "secret" | "secrets" | "sealedsecret" | "sealedsecrets") || kind.starts_with("secrets.")
}

fn is_dry(line: &Line<'_>) -> bool {
    match line.value("--dry-run") {
        Some(value) => matches!(value, "client" | "server" | "true"),
        None => line.says("--dry-run"),
    }
}

/// The kinds that the operands name: `pod,svc`, `deployment/web`.
fn resources<'a>(line: &Line<'a>, at: usize) -> Vec<&'a str> {
    let mut kinds: Vec<&str> = line.operand(at).unwrap_or_default().split(',').collect();
    kinds.extend(line.rest(at));
    kinds.into_iter().map(|kind| kind.split('/').next().unwrap_or(kind)).collect()
}

fn target_of(line: &Line<'_>, verb: &Verb) -> String {
    let mut parts: Vec<String> = vec![];
    let cluster = line.value("--context").or_else(|| line.value("--cluster")).or_else(|| line.value("-s --server"));
    parts.extend(cluster.map(str::to_owned));
    parts.extend(line.value("-n --namespace").map(str::to_owned));
    if line.has("-A --all-namespaces") {
        parts.push("*".to_owned());
    }
    // What stands behind `--` is the command that runs in the container.
    let count = line.operands.len() - line.behind_dashes().len();
    let operands = line.operands.get(verb.length..count.max(verb.length)).unwrap_or_default();
    match operands {
        [] => parts.extend(line.value("-f --filename -k --kustomize").map(str::to_owned)),
        [one] => parts.push((*one).to_owned()),
        [kind, names @ ..] if kind.contains('/') => parts.push(format!("{kind} {}", names.join(" "))),
        [kind, names @ ..] => parts.push(format!("{kind}/{}", names.join(","))),
    }
    shown(&parts.join("/"))
}

const HELM: Tool = Tool {
    kind: Kind::Kubernetes,
    valued: "-n --namespace --kube-context --kubeconfig --kube-apiserver --kube-as-group --kube-as-user --kube-ca-file --kube-token --registry-config --repository-cache --repository-config -f --values --set --set-string --set-file --set-json --set-literal --version --repo --username --password --timeout --history-max --post-renderer --description -o --output --revision --max -d --destination --devel? -l --selector --filter --labels --ca-file --cert-file --key-file --keyring --key --app-version -s --show-only --api-versions -a --kube-version --burst-limit --qps --output-dir --name-template --max-col-width --offset --untardir --dry-run?",
    read: "list ls status get history template lint show inspect search env version verify dependency:list=show dep:list=show repo:list=show plugin:list=show plugin:ls=show completion diff secrets:view=get_secret secrets:decrypt=get_secret",
    write: "install upgrade rollback repo:add=config repo:update=config repo:remove=config repo:rm=config repo:index=config dependency:update=config dependency:build=config dep:update=config dep:up=config dep:build=config pull=config fetch=config push=push registry:login=config registry:logout=config plugin:install=install plugin:update=install plugin:uninstall=config secrets:encrypt=config package=build create test=run",
    destructive: "uninstall delete=uninstall del=uninstall un=uninstall",
    dry: "",
};

fn helm(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, HELM.valued);
    let Some(mut verb) = HELM.verb(&line) else { return };
    let mut target = line.value("--kube-context").unwrap_or_default().to_owned();
    for part in [line.value("-n --namespace"), line.operand(verb.length)].into_iter().flatten() {
        if !target.is_empty() {
            target.push('/');
        }
        target.push_str(part);
    }
    let target = shown(&target);
    let changes = matches!(verb.operation.as_ref(), "install" | "upgrade" | "rollback" | "uninstall");
    if changes && is_dry(&line) {
        verb.severity = Read;
    } else if matches!(verb.operation.as_ref(), "upgrade" | "rollback") && line.has("--force --force-replace") {
        verb.severity = Destructive;
    }
    // Values and manifests are settings as those of a config map are; a secret in them is the chart's fault.
    if verb.operation == "get_secret" {
        found.push(Effect::new(Kind::Secret, "read", target.clone(), Read));
        verb.operation = "get".into();
    }
    if line.value("--post-renderer").is_some() {
        found.push(Effect::new(Kind::Code, "run", line.value("--post-renderer").unwrap_or_default(), Write));
    }
    found.push(Effect::new(Kind::Kubernetes, verb.operation, target, verb.severity));
}

const fn tool(valued: &'static str, read: &'static str, write: &'static str, destructive: &'static str) -> Tool {
    Tool { kind: Kind::Kubernetes, valued, read, write, destructive, dry: "--dry-run" }
}

const KUSTOMIZE: Tool = tool(
    "-o --output --load-restrictor --mount --env -e",
    "build=template cfg=show version completion localize=template",
    "create=edit edit fn=run",
    "",
);

const CLUSTERS: Tool = tool(
    "--data-dir --token -t --server -s --config -c --name --etcd-s3-bucket --kubeconfig",
    "check-config=get token:list=get etcd-snapshot:list=get etcd-snapshot:ls=get status inspect config=get version images=get",
    "server=start agent=start token:create=grant token:generate=grant etcd-snapshot:save=backup etcd-snapshot=backup start enable=apply add-node=apply join=apply secrets-encrypt=set certificate=set refresh-certs=set dashboard-proxy=proxy helm=unknown helm3=unknown",
    "stop=shutdown disable=delete leave=delete remove-node=delete reset=delete_all token:delete=delete etcd-snapshot:delete=delete etcd-snapshot:prune=delete killall=shutdown uninstall=delete_all crictl=unknown ctr=unknown",
);

const TOOLS: &[(&str, Tool)] = &[
    (
        "helmfile",
        tool(
            "-f --file -e --environment -l --selector -n --namespace --kube-context --helm-binary -b --state-values-set --state-values-file --args --set --values --log-level --concurrency --chart",
            "diff list lint template=template status build=template write-values=template show-dag=show version=show print-env=show",
            "apply sync=apply fetch=config deps=config test=run repos=config init=config cache=config",
            "destroy=uninstall delete=uninstall charts=apply",
        ),
    ),
    (
        "argocd",
        tool(
            "--server --auth-token --config --context --core? --grpc-web-root-path --header -H --kube-context -p --parameter --project --repo --path --dest-server --dest-namespace --revision --resource --timeout -o --output -l --selector -N --app-namespace --helm-set --values --sync-policy --username --password --name --sync-option --label --env --strategy --kind --group --namespace --resource-name --patch --patch-type",
            "app:get app:list=get app:diff=diff app:history=get app:manifests=get app:resources=get app:logs=logs app:wait=wait app:actions:list=get app:get-resource=get cluster:list=get cluster:get=get repo:list=get repo:get=get proj:list=get proj:get=get account:list=get account:get=get account:can-i=get account:get-user-info=get cert:list=get gpg:list=get appset:list=get appset:get=get version repocreds:list=get completion proj:role:list=get proj:role:get=get proj:windows:list=get admin:settings=get admin:dashboard=get admin:export=get_secret admin:initial-password=get_secret appset:generate=get",
            "app:create=create app:sync=sync app:set=set app:unset=set app:patch=patch app:edit=edit app:rollback=rollback app:terminate-op=patch app:patch-resource=patch app:add-source=set app:remove-source=set app:actions:run=patch app:confirm-deletion=delete cluster:add=create cluster:set=set cluster:rotate-auth=grant repo:add=create repocreds:add=create proj:create=create proj:set=set proj:edit=edit proj:add-*=set proj:remove-*=set proj:allow-*=set proj:deny-*=set proj:role:*=grant proj:windows:*=set account:update-password=grant account:generate-token=grant account:bcrypt=get cert:add-*=set gpg:add=set appset:create=create login=config logout=config relogin=config configure=config context=config",
            "app:delete=delete app:delete-resource=delete cluster:rm=delete repo:rm=delete repocreds:rm=delete proj:delete=delete proj:role:delete=delete proj:windows:delete=delete account:delete-token=delete cert:rm=delete gpg:rm=delete appset:delete=delete admin:import=replace admin:app=unknown admin:cluster=unknown",
        ),
    ),
    (
        "argo",
        tool(
            "-n --namespace --context --kubeconfig -l --selector -o --output --token -s --argo-server -p --parameter -f --parameter-file --name --entrypoint --serviceaccount --since --status --tail --node-field-selector --from --priority --older --cluster --user",
            "list get logs lint watch wait version template:list=list template:get=get template:lint=lint cron:list=list cron:get=get cron:lint=lint cluster-template:list=list cluster-template:get=get archive:list=list archive:get=get auth:token=get_secret completion convert=template",
            "submit=create resubmit=create retry=create resume=patch suspend=patch stop=patch node=patch cp=copy template:create=create template:update=apply cron:create=create cron:update=apply cron:suspend=patch cron:resume=patch cluster-template:create=create archive:retry=create archive:resubmit=create server=start executor-plugin=apply cron:backfill=create sync=patch",
            "delete terminate=delete template:delete=delete cron:delete=delete cluster-template:delete=delete archive:delete=delete",
        ),
    ),
    (
        "flux",
        tool(
            "-n --namespace --context --kubeconfig --cluster --timeout --url --branch --path --interval --source --owner --repository --token-auth? --export? --prune? --chart --chart-version --target-namespace --values --components --version --components-extra --network-policy? --personal? --private-key-file -o --output --kind --name --tail --since --level --log-level --username --password --secret-ref --provider --revision --tag --health-check",
            "check get logs tree diff stats trace version export events debug:helmrelease=get_secret debug:kustomization=get_secret completion list build=template envsubst=template",
            "bootstrap=apply install=apply create reconcile=sync resume=patch suspend=patch push=push tag=push migrate=apply pull=config",
            "delete uninstall",
        ),
    ),
    (
        "istioctl linkerd cilium calicoctl",
        tool(
            "-n --namespace --context --kubeconfig -c --config -f --filename --set -r --revision -o --output -i --istioNamespace -l --selector --linkerd-namespace -L --cni-namespace --allow-version-mismatch? --node --as --api-addr --helm-set --version --values --chart-directory",
            "analyze=show proxy-status=show ps=show proxy-config=show pc=show version describe=show x=show experimental=show x:create-remote-secret=get_secret experimental:create-remote-secret=get_secret bug-report=show validate=lint verify-install=show profile=show manifest:generate=template manifest:diff=diff manifest:translate=template check stat=show top=show tap=show edges=show routes=show diagnostics=show get=get node:status=get status endpoint=get install-cni=template identity=show authz=show viz=show multicluster=show jaeger=show inject=template uninject=template ipam:show=get ipam:check=get sysdump=show config:view=show encryption=show bgp=show policy=show monitor=show hubble=show cluster=show ztunnel-config=show admin=show prune=template remote-clusters=show",
            "install=apply upgrade=apply operator=apply tag=set kube-inject=template manifest:apply=apply manifest:install=apply create apply patch label replace convert=template node:run=start enable=apply clustermesh=apply config:set=set context=config datastore=set ipam:configure=set ipam:split=set remote=grant create-remote-secret=grant waypoint=apply dashboard=proxy d=proxy viz:dashboard=proxy connectivity=run",
            "uninstall delete manifest:uninstall=uninstall disable=delete node:diags=show ipam:release=delete tag:remove=delete waypoint:delete=delete",
        ),
    ),
    (
        "kubeadm kind minikube k3d talosctl rke",
        tool(
            "--config --kubeconfig --name -p --profile --image --token --discovery-token-ca-cert-hash --pod-network-cidr --apiserver-advertise-address --node-name --driver --cpus --memory --kubernetes-version --nodes -n --agents -a --servers -s --port --volume -v --wait --namespace --context -e --endpoints --talosconfig -f --file -o --output --cluster --disk-size --container-runtime --addons --cri-socket --certificate-key",
            "version config:images:list=get config:print=get token:list=get certs:check-expiration=get upgrade:plan=diff upgrade:diff=diff get export:logs=get status profile=get profile:list=get ip=get logs addons:list=get service=get ssh-key=get image:ls=get image:list=get node:list=get cluster:list=get kubeconfig:get=get_secret kubeconfig=get_secret list dmesg=get health=get services=get containers=get disks=get stats=get memory=get processes=get read=get ls=get completion docker-env=get podman-env=get options=get validate=lint gen=template inspect=get kubectl=unknown",
            "init=apply join=apply config:migrate=template config:images:pull=config token:create=grant certs:renew=set upgrade=apply upgrade:apply=apply create=create load=copy build=copy start pause unpause addons:enable=apply addons=apply profile:*=config cache=config cp=copy image=copy mount tunnel=proxy ssh=exec config=config export:kubeconfig=config kubeconfig:merge=config kubeconfig:write=config apply-config=apply bootstrap=apply patch edit reboot=restart restart up=apply etcd=get encrypt=config cert=set rollback=rollback rotate-encryption-key=set service=proxy registry=create dashboard=proxy",
            "reset=delete_all delete=delete_all stop=shutdown token:delete=delete addons:disable=delete cluster:delete=delete_all cluster:stop=shutdown node:delete=delete etcd:remove-member=delete etcd:leave=delete shutdown wipe=delete_all remove=delete_all image:rm=delete purge=delete_all etcd:forfeit-leadership=set",
        ),
    ),
    (
        "velero",
        tool(
            "-n --namespace --kubeconfig --kubecontext --include-namespaces --exclude-namespaces --from-backup --schedule --ttl --selector -l --storage-location --include-resources --exclude-resources --provider --bucket --plugins --secret-file --backup-location-config -o --output",
            "*:get=get *:describe=get *:logs=logs get describe version debug=get completion",
            "backup:create=backup *:create=create create schedule:pause=patch schedule:unpause=patch install=apply plugin=apply *:set=set restore:create=restore client=config",
            "*:delete=delete delete uninstall plugin:remove=delete",
        ),
    ),
    ("stern", tool("", "*=logs", "", "")),
    ("kubeseal", tool("", "*=template", "", "")),
    (
        "skaffold tilt",
        tool(
            "-f --filename -p --profile -n --namespace --kube-context -t --tag -d --default-repo --port --host --context",
            "diagnose=show render=template inspect=show schema=show version options=show get describe logs doctor=show dump=show",
            "run=apply dev=apply debug=apply deploy=apply apply up=apply trigger=sync enable=patch disable=patch args=set create edit patch init=config demo=apply lint exec=exec filter=template config=config ci=apply test=run build=build verify=run",
            "delete down=delete",
        ),
    ),
    (
        "eksctl kops clusterctl",
        tool(
            "-f --config-file --region -r --profile -p --name --cluster --nodegroup --state --nodes -N --nodes-min --nodes-max --namespace -n --timeout --kubeconfig --version --cloud --zones --infrastructure -i -o --output --target-namespace",
            "get utils:describe-*=get info version describe toolbox:dump=get toolbox:template=template validate completion generate=template list=get anywhere=unknown alpha=unknown",
            "create upgrade scale enable=apply set update associate=apply register=create utils=set edit promote=set rolling-update=rollout move=apply init=apply unset=set trust=grant replace=replace rotate=set export=config export:kubecfg=config",
            "delete delete:cluster=delete_all drain disassociate=delete deregister=delete utils:write-kubeconfig=config disable=delete",
        ),
    ),
];
