//! Writes a lab's project folder: `pi.toml`, the services' configuration files, templates and log
//! folders. What it writes is what an operator would have written for these services, no more.

use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

use super::belongings::Belongings;
use super::plan::{LabService, Plan};

/// Where the witness of a service stands.
pub(crate) fn witness_path(state: &Path, service: &str) -> PathBuf {
    state.join(format!("{service}.witness"))
}

pub(crate) fn write(
    project: &Path,
    state: &Path,
    exe: &Path,
    plan: &mut Plan,
    belongings: &mut Belongings,
) -> io::Result<()> {
    for service in &mut plan.services {
        let config = service.config_path(project);
        let log = service.log_path(project);
        let folder = project.join(&service.folder);
        let log_folder = log.parent().unwrap_or(&folder).to_owned();
        for needed in [config.parent().unwrap_or(&folder), log_folder.as_path(), folder.as_path()] {
            std::fs::create_dir_all(needed)?;
        }
        std::fs::write(&config, service.config_text(&[]))?;
        std::fs::write(folder.join(format!("{}.html", service.name)), format!("<h1>{}</h1>\n", service.name))?;
        if let Some(bytes) = service.disk_bytes
            && !belongings.mount_small(&log_folder, bytes)?
        {
            (service.disk_bytes, service.file_bytes_max) = (None, Some(bytes));
        }
    }
    std::fs::write(project.join("pi.toml"), project_text(project, state, exe, &plan.services))
}

fn project_text(project: &Path, state: &Path, exe: &Path, services: &[LabService]) -> String {
    let mut text =
        String::from("# The services of this machine, how they are probed, and who may do what about them.\n");
    for service in services {
        let _ = service_text(&mut text, project, state, exe, service, services);
    }
    let config_folders: Vec<String> = services
        .iter()
        .filter(|service| service.is_supervised)
        .map(|service| {
            let path = Path::new(&service.folder).join(&service.config);
            path.parent().unwrap_or(Path::new(".")).display().to_string()
        })
        .collect();
    text.push_str("\n[agents.sre]\nwatch = [\"*\"]\n");
    text.push_str(
        "\n# Quicker than the defaults: these services are small, and somebody is watching.\n[agents.sre.config]\n",
    );
    text.push_str("verify_interval_ms = 200\nobserve_interval_ms = 100\ncooldown_ms = 300\npersist_ms = 1500\n");
    text.push_str("watch_ms_max = 6000\n");
    text.push_str("\n# The agent decides, and has no hands but these tools.\n[grants.sre]\n");
    text.push_str(
        "tools = { names = [\"service_*\", \"port_owner\", \"process_end\", \"log_rotate\", \"read\", \"edit\"] }\n",
    );
    text.push_str("log = {}\n");
    text.push_str("\n[grants.service]\n");
    text.push_str(
        "services = { names = [\"*\"], actions = [\"read\", \"restart\", \"end_process\", \"rotate_log\"] }\n",
    );
    text.push_str("\n# The configuration of the services, and nothing else.\n[grants.files]\n");
    let _ = writeln!(text, "files = {{ write = {} }}", list(&config_folders));
    text
}

fn service_text(
    text: &mut String,
    project: &Path,
    state: &Path,
    exe: &Path,
    service: &LabService,
    services: &[LabService],
) -> std::fmt::Result {
    writeln!(text, "\n[services.{}]", service.name)?;
    writeln!(text, "ports = [{}]", service.port)?;
    if service.is_supervised {
        let mut command = vec![exe.display().to_string()];
        command.extend(service.arguments(project, &witness_path(state, &service.name)));
        writeln!(text, "command = {}", list(&command))?;
        writeln!(text, "directory = {}", quote(&service.folder))?;
        writeln!(text, "logs = {}", list(std::slice::from_ref(&service.log)))?;
        writeln!(text, "config = {}", list(std::slice::from_ref(&service.config)))?;
        writeln!(text, "memory_bytes_max = {}", service.memory_bytes_max)?;
        if let Some(bytes) = service.file_bytes_max {
            writeln!(text, "file_bytes_max = {bytes}")?;
        }
        writeln!(
            text,
            "restart = {{ backoff_ms = {}, backoff_ms_max = 1500, stop_ms_max = 800 }}",
            service.backoff_ms
        )?;
    }
    let depends_on: Vec<String> = service.depends_on.iter().map(|index| services[*index].name.clone()).collect();
    if !depends_on.is_empty() {
        writeln!(text, "depends_on = {}", list(&depends_on))?;
    }
    let (probe, url) = (service.probe, service.url(service.health_path));
    writeln!(
        text,
        "probe = {{ http = {}, interval_ms = {}, timeout_ms = {}, failures = {} }}",
        quote(&url),
        probe.interval_ms,
        probe.timeout_ms,
        probe.failures
    )
}

fn list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| quote(item)).collect();
    format!("[{}]", items.join(", "))
}

/// A TOML string. JSON's escapes are a subset of TOML's.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
