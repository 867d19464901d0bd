//! The operations on AWS that an agent may be granted, behind one JSON face.
//!
//! An operation is named as IAM names it (`ec2:RebootInstances`). Its arguments and its answer are JSON in AWS's own
//! names, as `aws ... --output json` prints them: PascalCase, but for CloudWatch Logs, whose own names begin with a small
//! letter. Times are RFC 3339 in answers, and may be in arguments. Pages are joined up to a limit; what was cut says
//! `"Truncated": true`.
//!
//! A call is checked in full before anything is sent (`Call::read`), so that who decides about it decides about exactly
//! what will be done. This is the only place that names the AWS SDKs, and it knows nothing of the host: neither the
//! environment nor the clock is read here, what is needed of the environment is in `Settings`.
//!
//! To add an operation: an entry in the table of its service with its parameters, an arm in the service's `call`, and
//! the names of its answer's fields.
//!
//! | operation | severity | inverse | what it does |
//! |---|---|---|---|
//! | `ec2:DescribeInstances` | read | | Machines: state, type, addresses, tags, volumes |
//! | `ec2:DescribeInstanceStatus` | read | | Status checks of machines, and what AWS has planned for them |
//! | `ec2:GetConsoleOutput` | read | | What a machine wrote to its console while it started |
//! | `ec2:DescribeVolumes` | read | | Volumes: size, type, state, where they are attached |
//! | `ec2:RebootInstances` | write | | Reboot machines; they keep their addresses and volumes |
//! | `ec2:StopInstances` | destructive | `ec2:StartInstances` | Stop machines; what is on instance store volumes is lost, public addresses change |
//! | `ec2:StartInstances` | write | `ec2:StopInstances` | Start machines that are stopped |
//! | `cloudwatch:GetMetricData` | read | | Points of several metrics at once, with metric math |
//! | `cloudwatch:GetMetricStatistics` | read | | Points of one metric |
//! | `cloudwatch:ListMetrics` | read | | Which metrics there are |
//! | `cloudwatch:DescribeAlarms` | read | | Alarms: state, why, metric and threshold |
//! | `cloudwatch:DescribeAlarmHistory` | read | | When alarms changed their state |
//! | `logs:DescribeLogGroups` | read | | Which log groups there are |
//! | `logs:FilterLogEvents` | read | | Events of a log group, by time and filter |
//! | `logs:StartQuery` | read | | Begin a query of Logs Insights; logs:GetQueryResults has its rows |
//! | `logs:GetQueryResults` | read | | Rows of a query of Logs Insights, and whether it is done |
//! | `rds:DescribeDBInstances` | read | | Databases: status, class, storage, endpoint |
//! | `rds:DescribeDBClusters` | read | | Clusters: status, members, who writes |
//! | `rds:DescribeEvents` | read | | What happened to databases and clusters, 14 days back at most |
//! | `rds:RebootDBInstance` | write | | Restart a database; its connections are lost for as long as it takes |
//! | `rds:FailoverDBCluster` | write | `rds:FailoverDBCluster` | Make a reader of a cluster its writer; connections are lost for some seconds |
//! | `rds:ModifyDBInstance` | write | | Give a database more storage or another class; storage cannot be taken away again |
//! | `ssm:SendCommand` | destructive | | Run a shell script on machines as root; ssm:GetCommandInvocation has what came of it |
//! | `ssm:GetCommandInvocation` | read | | What a script did on one machine: status, exit code, output |
//! | `ssm:DescribeInstanceInformation` | read | | Which machines SSM reaches, and when they last answered |
//! | `autoscaling:DescribeAutoScalingGroups` | read | | Groups: bounds, wanted size, instances and their health |
//! | `autoscaling:DescribeAutoScalingInstances` | read | | Machines of groups: which group, lifecycle, health |
//! | `autoscaling:SetDesiredCapacity` | write | `autoscaling:SetDesiredCapacity` | Make a group larger or smaller; fewer means that machines end, and the group says which |
//! | `elasticloadbalancing:DescribeTargetHealth` | read | | Which targets of a group are healthy, and why not |
//! | `elasticloadbalancing:DescribeTargetGroups` | read | | Target groups: health check, port, load balancers |
//! | `cloudtrail:LookupEvents` | read | | Recent changes, 90 days back: who did what to which resource; two calls a second at most |

mod account;
mod answer;
mod argument;
mod call;
mod error;
mod fields;
mod operation;
mod service;
mod session;
mod shape;
mod tags;
mod transport;

pub use account::{Account, Identity, Settings};
pub use call::{Call, Resource};
pub use error::Error;
pub use operation::{Operation, Severity, operation, operations};
