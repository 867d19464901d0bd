//! OSV's API: which advisories concern packages, in batches, then each advisory once.
//!
//! `POST /v1/querybatch` answers with identifiers, page by page, and `GET /v1/vulns/{id}` with records.
//! A package whose answer is late, cut, too large, refused or nonsense is unknown, and the others are
//! not hurt by it. All that an answer contains is checked before it becomes part of another request.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use futures::FutureExt;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::Package;
use super::advisory::{Matched, Report, Source, Status, report};
use super::fetch::{self, FetchError, LazyClient, Patience};
use super::osv::{Entry, Record, RecordError, is_id};
use crate::clock::{self, Instant};

/// Where OSV's API is.
pub const API_URL: &str = "https://api.osv.dev";

/// Queries in one request: more are refused by the API.
const QUERIES_MAX: usize = 1000;
/// Pages of one batch. Danger: a page token that always leads to another page.
const PAGES_MAX: usize = 32;
/// Records that one check reads. Danger: a package of which the answer names a million.
const RECORDS_MAX: usize = 2000;
/// Records that are asked for at the same time.
const RECORDS_AT_ONCE: usize = 16;
/// Longest page token. Danger: a request that grows with every page.
const TOKEN_BYTES_MAX: usize = 4096;

/// What a check by the API may take.
#[derive(Clone, Copy, Debug)]
pub struct ApiLimits {
    /// For all requests of one check together.
    pub total: Duration,
    /// For one request.
    pub each: Duration,
    /// Of one answer. Danger: an answer that fills the memory.
    pub answer_bytes_max: u64,
    /// Requests for one answer while the API says that it is busy.
    pub attempts_max: u32,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            total: Duration::from_secs(10),
            each: Duration::from_secs(5),
            answer_bytes_max: 16 * 1024 * 1024,
            attempts_max: 3,
        }
    }
}

/// A client of OSV's API.
#[derive(Clone, Debug)]
pub struct Api {
    base: String,
    client: LazyClient,
    limits: ApiLimits,
}

impl Api {
    /// A client of the API at this base URL, [`API_URL`] for the public one.
    ///
    /// # Errors
    /// It is not a URL whose answers can be trusted.
    pub fn new(base: &str, limits: ApiLimits) -> Result<Self, FetchError> {
        let base = fetch::base_url(base)?;
        let client = LazyClient::new(&base, limits.each);
        Ok(Self { base, client, limits })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.base
    }

    /// A report for each package, in their order.
    pub async fn check(&self, packages: &[Package]) -> Vec<Report> {
        let deadline = clock::monotonic() + self.limits.total;
        let mut found = Vec::with_capacity(packages.len());
        for packages in packages.chunks(QUERIES_MAX) {
            found.extend(self.identifiers(packages, deadline).await);
        }
        let wanted: BTreeSet<&str> = found.iter().flat_map(|found| &found.identifiers).map(String::as_str).collect();
        let records = self.records(&wanted, deadline).await;
        packages.iter().zip(found).map(|(package, found)| self.report(package, found, &records)).collect()
    }

    fn report(&self, package: &Package, found: Identifiers, records: &Records) -> Report {
        let mut failure = found.failure;
        let mut entries = vec![];
        for id in &found.identifiers {
            match records.get(id) {
                Some(Ok(record)) if record.is_withdrawn() => {}
                Some(Ok(record)) => entries.push(record.entry_for(&package.ecosystem, &package.name)),
                // The identifier alone is a finding. How bad it is, nobody knows.
                Some(Err(error)) => {
                    failure = Some(format!("{id} could not be read: {error}"));
                    entries.extend(bare_entry(id));
                }
                None => {
                    failure = Some(format!("{id} was not read: there may be {RECORDS_MAX} in a check"));
                    entries.extend(bare_entry(id));
                }
            }
        }
        let source = Source::Api { url: self.base.clone() };
        let matched = if query_version(package).is_some() { Matched::BySource } else { Matched::ByName };
        let mut report = report(package.clone(), entries, matched, source);
        if let Some(reason) = failure {
            report.status = Status::Unknown { reason: format!("{}: {reason}", self.base) };
        }
        report
    }

