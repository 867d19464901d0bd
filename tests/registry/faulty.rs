//! A server that speaks HTTP as badly as it is told to, with and without TLS.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What is answered.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    length: Option<u64>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Close,
    Silence,
    Endless,
}

impl Reply {
    pub(super) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let length = Some(body.len() as u64);
        Self { status, headers: vec![], body, length, end: End::Close }
    }

    pub(super) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, body)
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The length that is promised, whatever is sent.
    pub(super) fn promising(self, bytes: u64) -> Self {
        Self { length: Some(bytes), ..self }
    }

    /// After the body nothing comes, and the connection stays.
    pub(super) fn then_silence(self) -> Self {
        Self { end: End::Silence, ..self }
    }

    /// The body is sent again and again, and no length is promised.
    pub(super) fn endless(self) -> Self {
        Self { end: End::Endless, length: None, ..self }
    }
}

pub(super) struct Faulty {
    /// `127.0.0.1:port`.
    pub(super) host: String,
    asked: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
}

impl Faulty {
    /// Serve until this is dropped. Each request comes as its head, with how many came before it.
    pub(super) async fn start(answer: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(None, answer).await
    }

    /// The same with TLS, by a certificate of an authority that nobody knows.
    pub(super) async fn start_tls(answer: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        use rustls_pki_types::pem::PemObject as _;
        use rustls_pki_types::{CertificateDer, PrivateKeyDer};
        let folder = super::vectors();
        let certificate = CertificateDer::from_pem_file(folder.join("tls-localhost.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(folder.join("tls-localhost.key")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Self::serve(Some(tokio_rustls::TlsAcceptor::from(Arc::new(config))), answer).await
    }

    async fn serve(
        tls: Option<tokio_rustls::TlsAcceptor>,
        answer: impl Fn(&str, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (log, answer) = (asked.clone(), Arc::new(answer));
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, answer, tls) = (log.clone(), answer.clone(), tls.clone());
                tokio::spawn(async move {
                    let _ = match tls {
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => converse(stream, &log, &*answer).await,
                            Err(_) => Ok(()),
                        },
                        None => converse(stream, &log, &*answer).await,
                    };
                });
            }
        });
        Self { host, asked, server }
    }

    /// The heads of the requests that came.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    log: &Mutex<Vec<String>>,
    answer: &(dyn Fn(&str, usize) -> Reply + Send + Sync),
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let reply = {
        let mut log = log.lock().unwrap();
        log.push(head.clone());
        answer(&head, log.len() - 1)
    };
    let mut text = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", reply.status);
    if let Some(length) = reply.length {
        text.push_str(&format!("content-length: {length}\r\n"));
    }
    for (name, value) in &reply.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{text}\r\n").as_bytes()).await?;
    stream.write_all(&reply.body).await?;
    if reply.end == End::Endless {
        loop {
            stream.write_all(&reply.body).await?;
        }
    }
    stream.flush().await?;
    if reply.end == End::Silence {
        std::future::pending::<()>().await;
    }
    stream.shutdown().await
}
