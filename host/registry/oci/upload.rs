//! Bringing blobs and manifests into a repository.

use bytes::Bytes;
use reqwest::header::LOCATION;
use reqwest::{Method, Url};

use super::{Layer, Repository, sending};
use crate::registry::digest::Digest;
use crate::registry::fetch::{Failure, Progress, Watch};
use crate::registry::quoted;
use crate::registry::web::Ask;

/// Uploads of one blob that are begun: a registry that restarts forgets the first.
const UPLOADS_MAX: usize = 2;

impl Repository {
    /// Bring a blob there, unless it is there already.
    pub(crate) async fn upload(&mut self, bytes: Bytes, watch: &mut Watch<'_>) -> Result<Layer, Failure> {
        let layer = Layer::of(&bytes);
        let url = self.url(&format!("blobs/{}", layer.digest))?;
        let head = Ask { method: Method::HEAD, ..Ask::get(url, "", 0) };
        let is_there = self.ask(head, &mut |_| {}).await?.status.as_u16() == 200;
        if !is_there {
            let mut done = self.upload_once(&bytes, &layer.digest).await;
            for _ in 1..UPLOADS_MAX {
                // Its upload was forgotten: it is begun again.
                let is_forgotten = matches!(done, Err(Failure::NotFound { .. }));
                if is_forgotten {
                    done = self.upload_once(&bytes, &layer.digest).await;
                }
            }
            done?;
        }
        watch(Progress { bytes: layer.size, total: Some(layer.size) });
        Ok(layer)
    }

    async fn upload_once(&mut self, bytes: &Bytes, digest: &Digest) -> Result<(), Failure> {
        let url = self.url("blobs/uploads/")?;
        let answer =
            self.ask(sending(Method::POST, url.clone(), "application/octet-stream", Bytes::new()), &mut |_| {}).await?;
        if answer.status.as_u16() != 202 {
            return Err(self.failure(&answer));
        }
        let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut target = url.join(location).map_err(|_| Failure::RedirectNowhere(quoted(location)))?;
        self.web.check_step(&url, &target)?;
        // The address comes with a query of the registry's own, which stays as it is.
        target.query_pairs_mut().append_pair("digest", &digest.to_string());
        let put = sending(Method::PUT, target, "application/octet-stream", bytes.clone());
        let answer = self.ask(put, &mut |_| {}).await?;
        if answer.status.as_u16() == 201 { Ok(()) } else { Err(self.failure(&answer)) }
    }

    /// Bring a manifest there, under a tag or its digest.
    pub(crate) async fn put_manifest(
        &mut self,
        version: &str,
        bytes: Vec<u8>,
        kind: &'static str,
    ) -> Result<Digest, Failure> {
        let expected = Digest::of(&bytes);
        let url: Url = self.url(&format!("manifests/{version}"))?;
        let answer = self.ask(sending(Method::PUT, url, kind, Bytes::from(bytes)), &mut |_| {}).await?;
        if !answer.status.is_success() {
            return Err(self.failure(&answer));
        }
        let said = answer.headers.get("docker-content-digest").and_then(|value| value.to_str().ok());
        match said.and_then(|text| Digest::parse(text).ok()) {
            Some(found) if found != expected => Err(Failure::Digest { what: "the pushed manifest", expected, found }),
            _ => Ok(expected),
        }
    }
}
