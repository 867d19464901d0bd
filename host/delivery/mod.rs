//! Reports on their way to people: what a parcel is, the ways by which it goes, and the outbox in which letters wait.
//!
//! A way sends one parcel and says what came of it; when it is tried again, and when it is given up, is the outbox's
//! affair. Delivery is at least once: a host that is killed between the sending and its note sends again, and each way
//! carries the letter's key, by which a receiver knows the second copy. What stands in a parcel came out of somebody's
//! database by way of an agent: each way escapes it for its medium.

pub mod email;
pub mod files;
pub mod outbox;
pub mod slack;
pub mod webhook;

use async_trait::async_trait;

use crate::outbound::ChannelError;

/// What is delivered: a report, several in a digest, or that there is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parcel {
    /// The same for every try: receivers know a copy by it.
    pub key: String,
    /// Who sends it: the name of the host.
    pub sender: String,
    pub title: String,
    pub sheets: Vec<Sheet>,
}

/// One report in a parcel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sheet {
    /// Of the report, for `pi-host report show`. Empty: there is none, the summary says why.
    pub report: String,
    pub topic: String,
    pub title: String,
    pub summary: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    pub claims: Vec<Claim>,
    /// Empty: its file is gone.
    pub markdown: String,
    /// The page that holds everything. Empty: as above.
    pub page: Vec<u8>,
    pub pictures: Vec<Picture>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub severity: String,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub name: String,
    pub mime: &'static str,
    pub bytes: Vec<u8>,
    /// In words, for who does not see it.
    pub alternative: String,
}

impl Parcel {
    /// The pictures that every medium shows.
    fn bitmaps(&self) -> impl Iterator<Item = &Picture> {
        self.sheets.iter().flat_map(|sheet| &sheet.pictures).filter(|picture| picture.mime == "image/png")
    }
}

impl Sheet {
    /// A name for its page that says what it is.
    fn page_name(&self) -> String {
        let day = crate::clock::rfc3339(self.created_ms);
        format!("{}-{}.html", self.topic, day.get(..10).unwrap_or("undated"))
    }
}

/// A way to people.
#[async_trait]
pub trait Route: Send + Sync {
    /// Where it goes, in words: `Slack's channel C0123`.
    fn target(&self) -> String;

    /// Whether it shows bitmaps alone.
    fn wants_bitmaps(&self) -> bool;

    /// Send it. Says where it is now, and what of it could not be brought along.
    ///
    /// # Errors
    /// It is not there, as far as is known; `is_temporary` says whether it may go well later.
    async fn send(&self, parcel: &Parcel) -> Result<String, ChannelError>;
}

/// Why a way cannot work, before anything is sent.
pub(crate) fn setting(place: &str, what: impl Into<String>, hint: &str) -> ChannelError {
    ChannelError::Config { place: place.to_owned(), what: what.into(), hint: hint.to_owned() }
}
