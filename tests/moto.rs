//! AWS on this machine, for tests: the moto server that the tests of `pi-cloud` start, and machines in it.

#[path = "../host/cloud/tests/suite/moto.rs"]
#[allow(dead_code, reason = "those tests need more of it")]
mod server;

pub(crate) const REGION: &str = server::REGION;

/// Where it answers.
pub(crate) fn url() -> String {
    server::endpoint()
}

/// A machine with these tags.
pub(crate) fn instance(tags: &[(&str, &str)]) -> String {
    let mut form = "Action=RunInstances&Version=2016-11-15&ImageId=ami-12c6146b&MinCount=1&MaxCount=1".to_owned();
    for (at, (key, value)) in tags.iter().enumerate() {
        let tag = format!("TagSpecification.1.Tag.{}", at + 1);
        form.push_str(&format!("&TagSpecification.1.ResourceType=instance&{tag}.Key={key}&{tag}.Value={value}"));
    }
    between(&server::create("ec2", &form), "<instanceId>", "</instanceId>").to_owned()
}

/// `running`, `stopped`, ...
pub(crate) fn state(instance: &str) -> String {
    let form = format!("Action=DescribeInstances&Version=2016-11-15&InstanceId.1={instance}");
    let answer = server::create("ec2", &form);
    between(between(&answer, "<instanceState>", "</instanceState>"), "<name>", "</name>").to_owned()
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let rest = text.split_once(begin).unwrap_or_else(|| panic!("no {begin} in {text}")).1;
    rest.split_once(end).unwrap().0
}
