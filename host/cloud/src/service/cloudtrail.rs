//! CloudTrail: who changed what, recently.

use crate::operation::{Operation, parameter, read, required};
use crate::service::{ITEMS, start_before_end};
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
