//! RDS: databases and clusters, what happened to them; reboot, failover, growth.

use crate::argument::Arguments;
use crate::operation::{Operation, change, parameter, read, required};
use crate::service::{FILTERS, ITEMS, start_before_end};
use crate::shape::{Name, Parameter, Shape, Unit};

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
    parameter!("MaxAllocatedStorage", STORAGE, "GiB; how far it may grow by itself"),
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
