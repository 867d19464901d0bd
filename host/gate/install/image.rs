//! What commands fetch whole: container images, and the charts of helm.

use super::draft::Draft;
use super::line::{Grammar, Reader};
use super::specifier::{Spec, Specified, exact_or_any, is_archive, is_path, is_url};
use super::{Operation, Requirement, Source};

const DOCKER: Grammar = Grammar::plain(
    "-c --context -H --host -l --log-level --config --tlscacert --tlscert --tlskey --connection --root --runroot \
     --storage-driver --storage-opt --identity --url -n --namespace --address --data-root --cgroup-manager",
);
/// What `run`, `create` and `pull` take; the first operand behind it is the image.
const CONTAINER: Grammar = Grammar::plain(
    "--add-host --annotation -a --attach --blkio-weight --blkio-weight-device --cap-add --cap-drop --cgroup-parent --cgroupns \
     --cidfile --cpu-count --cpu-percent --cpu-period --cpu-quota --cpu-rt-period --cpu-rt-runtime -c --cpu-shares --cpus \
     --cpuset-cpus --cpuset-mems --detach-keys --device --device-cgroup-rule --device-read-bps --device-read-iops \
     --device-write-bps --device-write-iops --dns --dns-option --dns-opt --dns-search --domainname --entrypoint -e --env --env-file --expose \
     --gpus --group-add --health-cmd --health-interval --health-retries --health-start-interval --health-start-period \
     --health-timeout -h --hostname --ip --ip6 --ipc --isolation --kernel-memory -l --label --label-file --link --link-local-ip \
     --log-driver --log-opt --mac-address -m --memory --memory-reservation --memory-swap --memory-swappiness --mount --name \
     --network --net --network-alias --net-alias --oom-score-adj --pid --pids-limit --platform -p --publish --pull --restart \
     --runtime --security-opt --shm-size --stop-signal --stop-timeout --storage-opt --sysctl --tmpfs --ulimit -u --user --userns \
     --uts -v --volume --volume-driver --volumes-from -w --workdir --arch --os --variant --authfile --creds --cert-dir --pod \
     --secret --userns-uid-map --hooks-dir --sdnotify --requires --image-volume --init-path --retry --retry-delay --decryption-key \
     --alias --src-creds --dest-creds --src-cert-dir --dest-cert-dir --format -f",
);
const HELM: Grammar = Grammar::plain(
    "-n --namespace --kube-context --kubeconfig --repo --version -f --values --set --set-string --set-file --set-json \
     --set-literal --timeout --name-template --username --password --ca-file --cert-file --key-file --keyring --description \
     --post-renderer --post-renderer-args -o --output -d --destination --untardir --registry-config --repository-config \
     --repository-cache --burst-limit --qps --history-max --labels -l --kube-apiserver --kube-token --kube-as-user --kube-as-group \
     --kube-ca-file --kube-tls-server-name --api-versions --kube-version --show-only -s --output-dir",
);

pub(super) fn docker(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let mut subcommand = reader.subcommand(&DOCKER);
    if matches!(subcommand, "image" | "container") {
        subcommand = reader.subcommand(&DOCKER);
    }
    match subcommand {
        "pull" => {
            let words = reader.rest(&CONTAINER);
            draft.packages("Docker", &words, image);
            if reader.is_on("-a --all-tags") && !reader.has("--attach") {
                draft.all("tags of the image");
            }
            draft.operation(Operation::Install)
        }
        "run" | "create" => {
            let word = reader.next(&CONTAINER)?;
            draft.packages("Docker", &[word], image);
            draft.running(Operation::Run)
        }
        "plugin" => {
            if reader.subcommand(&DOCKER) != "install" {
                return None;
            }
            let word = reader.next(&CONTAINER)?;
            draft.packages("Docker", &[word], image);
            draft.plan.is_global = true;
            draft.running(Operation::Install)
        }
        "load" | "import" => {
            let words = reader.rest(&Grammar::plain("-i --input --platform -c --change -m --message"));
            let input = reader.value("-i --input").map(str::to_owned);
            let input = input.or_else(|| words.first().and_then(|word| draft.known(word)).map(str::to_owned));
            match input {
                Some(path) => draft.want("Docker", Spec::from(&path, Requirement::Any, archive(&path))),
                None => draft.unknown("the image comes by standard input".to_owned()),
            }
            draft.operation(Operation::Install)
        }
        "push" => draft.operation(Operation::Publish),
        // It runs containers that are there, or builds what a file describes.
        _ => None,
    }
}