    /// What the API says concerns each package.
    async fn identifiers(&self, packages: &[Package], deadline: Instant) -> Vec<Identifiers> {
        let mut found: Vec<Identifiers> = packages.iter().map(|_| Identifiers::default()).collect();
        let mut queries: Vec<(usize, Query<'_>)> = packages.iter().map(Query::new).enumerate().collect();
        for _ in 0..PAGES_MAX {
            if queries.is_empty() {
                return found;
            }
            match self.page(&queries, deadline).await {
                Ok(results) => queries = take_page(queries, results, &mut found),
                Err(error) => {
                    fail(&queries, &mut found, &error.to_string());
                    return found;
                }
            }
        }
        fail(&queries, &mut found, &format!("its answer has more than {PAGES_MAX} pages"));
        found
    }

    async fn page(&self, queries: &[(usize, Query<'_>)], deadline: Instant) -> Result<Vec<PageResult>, FetchError> {
        let not_osv = |error: serde_json::Error| FetchError::NotOsv(error.to_string());
        let batch = Batch { queries: queries.iter().map(|(_, query)| query).collect() };
        let body = serde_json::to_vec(&batch).map_err(not_osv)?;
        let url = format!("{}/v1/querybatch", self.base);
        let client = self.client.get()?;
        let request = || client.post(&url).header("content-type", "application/json").body(body.clone());
        let response = fetch::respond(request, self.patience(), deadline).await?;
        let answer = fetch::body(response, self.limits.answer_bytes_max, self.patience(), deadline).await?;
        let answer: Answer = serde_json::from_slice(&answer).map_err(not_osv)?;
        if answer.results.len() == queries.len() {
            Ok(answer.results)
        } else {
            // Without one result for each query nobody knows which package a result is about.
            Err(FetchError::NotOsv(format!("{} results for {} queries", answer.results.len(), queries.len())))
        }
    }

    async fn records(&self, wanted: &BTreeSet<&str>, deadline: Instant) -> Records {
        // Owned and boxed: a future that borrows each id cannot be sent to another thread by who awaits this.
        let ids: Vec<String> = wanted.iter().take(RECORDS_MAX).map(|id| (*id).to_owned()).collect();
        let asked = ids.into_iter().map(|id| {
            async move {
                let record = self.record(&id, deadline).await.map_err(|error| error.to_string());
                (id, record)
            }
            .boxed()
        });
        futures::stream::iter(asked).buffer_unordered(RECORDS_AT_ONCE).collect().await
    }

    async fn record(&self, id: &str, deadline: Instant) -> Result<Record, FetchError> {
        let url = format!("{}/v1/vulns/{id}", self.base);
        let client = self.client.get()?;
        let response = fetch::respond(|| client.get(&url), self.patience(), deadline).await?;
        let answer = fetch::body(response, self.limits.answer_bytes_max, self.patience(), deadline).await?;
        let record = Record::read(&answer).map_err(|error: RecordError| FetchError::NotOsv(error.to_string()))?;
        if record.id == id { Ok(record) } else { Err(FetchError::NotOsv("it is the record of another one".into())) }
    }

    fn patience(&self) -> Patience {
        Patience { each: self.limits.each, attempts_max: self.limits.attempts_max, pause_max: self.limits.each }
    }
}

type Records = HashMap<String, Result<Record, String>>;

/// What the API says concerns a package, and why that may not be all.
#[derive(Debug, Default)]
struct Identifiers {
    identifiers: BTreeSet<String>,
    failure: Option<String>,
}

#[derive(Serialize)]
struct Batch<'a> {
    queries: Vec<&'a Query<'a>>,
}

#[derive(Serialize)]
struct Query<'a> {
    package: QueryPackage,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_token: Option<String>,
}

#[derive(Serialize)]
struct QueryPackage {
    ecosystem: String,
    name: String,
}

impl<'a> Query<'a> {
    fn new(package: &'a Package) -> Self {
        // The API knows the names of PyPI in their normal form, and all others as they are written.
        let name = match package.ecosystem.name() {
            "PyPI" => package.ecosystem.normal_name(&package.name),
            _ => package.name.trim().to_owned(),
        };
        let package_name = QueryPackage { ecosystem: package.ecosystem.to_string(), name };
        Self { package: package_name, version: query_version(package), page_token: None }
    }
}

/// The version to ask about. For what is no version all that is known of the package is asked: the
/// API would compare `latest` like a version, and find nothing.
fn query_version(package: &Package) -> Option<&str> {
    let version = package.version.as_deref().map(str::trim);
    version.filter(|version| package.ecosystem.scheme().is_version(version))
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<PageResult>,
}

#[derive(Deserialize)]
struct PageResult {
    #[serde(default)]
    vulns: Option<Vec<Identifier>>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Identifier {
    id: String,
}

/// Note what a page says, and make the queries for the next one.
fn take_page<'a>(
    queries: Vec<(usize, Query<'a>)>,
    results: Vec<PageResult>,
    found: &mut [Identifiers],
) -> Vec<(usize, Query<'a>)> {
    let mut next = vec![];
    for ((at, query), result) in queries.into_iter().zip(results) {
        let Some(found) = found.get_mut(at) else { continue };
        for Identifier { id } in result.vulns.unwrap_or_default() {
            if is_id(&id) {
                found.identifiers.insert(id);
            } else {
                let id: String = id.chars().take(40).collect();
                found.failure = Some(format!("it names what is not a record: `{}`", id.escape_debug()));
            }
        }
        match result.next_page_token.filter(|token| !token.is_empty()) {
            Some(token) if token.len() > TOKEN_BYTES_MAX => {
                found.failure = Some(format!("its page token is longer than {TOKEN_BYTES_MAX} bytes"));
            }
            Some(token) => next.push((at, Query { page_token: Some(token), ..query })),
            None => {}
        }
    }
    next
}

fn fail(queries: &[(usize, Query<'_>)], found: &mut [Identifiers], reason: &str) {
    for (at, _) in queries {
        if let Some(found) = found.get_mut(*at) {
            found.failure = Some(reason.to_owned());
        }
    }
}

/// What is known of a record whose text could not be read: its identifier, which may say `MAL`.
fn bare_entry(id: &str) -> Option<Entry> {
    let text = serde_json::to_vec(&serde_json::json!({ "id": id })).ok()?;
    let record = Record::read(&text).ok()?;
    // One part that says nothing: without it the evaluation would find the package not concerned.
    Some(record.entry(record.own_severity(), vec![super::osv::Part::of_every_version()]))
}
