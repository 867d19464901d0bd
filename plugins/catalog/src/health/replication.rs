//! Replicas that are behind, and slots that keep the log for nobody.

use crate::finding::{Severity, Subject};
use crate::health::{Check, Thresholds, ailment, figure, mebibytes};
use crate::quote::literal;
use crate::rows::{text, text_or_empty};

/// Where the log ends; a replica has no end of its own, but what it has received.
const END: &str = "CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn() ELSE pg_catalog.pg_current_wal_lsn() END";

pub(super) fn checks(thresholds: &Thresholds) -> Vec<Check> {
    vec![behind(thresholds), slots(thresholds)]
}

fn behind(thresholds: &Thresholds) -> Check {
    Check {
        what: "replicas",
        statement: format!(
            "SELECT r.application_name AS replica, r.pid::int8 AS pid, pg_catalog.pg_wal_lsn_diff({END}, r.replay_lsn)::float8 AS bytes, \
             EXTRACT(EPOCH FROM r.replay_lag)::float8 AS seconds, r.state AS state FROM pg_catalog.pg_stat_replication r \
             WHERE pg_catalog.pg_wal_lsn_diff({END}, r.replay_lsn) >= {} ORDER BY 3 DESC",
            thresholds.replication_bytes
        ),
        keys: 2,
        read: |row, _| {
            let (name, bytes) = (text_or_empty(row, 0), mebibytes(figure(row, 2)));
            let claim = format!("The replica `{name}` is {bytes} MiB of the log behind.");
            let found =
                ailment("replica_behind", Subject::database(), Severity::Warning, claim).number("mebibytes", bytes);
            Some(found.caveat("reads there show the past; a failover now would lose it, or wait for it"))
        },
    }
}

fn slots(thresholds: &Thresholds) -> Check {
    Check {
        what: "replication slots",
        statement: format!(
            "SELECT s.slot_name::text AS slot, s.wal_status AS status, COALESCE(pg_catalog.pg_wal_lsn_diff({END}, s.restart_lsn), 0)::float8 AS bytes \
             FROM pg_catalog.pg_replication_slots s WHERE NOT s.active AND (s.wal_status IN ('unreserved', 'lost') \
             OR pg_catalog.pg_wal_lsn_diff({END}, s.restart_lsn) >= {}) ORDER BY 3 DESC, 1",
            thresholds.slot_bytes
        ),
        keys: 1,
        read: |row, _| {
            let (slot, bytes) = (text_or_empty(row, 0), mebibytes(figure(row, 2)));
            let claim = match text(row, 1).as_deref() {
                Some("lost") => {
                    format!("The replication slot `{slot}` has lost what it needs: its reader must begin anew.")
                }
                _ => format!("The replication slot `{slot}` is used by nobody and keeps {bytes} MiB of the log."),
            };
            Some(
                ailment("slot_inactive", Subject::database(), Severity::Warning, claim)
                    .number("mebibytes", bytes)
                    .mend(format!("SELECT pg_drop_replication_slot({});", literal(&slot)))
                    .caveat("its reader may come back: ask first; until then the disk fills, and dead rows stay"),
            )
        },
    }
}
