# No change that cannot be undone while nobody is there to undo it: from Friday, 16:00 to Monday, 06:00.
# Hours are those of UTC.
package pi.any

deny contains {
	"id": "change_freeze",
	"reason": sprintf("%s of `%s` cannot be undone, and changes are frozen over the weekend", [effect.operation, effect.target]),
	"advice": "wait until Monday, 06:00, or have the person on call do it by hand",
} if {
	is_frozen
	some effect in input.effects
	effect.severity == "destructive"
}

# What can be undone goes on, but a person looks at it.
ask contains {
	"id": "change_freeze_write",
	"reason": sprintf("%s of `%s` on production, over the weekend", [effect.operation, effect.target]),
	"advice": "say in the request why it cannot wait until Monday",
} if {
	is_frozen
	input.target == "production"
	some effect in input.effects
	effect.severity == "write"
}

is_frozen if input.time.weekday in {"saturday", "sunday"}

is_frozen if {
	input.time.weekday == "friday"
	input.time.hour >= 16
}

is_frozen if {
	input.time.weekday == "monday"
	input.time.hour < 6
}
