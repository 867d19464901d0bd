//! RDS: databases and clusters, what happened to them; reboot, failover, growth.

use crate::answer::{Answer as _, object, pages};
use crate::argument::Arguments;
use crate::error::Error;
use crate::operation::{Operation, change, parameter, read, required};
use crate::service::{FILTERS, ITEMS, start_before_end};
use crate::session::Session;
use crate::shape::{Name, Parameter, Shape, Unit};
use aws_sdk_rds::Client;
use aws_sdk_rds::types::Filter;
use serde_json::Value;

const DATABASE: Shape = Shape::Name(Name::Database);
const CLUSTER: Shape = Shape::Name(Name::Cluster);
const SOURCES: &[&str] = &[
    "db-instance",
    "db-parameter-group",
    "db-security-group",
    "db-snapshot",
    "db-cluster",
    "db-cluster-snapshot",
    "custom-engine-version",
    "db-proxy",
    "blue-green-deployment",
];
/// GiB. What RDS itself allows at most.
const STORAGE: Shape = Shape::Integer { min: 5, max: 65_536 };

const DESCRIBE_DB_INSTANCES: &[Parameter] = &[
    parameter!("DBInstanceIdentifier", DATABASE),
    parameter!("Filters", FILTERS, "as RDS names them: `db-cluster-id`, `engine`"),
    parameter!("MaxRecords", ITEMS, "at most so many in all"),
];
const DESCRIBE_DB_CLUSTERS: &[Parameter] = &[
    parameter!("DBClusterIdentifier", CLUSTER),
    parameter!("Filters", FILTERS, "as RDS names them: `engine`"),
    parameter!("MaxRecords", ITEMS, "at most so many in all"),
];
const DESCRIBE_EVENTS: &[Parameter] = &[
    parameter!("SourceIdentifier", Shape::Text { max: 255 }, "of a database or cluster; needs `SourceType`"),
    parameter!("SourceType", Shape::OneOf(SOURCES)),
    parameter!("StartTime", Shape::Time(Unit::Text)),
    parameter!("EndTime", Shape::Time(Unit::Text)),
    parameter!("Duration", Shape::Integer { min: 1, max: 20_160 }, "minutes back from now; an hour, if it is left out"),
    parameter!(
        "EventCategories",
        Shape::List { of: &Shape::Text { max: 100 }, min: 1, max: 20 },
        "`failover`, `availability`, `low storage`"
    ),
    parameter!("MaxRecords", ITEMS, "at most so many in all"),
];
const REBOOT_DB_INSTANCE: &[Parameter] = &[
    required!("DBInstanceIdentifier", DATABASE),
    parameter!("ForceFailover", Shape::Boolean, "to the standby, of a Multi-AZ database"),
];
const FAILOVER_DB_CLUSTER: &[Parameter] = &[
    required!("DBClusterIdentifier", CLUSTER),
    parameter!("TargetDBInstanceIdentifier", DATABASE, "the reader that becomes the writer"),
];
const MODIFY_DB_INSTANCE: &[Parameter] = &[
    required!("DBInstanceIdentifier", DATABASE),
    parameter!("AllocatedStorage", STORAGE, "GiB; more than now, at most twice as much"),
    parameter!("MaxAllocatedStorage", STORAGE, "GiB; how far it may grow by itself, at most twice of what it is now"),
    parameter!(
        "DBInstanceClass",
        Shape::Pattern {
            pattern: "^db\\.[a-z0-9][a-z0-9.-]{1,60}$",
            says: "the class of a DB instance, like db.r6g.large"
        }
    ),
    parameter!("ApplyImmediately", Shape::Boolean, "instead of in the next maintenance window"),
];

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        read!("rds:DescribeDBInstances", "Databases: status, class, storage, endpoint", DESCRIBE_DB_INSTANCES),
        read!("rds:DescribeDBClusters", "Clusters: status, members, who writes", DESCRIBE_DB_CLUSTERS),
        read!(
            "rds:DescribeEvents",
            "What happened to databases and clusters, 14 days back at most",
            DESCRIBE_EVENTS,
            |a| {
                if a.has("SourceIdentifier") && !a.has("SourceType") {
                    return Err("`SourceIdentifier` needs `SourceType`".into());
                }
                start_before_end(a)
            }
        ),
        change!(
            "rds:RebootDBInstance",
            Write,
            inverse None,
            "Restart a database; its connections are lost for as long as it takes",
            REBOOT_DB_INSTANCE,
            |_| Ok(())
        ),
        change!(
            "rds:FailoverDBCluster",
            Write,
            inverse Some("rds:FailoverDBCluster"),
            "Make a reader of a cluster its writer; connections are lost for some seconds",
            FAILOVER_DB_CLUSTER,
            |_| Ok(())
        ),
        change!(
            "rds:ModifyDBInstance",
            Write,
            inverse None,
            "Give a database more storage or another class; storage cannot be taken away again",
            MODIFY_DB_INSTANCE,
            |a| modification(a)
        ),
    ]
}

