//! CloudTrail: who changed what, recently.

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use serde_json::Value;

use crate::answer::pages;
use crate::argument::Arguments;
use crate::error::Error;
use crate::operation::{Operation, parameter, read, required};
use crate::service::{ITEMS, start_before_end};
use crate::session::Session;
use crate::shape::{Parameter, Shape, Unit};

const KEYS: &[&str] =
    &["EventId", "EventName", "ReadOnly", "Username", "ResourceType", "ResourceName", "EventSource", "AccessKeyId"];
const ATTRIBUTE: &[Parameter] = &[
    required!("AttributeKey", Shape::OneOf(KEYS)),
    required!("AttributeValue", Shape::Text { max: 2000 }, "of ResourceName: the id, `i-0123456789abcdef0`"),
];
const LOOKUP_EVENTS: &[Parameter] = &[
    parameter!("LookupAttributes", Shape::List { of: &Shape::Record(ATTRIBUTE), min: 1, max: 1 }),
    parameter!("StartTime", Shape::Time(Unit::Text)),
    parameter!("EndTime", Shape::Time(Unit::Text)),
    parameter!("MaxResults", ITEMS, "at most so many in all"),
];

pub(crate) fn operations() -> Vec<Operation> {
    vec![read!(
        "cloudtrail:LookupEvents",
        "Recent changes, 90 days back: who did what to which resource; two calls a second at most",
        LOOKUP_EVENTS,
        |a| start_before_end(a)
    )]
}

pub(crate) async fn send(session: &Session<'_>, action: &str, a: Arguments<'_>) -> Result<Value, Error> {
    if action != "LookupEvents" {
        return Err(session.unsent());
    }
    let mut attributes = Vec::new();
    for attribute in a.records("LookupAttributes") {
        let built = LookupAttribute::builder().set_attribute_value(attribute.text("AttributeValue"));
        let built = built.set_attribute_key(attribute.str("AttributeKey").map(LookupAttributeKey::from));
        attributes.push(built.build().map_err(|_| session.unsent())?);
    }
    let request = Client::new(session.config).lookup_events().set_start_time(a.time("StartTime"));
    let request = request.set_end_time(a.time("EndTime")).max_results(50);
    let request = request.set_lookup_attributes(Some(attributes).filter(|attributes| !attributes.is_empty()));
    // Two calls a second are allowed, of which each has 50: fewer are looked for than elsewhere, if the call does not say.
    let limit = Some(a.number("MaxResults").unwrap_or(200));
    Ok(pages!(session, limit, request, set_next_token, events, next_token).answer("Events"))
}
