# A change to a production database needs a person, whatever the agent was granted.
package pi.database

ask contains {
	"id": "production_database",
	"reason": sprintf("%s of `%s` in a production database", [effect.operation, effect.target]),
	"advice": "run it on staging first, and show the person the rows that it changes there",
	"points": 60,
} if {
	is_production
	some effect in input.effects
	effect.kind == "database"
	effect.severity != "read"
}

# Dropping is never done by an agent: there is a procedure with a backup for it.
deny contains {
	"id": "production_database_drop",
	"reason": sprintf("an agent would drop `%s` in a production database", [effect.target]),
	"advice": "open a request for the database team; they take a backup before",
} if {
	is_production
	input.origin.agent != "person"
	some effect in input.effects
	effect.kind == "database"
	effect.operation in {"drop", "truncate"}
}

# Reading is allowed, and counts a little when the night shift cannot look at it.
evidence contains {
	"id": "production_database_at_night",
	"reason": "production data is read at night",
	"points": 10,
} if {
	is_production
	is_night
	some effect in input.effects
	effect.kind == "database"
	effect.severity == "read"
}

is_production if input.target == "production"

is_night if input.time.hour < 6

is_night if input.time.hour >= 22
