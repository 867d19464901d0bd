package pi.kubernetes_test

import data.pi.kubernetes as policy

act(words, severity, agent) := {
	"action": {"name": "process_run", "argv": array.concat(["kubectl"], words), "directory": "/srv/app"},
	"effects": [{"kind": "kubernetes", "operation": "delete", "target": "default/pod/dns", "severity": severity}],
	"origin": {"session": "s1", "agent": agent, "plugin": ""},
}

test_denies_by_flag if {
	count(policy.deny) == 1 with input as act(["delete", "pod", "dns", "-n", "kube-system"], "destructive", "healer")
	count(policy.deny) == 1 with input as act(["delete", "pod", "dns", "--namespace=kube-system"], "destructive", "healer")
	count(policy.deny) == 1 with input as act(["delete", "pod", "dns", "-nkube-system"], "destructive", "healer")
}

test_denies_by_target if {
	document := {
		"action": {"name": "process_run", "argv": ["kubectl", "delete", "-f", "dns.yaml"]},
		"effects": [{"kind": "kubernetes", "operation": "delete", "target": "kube-system/pod/dns", "severity": "destructive"}],
		"origin": {"agent": "healer"},
	}
	denied := policy.deny with input as document
	some finding in denied
	finding.id == "kube_system"
	finding.reason == "an agent would delete in the namespace `kube-system`"
}

test_all_namespaces_are_these_as_well if {
	count(policy.deny) == 3 with input as act(["delete", "pods", "--all", "-A"], "destructive", "healer")
	count(policy.deny) == 3 with input as act(["delete", "pods", "--all-namespaces"], "destructive", "healer")
}

test_reading_is_free if {
	count(policy.deny) == 0 with input as act(["get", "pods", "-n", "kube-system"], "read", "healer")
}

test_other_namespaces_are_free if {
	count(policy.deny) == 0 with input as act(["delete", "pod", "web", "-n", "shop"], "destructive", "healer")
}

test_a_person_may if {
	count(policy.deny) == 0 with input as act(["delete", "pod", "dns", "-n", "kube-system"], "destructive", "person")
}
