//! What is sick, where it is, and what may be done about it; and the calls of the two tools on it.

use pi_sdk::{Value, json};
use serde::Deserialize;

use crate::facts::Description;
use crate::world::Call;

/// What kind of thing a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Instance,
    Database,
    Cluster,
}

impl Kind {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Kind::Instance => "EC2 instance",
            Kind::Database => "RDS database",
            Kind::Cluster => "RDS cluster",
        }
    }

    /// The dimension by which CloudWatch knows it, and the label by which a diagnosis does.
    pub fn dimension(self) -> (&'static str, &'static str) {
        match self {
            Kind::Instance => ("InstanceId", "instance_id"),
            Kind::Database => ("DBInstanceIdentifier", "db_instance_identifier"),
            Kind::Cluster => ("DBClusterIdentifier", "db_cluster_identifier"),
        }
    }
}

/// Where a service is, by the entry of `service_list`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Place {
    pub account: String,
    #[serde(default)]
    pub region: Option<String>,
    pub kind: Kind,
    pub id: String,
}

/// How far the agent may go. The host holds it to that at the door; here it is known so that nothing is asked in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Autonomy {
    /// Say what is the matter.
    Observe,
    /// Say what would be done, and do nothing.
    Propose,
    /// Each act is put to a person.
    Approve,
    /// By policy.
    Auto,
}

impl Autonomy {
    /// A word that is not known is taken for the strictest: a later host may have one that means less than `auto`.
    pub fn of(word: Option<&str>) -> Self {
        match word {
            Some("auto") => Autonomy::Auto,
            Some("approve") => Autonomy::Approve,
            // The default of cloud targets.
            None | Some("propose") => Autonomy::Propose,
            Some(_) => Autonomy::Observe,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Autonomy::Observe => "observe",
            Autonomy::Propose => "propose",
            Autonomy::Approve => "approve",
            Autonomy::Auto => "auto",
        }
    }

    /// Acts may be begun: the host asks, or lets them through.
    pub fn may_act(self) -> bool {
        self >= Autonomy::Approve
    }
}

/// A service in the cloud.
#[derive(Clone, Debug)]
pub struct Target {
    /// As a service of the host.
    pub service: String,
    pub place: Place,
    pub autonomy: Autonomy,
    /// What it needs, and what needs it: services of the host.
    pub depends_on: Vec<String>,
    pub dependents: Vec<String>,
    /// Files of its configuration, on the instance.
    pub config_files: Vec<String>,
    /// Its logs there, files or folders.
    pub log_files: Vec<String>,
}

impl Target {
    /// The target that `service` is, if it is one in the cloud.
    pub fn of(service: &str, services: &[Description]) -> Option<Self> {
        let description = services.iter().find(|it| it.name == service)?;
        let place = description.cloud.clone()?;
        let dependents = services.iter().filter(|it| it.depends_on.iter().any(|name| name == service));
        Some(Self {
            service: service.to_owned(),
            autonomy: Autonomy::of(description.autonomy.as_deref()),
            depends_on: description.depends_on.clone(),
            dependents: dependents.map(|it| it.name.clone()).collect(),
            config_files: description.config_files.clone(),
            log_files: description.log_files.clone(),
            place,
        })
    }

    pub fn as_runbooks_have_it(&self) -> pi_runbook::Target {
        crate::runbook::target_in(&self.service, Some(&self.place))
    }

    pub fn id(&self) -> &str {
        &self.place.id
    }

    pub fn kind(&self) -> Kind {
        self.place.kind
    }

    /// The other services that are one of the things that these calls name: whoever calls them has changed these too.
    pub fn named_in(&self, calls: &[Call], services: &[Description]) -> Vec<String> {
        let is_named = |place: &Place| {
            let is_here = place.account == self.place.account
                && (place.region.is_none() || self.place.region.is_none() || place.region == self.place.region);
            is_here && calls.iter().any(|call| names(&call.arguments["arguments"], &place.id))
        };
        let named = services.iter().filter(|it| it.name != self.service && it.cloud.as_ref().is_some_and(is_named));
        named.map(|it| it.name.clone()).collect()
    }

    /// `EC2 instance i-0abc in prod, eu-west-1`.
    pub fn words(&self) -> String {
        let Place { account, region, kind, id } = &self.place;
        let region = region.as_ref().map(|region| format!(", {region}")).unwrap_or_default();
        format!("{} `{id}` in the account `{account}`{region}", kind.words())
    }

    pub fn read(&self, operation: &str, arguments: Value) -> Call {
        self.call("cloud_read", operation, arguments)
    }

    pub fn change(&self, operation: &str, arguments: Value) -> Call {
        self.call("cloud_change", operation, arguments)
    }

    fn call(&self, tool: &'static str, operation: &str, arguments: Value) -> Call {
        let mut call = json!({ "account": self.place.account, "operation": operation, "arguments": arguments });
        if let Some(region) = &self.place.region {
            call["region"] = json!(region);
        }
        Call::new(tool, call)
    }
}

fn names(value: &Value, id: &str) -> bool {
    match value {
        Value::String(text) => text == id,
        Value::Array(all) => all.iter().any(|value| names(value, id)),
        Value::Object(all) => all.values().any(|value| names(value, id)),
        _ => false,
    }
}

/// The same call as a command line of AWS's own program, for people who want to do it themselves.
pub fn command_line(call: &Call) -> Option<String> {
    let (service, operation) = call.arguments["operation"].as_str()?.split_once(':')?;
    let service = match service {
        "elasticloadbalancing" => "elbv2",
        other => other,
    };
    let region = call.arguments["region"].as_str().map(|region| format!(" --region {region}")).unwrap_or_default();
    let arguments = call.arguments["arguments"].to_string().replace('\'', r"'\''");
    Some(format!("aws {service} {}{region} --cli-input-json '{arguments}'", kebab(operation)))
}

/// `RebootDBInstance` is `reboot-db-instance` on the command line.
fn kebab(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| letters.get(before));
        let next_is_small = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        let begins_word = before.is_some_and(|before| before.is_lowercase() || next_is_small);
        if letter.is_uppercase() && begins_word {
            out.push('-');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_spelt_as_the_command_line_does() {
        for (name, spelt) in [
            ("RebootInstances", "reboot-instances"),
            ("RebootDBInstance", "reboot-db-instance"),
            ("FailoverDBCluster", "failover-db-cluster"),
            ("SetDesiredCapacity", "set-desired-capacity"),
        ] {
            assert_eq!(kebab(name), spelt);
        }
    }

    #[test]
    fn what_is_not_said_or_not_known_lets_nothing_be_done() {
        assert_eq!(Autonomy::of(None), Autonomy::Propose);
        assert_eq!(Autonomy::of(Some("automatic")), Autonomy::Observe);
        assert!(!Autonomy::of(Some("propose")).may_act() && Autonomy::of(Some("approve")).may_act());
    }
}
