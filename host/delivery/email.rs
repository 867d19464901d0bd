//! A mail: the text for who reads text, a short page with the bitmaps in it for the others, and the whole page attached.
//!
//! The connection is encrypted, by TLS from the first byte or by STARTTLS, and not made otherwise; a server on this host
//! alone may do without.

use async_trait::async_trait;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use reqwest::Url;

use super::{Parcel, Route, Sheet, setting};
use crate::clock::{self, Duration};
use crate::gate::explain::escaped;
use crate::outbound::{ChannelError, Secret, cut, http};

/// A server that says nothing for so long is given up for this try.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Pictures in the mail itself; the page has all of them. Danger: a mail that no server takes.
const PICTURES_MAX: usize = 6;
const ATTACHED_BYTES_MAX: usize = 8 << 20;
/// Claims in the mail itself.
const CLAIMS_MAX: usize = 20;
const SUBJECT_CHARS_MAX: usize = 150;
const CAUSE_CHARS_MAX: usize = 300;

/// The server, and who writes to whom.
#[derive(Clone, Debug)]
pub struct EmailSettings {
    /// `smtps://HOST[:PORT]` or `smtp://HOST[:PORT]`.
    pub server: String,
    pub from: String,
    pub to: Vec<String>,
    /// The user and the password.
    pub login: Option<(String, Secret)>,
    /// PEM of an authority that is believed beside those of the system.
    pub authority: Option<Vec<u8>>,
}

/// Sends mails.
pub struct Email {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    host: String,
    from: Mailbox,
    to: Vec<Mailbox>,
    password: Secret,
}

impl Email {
    /// # Errors
    /// A setting cannot be used.
    pub fn new(settings: EmailSettings) -> Result<Self, ChannelError> {
        let place = "[delivery] email";
        let wrong = |what: String, hint: &str| setting(place, what, hint);
        let url = Url::parse(&settings.server)
            .map_err(|error| wrong(format!("`server`: {error}"), "write server = \"smtps://mail.example.com\", say"))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut tls = TlsParameters::builder(host.clone()).certificate_store(CertificateStore::Default);
        if let Some(pem) = &settings.authority {
            let authority = Certificate::from_pem(pem)
                .map_err(|error| wrong(format!("`ca_file`: {error}"), "it holds certificates as PEM"))?;
            tls = tls.add_root_certificate(authority);
        }
        let tls = tls.build_rustls().map_err(|error| {
            wrong(format!("there is no TLS: {error}"), "the system's certificates must be readable")
        })?;
        // Without TLS only where nobody is on the way.
        let (tls, port) = match url.scheme() {
            "smtps" => (Tls::Wrapper(tls), 465),
            _ if http::is_loopback(&url) => (Tls::Opportunistic(tls), 587),
            _ => (Tls::Required(tls), 587),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.clone())
            .port(url.port().unwrap_or(port))
            .tls(tls)
            .timeout(Some(TIMEOUT));
        let mut password = Secret::default();
        if let Some((user, secret)) = settings.login {
            transport = transport.credentials(Credentials::new(user, secret.expose().to_owned()));
            password = secret;
        }
        let mailbox = |text: &String| {
            let hint = "write an address, as in data@example.com or `Data team <data@example.com>`";
            text.parse::<Mailbox>().map_err(|error| wrong(format!("`{}`: {error}", escaped(text)), hint))
        };
        let to = settings.to.iter().map(mailbox).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { transport: transport.build(), host, from: mailbox(&settings.from)?, to, password })
    }

    fn message(&self, parcel: &Parcel) -> Result<Message, lettre::error::Error> {
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(cut(&one_line(&parcel.title), SUBJECT_CHARS_MAX))
            // The same for each copy: who gets two sees one.
            .message_id(Some(format!("<{}@pi-host>", parcel.key)));
        for to in &self.to {
            message = message.to(to.clone());
        }
        let pictures: Vec<_> = parcel.bitmaps().take(PICTURES_MAX).enumerate().collect();
        let mut shown = MultiPart::related().singlepart(SinglePart::html(page(parcel, pictures.len())));
        for (number, picture) in pictures {
            let part = Attachment::new_inline(format!("picture-{number}"));
            shown = shown.singlepart(
                part.body(picture.bytes.clone(), ContentType::parse(picture.mime).unwrap_or(ContentType::TEXT_PLAIN)),
            );
        }
        let words = MultiPart::alternative().singlepart(SinglePart::plain(text(parcel))).multipart(shown);
        let mut whole = MultiPart::mixed().multipart(words);
        let mut room = ATTACHED_BYTES_MAX;
        for sheet in parcel.sheets.iter().filter(|sheet| !sheet.page.is_empty()) {
            let Some(left) = room.checked_sub(sheet.page.len()) else { break };
            room = left;
            whole =
                whole.singlepart(Attachment::new(sheet.page_name()).body(sheet.page.clone(), ContentType::TEXT_HTML));
        }
        message.multipart(whole)
    }
}

