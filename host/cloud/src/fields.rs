//! The names of the fields of answers, a file for each service.

mod autoscaling;
mod cloudtrail;
mod cloudwatch;
mod ec2;
mod elasticloadbalancing;
mod logs;
mod rds;
mod ssm;
