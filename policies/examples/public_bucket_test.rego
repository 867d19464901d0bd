package pi.cloud_test

import data.pi.cloud as policy

act(words) := {"action": {"name": "process_run", "argv": array.concat(["aws"], words), "directory": "/srv/app"}}

test_denies_public_acls if {
	count(policy.deny) == 1 with input as act(["s3", "cp", "a", "s3://b/a", "--acl", "public-read"])
	count(policy.deny) == 1 with input as act(["s3api", "put-bucket-acl", "--bucket", "b", "--acl=public-read-write"])
}

test_denies_grants_to_everyone if {
	grant := "uri=http://acs.amazonaws.com/groups/global/AllUsers"
	count(policy.deny) == 1 with input as act(["s3api", "put-object-acl", "--grant-read", grant])
}

test_denies_a_policy_for_every_principal if {
	document := `{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}]}`
	count(policy.deny) == 1 with input as act(["s3api", "put-bucket-policy", "--policy", document])
}

test_denies_taking_the_block_away if {
	block := "BlockPublicAcls=false,IgnorePublicAcls=true"
	count(policy.deny) == 1 with input as act(["s3api", "put-public-access-block", "--public-access-block-configuration", block])
}

test_asks_about_a_policy_in_a_file if {
	count(policy.ask) == 1 with input as act(["s3api", "put-bucket-policy", "--policy", "file://policy.json"])
}

test_private_uploads_are_free if {
	words := ["s3", "cp", "public-readme.txt", "s3://b/a", "--acl", "private"]
	count(policy.deny) == 0 with input as act(words)
	count(policy.ask) == 0 with input as act(words)
}

test_other_services_are_not_looked_at if {
	count(policy.deny) == 0 with input as act(["ec2", "describe-instances", "--acl", "public-read"])
}

test_names_the_word if {
	denied := policy.deny with input as act(["s3", "cp", "a", "s3://b/a", "--acl", "public-read"])
	some finding in denied
	finding.id == "public_bucket"
	contains(finding.reason, "public-read")
}

test_denies_deleting_the_acl_block if {
	count(policy.deny) == 1 with input as act(["s3control", "put-bucket", "--no-block-public-acls"])
}