#[async_trait]
impl Route for Email {
    fn target(&self) -> String {
        format!("the mail server {}", self.host)
    }

    fn wants_bitmaps(&self) -> bool {
        true
    }

    async fn send(&self, parcel: &Parcel) -> Result<String, ChannelError> {
        let target = self.target();
        let message = self.message(parcel).map_err(|error| ChannelError::Refused {
            target: target.clone(),
            code: error.to_string(),
            hint: "the mail cannot be written: correct `from` and `to`".into(),
        })?;
        match self.transport.send(message).await {
            Ok(answer) => Ok(format!(
                "taken by {}: {}",
                self.host,
                cut(&escaped(&answer.message().collect::<Vec<_>>().join(" ")), 100)
            )),
            Err(error) => {
                let cause = cut(&escaped(&self.password.hidden_in(&in_words(&error))), CAUSE_CHARS_MAX);
                Err(if error.is_permanent() {
                    let hint = "the server does not take it: correct the login, `from` or `to`".into();
                    ChannelError::Refused { target, code: cause, hint }
                } else {
                    ChannelError::Unreachable { target, attempts: 1, cause }
                })
            }
        }
    }
}

/// An error with what caused it.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        words.push_str(": ");
        words.push_str(&deeper.to_string());
        cause = deeper.source();
    }
    words
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn footer(parcel: &Parcel, sheet: &Sheet) -> String {
    let when = clock::rfc3339(sheet.created_ms);
    match sheet.report.as_str() {
        "" => format!("{} of {when}", parcel.sender),
        report => format!(
            "{} of {when}. `pi-host report show {report}` has all of it, `pi-host report mute {report} N` hears no more of a finding.",
            parcel.sender
        ),
    }
}

/// The mail for who reads text.
fn text(parcel: &Parcel) -> String {
    let sheets = parcel.sheets.iter().map(|sheet| match sheet.markdown.as_str() {
        "" => format!("# {}\n\n{}\n\n{}\n", sheet.title, sheet.summary, footer(parcel, sheet)),
        markdown => format!("{markdown}\n\n{}\n", footer(parcel, sheet)),
    });
    sheets.collect::<Vec<_>>().join("\n\n----\n\n")
}

/// The mail for who reads pages: no script, nothing that is loaded from anywhere, styles in place, as mail programs want it.
fn page(parcel: &Parcel, pictures: usize) -> String {
    let safe = |text: &str| html_escape(&one_line(text));
    let mut page = String::from(
        "<!doctype html><html><body style=\"font-family:system-ui,sans-serif;max-width:46rem;line-height:1.45\">",
    );
    let mut number = 0;
    for sheet in &parcel.sheets {
        page.push_str(&format!("<h2>{}</h2><p>{}</p>", safe(&sheet.title), safe(&sheet.summary)));
        if !sheet.claims.is_empty() {
            page.push_str("<ol>");
            for claim in sheet.claims.iter().take(CLAIMS_MAX) {
                page.push_str(&format!("<li><b>{}</b>: {}</li>", safe(&claim.severity), safe(&claim.text)));
            }
            page.push_str("</ol>");
            if sheet.claims.len() > CLAIMS_MAX {
                page.push_str(&format!("<p>and {} more, in the attached page</p>", sheet.claims.len() - CLAIMS_MAX));
            }
        }
        for picture in sheet.pictures.iter().filter(|picture| picture.mime == "image/png") {
            if number < pictures {
                let alternative = safe(&picture.alternative);
                page.push_str(&format!(
                    "<p><img src=\"cid:picture-{number}\" alt=\"{alternative}\" style=\"max-width:100%\"></p>"
                ));
                number += 1;
            }
        }
        page.push_str(&format!("<p style=\"color:#666;font-size:85%\">{}</p>", safe(&footer(parcel, sheet))));
    }
    page.push_str("</body></html>");
    page
}

fn html_escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
