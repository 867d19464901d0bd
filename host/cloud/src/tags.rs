//! The tags of resources, each asked where its service keeps them. What is not there has none.

use std::collections::BTreeMap;

use crate::call::Resource;
use crate::error::Error;
use crate::session::Session;

type Tags = BTreeMap<String, String>;

/// In the order of `resources`.
pub(crate) async fn of(session: &Session<'_>, resources: &[Resource]) -> Result<Vec<(Resource, Tags)>, Error> {
    let mut found = Vec::new();
    for resource in resources {
        let tags = match resource.kind.as_str() {
            "instance" if resource.id.starts_with("mi-") => managed(session, &resource.id).await,
            "instance" | "volume" => ec2(session, &resource.id).await,
            "database" => database(session, &resource.id).await,
            "cluster" => cluster(session, &resource.id).await,
            "alarm" => alarm(session, &resource.id).await,
            "log-group" => log_group(session, &resource.id).await,
            "auto-scaling-group" => auto_scaling_group(session, &resource.id).await,
            "target-group" | "load-balancer" => load_balancing(session, &resource.id).await,
            // Commands and queries cannot be tagged.
            _ => Ok(Tags::new()),
        };
        let tags = match tags {
            Err(Error::NotFound { .. }) => Tags::new(),
            other => other?,
        };
        found.push((resource.clone(), tags));
    }
    Ok(found)
}

/// Pairs of which either half may be missing, as the SDKs have them.
fn pairs(tags: impl IntoIterator<Item = (Option<String>, Option<String>)>) -> Tags {
    tags.into_iter().filter_map(|(key, value)| Some((key?, value.unwrap_or_default()))).collect()
}

async fn ec2(session: &Session<'_>, id: &str) -> Result<Tags, Error> {
    let filter = aws_sdk_ec2::types::Filter::builder().name("resource-id").values(id).build();
    let sent = aws_sdk_ec2::Client::new(session.config).describe_tags().filters(filter).send().await;
    let found = sent.map_err(|error| session.failure(error))?;
    Ok(pairs(found.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value))))
}

async fn managed(session: &Session<'_>, id: &str) -> Result<Tags, Error> {
    let kind = aws_sdk_ssm::types::ResourceTypeForTagging::ManagedInstance;
    let client = aws_sdk_ssm::Client::new(session.config);
    let sent = client.list_tags_for_resource().resource_type(kind).resource_id(id).send().await;
    let found = sent.map_err(|error| session.failure(error))?;
    Ok(pairs(found.tag_list.unwrap_or_default().into_iter().map(|tag| (Some(tag.key), Some(tag.value)))))
}

async fn database(session: &Session<'_>, id: &str) -> Result<Tags, Error> {
    let client = aws_sdk_rds::Client::new(session.config);
    let sent = client.describe_db_instances().db_instance_identifier(id).send().await;
    let found = sent.map_err(|error| session.failure(error))?;
    let database = found.db_instances.unwrap_or_default().into_iter().next();
    let tags = database.and_then(|database| database.tag_list).unwrap_or_default();
    Ok(pairs(tags.into_iter().map(|tag| (tag.key, tag.value))))
}

async fn cluster(session: &Session<'_>, id: &str) -> Result<Tags, Error> {
    let client = aws_sdk_rds::Client::new(session.config);
    let sent = client.describe_db_clusters().db_cluster_identifier(id).send().await;
    let found = sent.map_err(|error| session.failure(error))?;
    let cluster = found.db_clusters.unwrap_or_default().into_iter().next();
    let tags = cluster.and_then(|cluster| cluster.tag_list).unwrap_or_default();
    Ok(pairs(tags.into_iter().map(|tag| (tag.key, tag.value))))
}

/// Alarms are tagged by ARN, which AWS tells with the alarm.
async fn alarm(session: &Session<'_>, name: &str) -> Result<Tags, Error> {
    use aws_sdk_cloudwatch::types::AlarmType;
    let client = aws_sdk_cloudwatch::Client::new(session.config);
    let request = client.describe_alarms().alarm_names(name);
    let sent = request.alarm_types(AlarmType::MetricAlarm).alarm_types(AlarmType::CompositeAlarm).send().await;
    let found = sent.map_err(|error| session.failure(error))?;
    let metric = found.metric_alarms.unwrap_or_default().into_iter().next().and_then(|alarm| alarm.alarm_arn);
    let composite = found.composite_alarms.unwrap_or_default().into_iter().next().and_then(|alarm| alarm.alarm_arn);
    let Some(arn) = metric.or(composite) else { return Ok(Tags::new()) };
    let sent = client.list_tags_for_resource().resource_arn(arn).send().await;
    let found = sent.map_err(|error| session.failure(error))?;
    Ok(pairs(found.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value))))
}

/// The older operation takes the name; the newer one an ARN, which would have to be looked for among all groups.
#[allow(deprecated, reason = "see above")]
async fn log_group(session: &Session<'_>, name: &str) -> Result<Tags, Error> {
    let client = aws_sdk_cloudwatchlogs::Client::new(session.config);
    let sent = client.list_tags_log_group().log_group_name(name).send().await;
    let found = sent.map_err(|error| session.failure(error))?;
    Ok(found.tags.unwrap_or_default().into_iter().collect())
}

async fn auto_scaling_group(session: &Session<'_>, name: &str) -> Result<Tags, Error> {
    let client = aws_sdk_autoscaling::Client::new(session.config);
    let sent = client.describe_auto_scaling_groups().auto_scaling_group_names(name).send().await;
    let found = sent.map_err(|error| session.failure(error))?;
    let group = found.auto_scaling_groups.unwrap_or_default().into_iter().next();
    let tags = group.and_then(|group| group.tags).unwrap_or_default();
    Ok(pairs(tags.into_iter().map(|tag| (tag.key, tag.value))))
}

async fn load_balancing(session: &Session<'_>, arn: &str) -> Result<Tags, Error> {
    let client = aws_sdk_elasticloadbalancingv2::Client::new(session.config);
    let sent = client.describe_tags().resource_arns(arn).send().await;
    let found = sent.map_err(|error| session.failure(error))?;
    let tags = found.tag_descriptions.unwrap_or_default().into_iter().next().and_then(|of| of.tags).unwrap_or_default();
    Ok(pairs(tags.into_iter().map(|tag| (tag.key, tag.value))))
}
