package pi.database_test

import data.pi.database as policy

act(operation, severity, target) := {
	"action": {"name": "process_run", "argv": ["psql", "-c", ".."], "directory": "/srv/app"},
	"effects": [{"kind": "database", "operation": operation, "target": "orders", "severity": severity}],
	"origin": {"session": "s1", "agent": "healer", "plugin": ""},
	"target": target,
	"time": {"weekday": "tuesday", "hour": 10, "minute": 0},
}

by_person(document) := object.union(document, {"origin": {"agent": "person"}})

at(document, hour) := object.union(document, {"time": {"hour": hour}})

ids(findings) := {finding.id | some finding in findings}

test_asks_about_updates_on_production if {
	asked := policy.ask with input as act("update", "write", "production")
	ids(asked) == {"production_database"}
}

test_says_nothing_about_staging if {
	count(policy.ask) == 0 with input as act("update", "write", "staging")
	count(policy.deny) == 0 with input as act("drop", "destructive", "staging")
}

test_reading_is_not_asked_about if {
	count(policy.ask) == 0 with input as act("select", "read", "production")
}

test_an_agent_may_not_drop if {
	denied := policy.deny with input as act("drop", "destructive", "production")
	ids(denied) == {"production_database_drop"}
}

test_a_person_may_drop_after_being_asked if {
	count(policy.deny) == 0 with input as by_person(act("drop", "destructive", "production"))
	count(policy.ask) == 1 with input as by_person(act("drop", "destructive", "production"))
}

test_reading_at_night_is_noted if {
	count(policy.evidence) == 1 with input as at(act("select", "read", "production"), 3)
	count(policy.evidence) == 1 with input as at(act("select", "read", "production"), 22)
	count(policy.evidence) == 0 with input as at(act("select", "read", "production"), 12)
}
