# Agents change nothing in the namespaces that keep the cluster alive.
package pi.kubernetes

protected_namespaces := {"kube-system", "kube-public", "kube-node-lease"}

deny contains {
	"id": "kube_system",
	"reason": sprintf("an agent would %s in the namespace `%s`", [effect.operation, namespace]),
	"advice": "describe the change to the platform team; reading there is free",
} if {
	input.origin.agent != "person"
	some effect in input.effects
	effect.kind == "kubernetes"
	effect.severity != "read"
	some namespace in touched_namespaces(effect)
	namespace in protected_namespaces
}

# The namespace is in the effect's target (`kube-system/pod/dns`, behind a context where one is named), or in a flag of the command.
touched_namespaces(effect) := {part | some part in split(effect.target, "/")} | named_namespaces

named_namespaces contains input.action.argv[at + 1] if {
	some at, word in input.action.argv
	word in {"-n", "--namespace"}
}

named_namespaces contains namespace if {
	some word in input.action.argv
	some flag in ["--namespace=", "-n=", "-n"]
	startswith(word, flag)
	namespace := trim_prefix(word, flag)
}

named_namespaces contains name if {
	some name in protected_namespaces
	"--all-namespaces" in input.action.argv
}

named_namespaces contains name if {
	some name in protected_namespaces
	"-A" in input.action.argv
}