fn modification(arguments: Arguments<'_>) -> Result<(), String> {
    const CHANGES: [&str; 3] = ["AllocatedStorage", "MaxAllocatedStorage", "DBInstanceClass"];
    if !CHANGES.iter().any(|name| arguments.has(name)) {
        return Err(format!("at least one of {} must be given", CHANGES.join(", ")));
    }
    match (arguments.number("AllocatedStorage"), arguments.number("MaxAllocatedStorage")) {
        (Some(now), Some(max)) if max < now => {
            Err("`MaxAllocatedStorage` must not be less than `AllocatedStorage`".into())
        }
        _ => Ok(()),
    }
}

pub(crate) async fn send(session: &Session<'_>, action: &str, a: Arguments<'_>) -> Result<Value, Error> {
    let client = Client::new(session.config);
    let limit = a.number("MaxRecords");
    let database = a.text("DBInstanceIdentifier");
    let cluster = a.text("DBClusterIdentifier");
    Ok(match action {
        "DescribeDBInstances" => {
            let request = client.describe_db_instances().set_db_instance_identifier(database).set_filters(filters(a));
            pages!(session, limit, request, set_marker, db_instances, marker).answer("DBInstances")
        }
        "DescribeDBClusters" => {
            let request = client.describe_db_clusters().set_db_cluster_identifier(cluster).set_filters(filters(a));
            pages!(session, limit, request, set_marker, db_clusters, marker).answer("DBClusters")
        }
        "DescribeEvents" => {
            let request = client.describe_events().set_source_identifier(a.text("SourceIdentifier"));
            let request = request.set_source_type(a.str("SourceType").map(Into::into));
            let request = request.set_start_time(a.time("StartTime")).set_end_time(a.time("EndTime"));
            let request = request.set_duration(a.integer("Duration"));
            let request = request.set_event_categories(a.texts("EventCategories"));
            pages!(session, limit, request, set_marker, events, marker).answer("Events")
        }
        "RebootDBInstance" => {
            let request = client.reboot_db_instance().set_db_instance_identifier(database);
            let sent = request.set_force_failover(a.boolean("ForceFailover")).send().await;
            object([("DBInstance", sent.map_err(|error| session.failure(error))?.db_instance.answer())])
        }
        "FailoverDBCluster" => {
            let request = client.failover_db_cluster().set_db_cluster_identifier(cluster);
            let request = request.set_target_db_instance_identifier(a.text("TargetDBInstanceIdentifier"));
            let sent = request.send().await.map_err(|error| session.failure(error))?;
            object([("DBCluster", sent.db_cluster.answer())])
        }
        "ModifyDBInstance" => {
            growth(session, &client, a).await?;
            let request = client.modify_db_instance().set_db_instance_identifier(database);
            let request = request.set_allocated_storage(a.integer("AllocatedStorage"));
            let request = request.set_max_allocated_storage(a.integer("MaxAllocatedStorage"));
            let request = request.set_db_instance_class(a.text("DBInstanceClass"));
            let sent = request.set_apply_immediately(a.boolean("ApplyImmediately")).send().await;
            object([("DBInstance", sent.map_err(|error| session.failure(error))?.db_instance.answer())])
        }
        _ => return Err(session.unsent()),
    })
}

/// Storage cannot be taken away again and is paid for as long as the database lives: it may grow to twice what it is,
/// and by itself to no more than that.
async fn growth(session: &Session<'_>, client: &Client, a: Arguments<'_>) -> Result<(), Error> {
    let wanted = ["AllocatedStorage", "MaxAllocatedStorage"].map(|name| (name, a.number(name)));
    if wanted.iter().all(|(_, wanted)| wanted.is_none()) {
        return Ok(());
    }
    let sent = client.describe_db_instances().set_db_instance_identifier(a.text("DBInstanceIdentifier")).send().await;
    let found = sent.map_err(|error| session.failure(error))?.db_instances.unwrap_or_default();
    let is_this =
        |one: &&aws_sdk_rds::types::DbInstance| one.db_instance_identifier.as_deref() == a.str("DBInstanceIdentifier");
    let now = found.iter().find(is_this).and_then(|one| one.allocated_storage).map(i64::from);
    let wrong = |problem: String| Error::Arguments {
        operation: session.operation.into(),
        problem,
        hint: "storage may grow to at most twice what it is, and cannot shrink".into(),
    };
    let Some(now) = now.filter(|now| *now > 0) else {
        return Err(wrong("how much storage there is now is not known".into()));
    };
    for (name, wanted) in wanted.into_iter().filter_map(|(name, wanted)| Some((name, wanted?))) {
        let is_too_little = if name == "AllocatedStorage" { wanted <= now } else { wanted < now };
        if is_too_little || wanted > now.saturating_mul(2) {
            return Err(wrong(format!(
                "`{name}` must be more than {now} GiB, which there are now, and at most {} GiB, is: {wanted}",
                now * 2
            )));
        }
    }
    Ok(())
}

fn filters(a: Arguments<'_>) -> Option<Vec<Filter>> {
    let filter = |f: Arguments<'_>| Filter::builder().set_name(f.text("Name")).set_values(f.texts("Values")).build();
    a.has("Filters").then(|| a.records("Filters").into_iter().map(filter).collect())
}
