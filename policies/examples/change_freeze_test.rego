package pi.any_test

import data.pi.any as policy

act(severity, weekday, hour) := {
	"action": {"name": "process_run", "argv": ["terraform", "destroy"], "directory": "/srv/app"},
	"effects": [{"kind": "terraform", "operation": "destroy", "target": "module.shop", "severity": severity}],
	"target": "production",
	"time": {"weekday": weekday, "hour": hour, "minute": 0},
}

ids(findings) := {finding.id | some finding in findings}

test_denies_destruction_on_saturday if {
	denied := policy.deny with input as act("destructive", "saturday", 12)
	ids(denied) == {"change_freeze"}
}

test_names_what_would_be_lost if {
	denied := policy.deny with input as act("destructive", "sunday", 12)
	some finding in denied
	contains(finding.reason, "module.shop")
}

test_freezes_from_friday_afternoon if {
	count(policy.deny) == 1 with input as act("destructive", "friday", 16)
	count(policy.deny) == 0 with input as act("destructive", "friday", 15)
}

test_thaws_on_monday_morning if {
	count(policy.deny) == 1 with input as act("destructive", "monday", 5)
	count(policy.deny) == 0 with input as act("destructive", "monday", 6)
}

test_asks_about_writes_on_production if {
	asked := policy.ask with input as act("write", "saturday", 12)
	ids(asked) == {"change_freeze_write"}
	count(policy.deny) == 0 with input as act("write", "saturday", 12)
}

test_reads_are_never_frozen if {
	count(policy.deny) == 0 with input as act("read", "saturday", 12)
	count(policy.ask) == 0 with input as act("read", "saturday", 12)
}

test_weekdays_are_free if {
	count(policy.deny) == 0 with input as act("destructive", "wednesday", 12)
	count(policy.ask) == 0 with input as act("write", "wednesday", 12)
}