/// `skopeo copy docker://a docker://b`, `crane pull a b.tar`.
pub(super) fn copier(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let subcommand = reader.subcommand(&CONTAINER);
    let words = reader.rest(&CONTAINER);
    match subcommand {
        "copy" | "cp" | "pull" | "sync" => {
            draft.packages("Docker", words.get(..words.len().min(1)).unwrap_or_default(), |text| {
                image(text.strip_prefix("docker://").unwrap_or(text))
            });
            let is_to_registry =
                words.get(1).is_some_and(|word| word.text.starts_with("docker://")) || subcommand == "cp";
            draft.operation(if is_to_registry { Operation::Publish } else { Operation::Install })
        }
        "push" | "delete" | "append" | "mutate" | "tag" => draft.operation(Operation::Publish),
        _ => draft.operation(Operation::Read),
    }
}

pub(super) fn helm(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let subcommand = reader.subcommand(&HELM);
    let words = reader.rest(&HELM);
    let first = words.first().map_or("", |word| word.text.as_str());
    match subcommand {
        "install" | "upgrade" | "template" | "pull" | "fetch" => {
            let has_name = match subcommand {
                "pull" | "fetch" => false,
                _ => words.len() > 1,
            };
            draft.registry(reader.value("--repo"), &[]);
            draft.packages("Helm", words.get(usize::from(has_name)..).unwrap_or_default(), chart);
            draft.versioned(reader.value("--version").map(|version| {
                let is_exact = super::specifier::is_full_version(version.trim_start_matches('v'));
                if is_exact { exact_or_any(version) } else { Requirement::Range(version.to_owned()) }
            }));
            let is_dry = subcommand == "template" || reader.has("--dry-run");
            // The chart's hooks run in the cluster.
            draft.plan.runs_scripts = !is_dry && matches!(subcommand, "install" | "upgrade");
            draft.operation(match subcommand {
                _ if is_dry => Operation::Read,
                "upgrade" => Operation::Upgrade,
                _ => Operation::Install,
            })
        }
        "repo" => {
            draft.operation(if matches!(first, "list" | "ls" | "") { Operation::Read } else { Operation::Configure })
        }
        "plugin" => match first {
            "install" | "update" => {
                draft.packages("Helm", words.get(1..).unwrap_or_default(), |text| {
                    let is_git = text.ends_with(".git") || text.contains("github.com");
                    let source = if is_git { Source::Git(text.to_owned()) } else { archive(text) };
                    Ok(Spec::from(text, Requirement::Any, source))
                });
                draft.versioned(reader.value("--version").map(exact_or_any));
                draft.plan.is_global = true;
                draft.running(if first == "update" { Operation::Upgrade } else { Operation::Install })
            }
            "uninstall" => draft.operation(Operation::Remove),
            _ => draft.operation(Operation::Read),
        },
        "dependency" | "dependencies" | "dep" if matches!(first, "update" | "up" | "build") => {
            draft.unknown("the charts stand in a file that is not read".to_owned());
            draft.operation(Operation::Restore)
        }
        "uninstall" | "delete" | "del" | "un" => draft.operation(Operation::Remove),
        "push" => draft.operation(Operation::Publish),
        "search" | "show" | "inspect" | "list" | "ls" => draft.operation(Operation::Read),
        _ => None,
    }
}

/// `registry/name:tag@sha256:...`.
fn image(text: &str) -> Specified {
    let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
    let tag_at = rest.rfind(':').filter(|at| !rest.get(*at..).unwrap_or_default().contains('/'));
    let (name, tag) = match tag_at {
        Some(at) => (rest.get(..at).unwrap_or_default(), rest.get(at + 1..)),
        None => (rest, None),
    };
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:[]".contains(c));
    if !is_name {
        return Err("it is no reference of an image".to_owned());
    }
    let requirement = match (digest, tag) {
        (Some(digest), _) => Requirement::Exact(digest.to_owned()),
        // Whoever owns an image can move its tag.
        (None, Some(tag)) if tag != "latest" => Requirement::Range(tag.to_owned()),
        _ => Requirement::Any,
    };
    Ok(Spec::from(name, requirement, Source::Image(text.to_owned())))
}

fn chart(text: &str) -> Specified {
    if text.starts_with("oci://") || is_url(text) {
        return Ok(Spec::from(text, Requirement::Any, Source::Url(text.to_owned())));
    }
    if is_path(text) || is_archive(text) {
        return Ok(Spec::from(text, Requirement::Any, Source::Path(text.to_owned())));
    }
    let mut spec = super::specifier::bare(text)?;
    // `repository/chart`: the repository is whatever that name was given to on this machine.
    if let Some((repository, name)) = text.split_once('/') {
        spec.name = name.to_owned();
        spec.source = Source::OtherRegistry(repository.to_owned());
    }
    Ok(spec)
}

fn archive(text: &str) -> Source {
    if is_url(text) { Source::Url(text.to_owned()) } else { Source::Path(text.to_owned()) }
}
