# No bucket or object is opened to the world, by whichever of the ways that S3 has for it.
package pi.cloud

deny contains {
	"id": "public_bucket",
	"reason": sprintf("`%s` would open S3 data to everyone", [word]),
	"advice": "share by a presigned URL, or grant the account that needs it",
} if {
	is_s3
	some word in input.action.argv
	is_public(word)
}

# A policy document in a file cannot be looked into from here.
ask contains {
	"id": "bucket_policy_file",
	"reason": sprintf("the bucket policy is in the file `%s`, which was not read", [word]),
	"advice": "give the policy in the command, so that it can be checked",
} if {
	is_s3
	"put-bucket-policy" in input.action.argv
	some word in input.action.argv
	startswith(word, "file://")
}

is_s3 if {
	some word in input.action.argv
	word in {"s3", "s3api", "s3control"}
}

is_public(word) if regex.match(`^(--acl=)?public-read(-write)?$`, word)

is_public(word) if word == "--no-block-public-acls"

is_public(word) if regex.match(`(?i)(BlockPublicAcls|BlockPublicPolicy|RestrictPublicBuckets)"?\s*[=:]\s*false`, word)

is_public(word) if regex.match(`groups/global/(AllUsers|AuthenticatedUsers)`, word)

is_public(word) if regex.match(`"Principal"\s*:\s*("\*"|\{\s*"AWS"\s*:\s*\[?\s*"\*")`, word)
