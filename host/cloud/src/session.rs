//! One call on its way: the configuration that it is sent with, and what a failure of it means in words.
//!
//! What AWS says is a code and a message, and each service has codes of its own for the same thing. The lists here are
//! all that is known of them; a code that is in none is told as it came.

use std::error::Error as StdError;
use std::fmt::Debug;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::SdkConfig;
use regex_lite::Regex;

use crate::error::Error;
use crate::transport::{BYTES_MAX, Broken};

/// What a call is sent with. Invariant: `config` has the region that `region` names.
pub(crate) struct Session<'a> {
    pub(crate) operation: &'a str,
    pub(crate) config: &'a SdkConfig,
    pub(crate) region: &'a str,
    pub(crate) is_change: bool,
    pub(crate) attempts_max: u32,
    pub(crate) timeout_ms: u64,
    /// Whether calls go to an endpoint of its own instead of to AWS.
    pub(crate) is_endpoint_given: bool,
}

const UNKNOWN_OUTCOME: &str = "whether it was done is not known: look at the resource before doing it again";
const EXPIRED: &[&str] = &["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"];
const UNKNOWN: &[&str] = &[
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "AuthFailure",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
];
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "Client.UnauthorizedOperation",
    "UnauthorizedAccess",
    "AuthorizationError",
    "AuthorizationErrorException",
];
const THROTTLED: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "TooManyUpdates",
    "EC2ThrottledException",
    "SlowDown",
    "PriorRequestNotComplete",
    "BandwidthLimitExceeded",
    "LimitExceededException",
];
const NOT_FOUND: &[&str] = &[
    "ResourceNotFound",
    "InvocationDoesNotExist",
    "InvalidCommandId",
    "InvalidInstanceId",
    "InvalidInstanceID.Malformed",
];

impl Session<'_> {
    /// Why it failed, in words. Works for the errors of every operation of every SDK.
    pub(crate) fn failure<E>(&self, error: SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + StdError + Debug + Send + Sync + 'static,
    {
        if let SdkError::ServiceError(refused) = &error {
            let status = refused.raw().status().as_u16();
            // The SDKs call it refused as well when what is said to have been done cannot be read.
            if refused.err().code().is_none() && refused.raw().status().is_success() {
                return self.unreadable(quoted(&texts(&chain(&error))));
            }
            let code = refused.err().code().map_or_else(|| format!("HttpStatus{status}"), str::to_owned);
            let message = refused.err().message().unwrap_or("no message");
            return self.refused(&code, status, message);
        }
        self.unanswered(&error, matches!(&error, SdkError::TimeoutError(_)) || is_timeout(&error))
    }

    /// AWS answered, and it was no.
    fn refused(&self, code: &str, status: u16, message: &str) -> Error {
        let operation = self.operation.to_owned();
        let text = quoted(message);
        let region = self.region.to_owned();
        if message.contains("Credential should be scoped to a valid region") || code == "OptInRequired" {
            let problem = format!("{region} is not one that this account can use there: {text}");
            let hint =
                "set `region` of the account to the one in which the resource is, and enable it in AWS if it is opt-in"
                    .into();
            return Error::Region { operation, problem, hint };
        }
        if EXPIRED.contains(&code)
            || message.contains("Signature expired")
            || message.contains("Signature not yet current")
        {
            let problem = format!("expired: {text}");
            let hint =
                "log in again or renew the session token; if they are fresh, the clock of this machine is wrong".into();
            return Error::Credentials { operation, problem, is_expired: true, hint };
        }
        if UNKNOWN.contains(&code) {
            let problem = format!("AWS does not accept them ({code}): {text}");
            let hint = "check which `profile` or AWS_ACCESS_KEY_ID the account uses; the key may be deleted, or the secret may not belong to it".into();
            return Error::Credentials { operation, problem, is_expired: false, hint };
        }
        if DENIED.contains(&code) {
            return self.denied(message);
        }
        if THROTTLED.contains(&code) || status == 429 {
            let hint =
                "ask less often or for less at once; AWS counts per account and region, other programs too".into();
            return Error::Throttled { operation, attempts: self.attempts_max, message: text, hint };
        }
        let is_missing = code.contains("NotFound") || message.to_ascii_lowercase().contains("not found - ");
        if NOT_FOUND.contains(&code) || is_missing {
            let hint = match code {
                "InvalidInstanceId" => "SSM does not reach the instance: it must run, have the SSM agent and a role that allows it; ssm:DescribeInstanceInformation lists those that it reaches".to_owned(),
                "InvocationDoesNotExist" => "a script is known some seconds after ssm:SendCommand: ask again; otherwise it was not sent to this instance".to_owned(),
                _ => format!("check the id, and that it is in {}; it may have been deleted", self.region),
            };
            return Error::NotFound { operation, region, message: text, hint };
        }
        let hint = match status {
            500.. if self.is_change => UNKNOWN_OUTCOME.to_owned(),
            500.. => "a fault of AWS's side: try again later, and see health.aws.amazon.com".to_owned(),
            _ => "AWS refused the call as it is: the message says which argument or state is wrong".to_owned(),
        };
        Error::Failed { operation, code: code.to_owned(), message: text, hint }
    }

    /// IAM names the action that it refused, which may be another one than the operation: sts:AssumeRole, kms:Decrypt.
    fn denied(&self, message: &str) -> Error {
        let action = Regex::new(r"not authorized to perform:?\s+([A-Za-z0-9-]+:[A-Za-z0-9]+)")
            .ok()
            .and_then(|form| Some(form.captures(message)?.get(1)?.as_str().to_owned()))
            .unwrap_or_else(|| self.operation.to_owned());
        let hint = match (action.as_str(), message.contains("explicit deny")) {
            ("sts:AssumeRole", _) => "the role's trust policy must name who calls, with the `external_id` of the account if it asks for one; and who calls needs sts:AssumeRole on the role".to_owned(),
            (action, true) => format!("a policy denies `{action}` explicitly (identity, boundary, session or organisation): allowing it elsewhere does not help"),
            (action, false) => format!("allow `{action}` in an IAM policy of the identity that the account uses"),
        };
        Error::Denied { operation: self.operation.to_owned(), action, message: quoted(message), hint }
    }

    /// There is no answer, or none that can be read.
    fn unanswered(&self, error: &(dyn StdError + 'static), is_timeout: bool) -> Error {
        let operation = self.operation.to_owned();
        let chain = chain(error);
        let text = quoted(&texts(&chain));
        if chain.iter().any(|error| error.is::<http_body_util::LengthLimitError>()) {
            let hint = "ask for less: fewer ids, a shorter time, a smaller limit".to_owned();
            return Error::TooLarge { operation, bytes_max: BYTES_MAX as u64, hint };
        }
        if let Some(cause) = chain.iter().find_map(|error| error.downcast_ref::<CredentialsError>()) {
            return self.uncredentialed(cause, &texts(&chain));
        }
        if is_timeout {
            return self.timed_out();
        }
        let is_unresolved = texts(&chain).contains("dns error");
        if is_unresolved && !self.is_endpoint_given {
            let problem = format!("the service has no host name in {}, or there is no network: {text}", self.region);
            let hint = "check `region`; if it is right, check the network and name resolution of this machine".into();
            return Error::Region { operation, problem, hint };
        }
        if is_answer(&chain) {
            return self.unreadable(text);
        }
        let hint = match self.is_change {
            true => UNKNOWN_OUTCOME,
            false => "check the network, `endpoint_url` and `ca_file` of the account",
        };
        Error::Failed { operation, code: "Unreachable".into(), message: text, hint: hint.to_owned() }
    }

    fn unreadable(&self, message: String) -> Error {
        let hint = match self.is_change {
            true => UNKNOWN_OUTCOME,
            false => "the answer is broken: check whether `endpoint_url` or a proxy is AWS at all",
        };
        let code = "UnreadableAnswer".to_owned();
        Error::Failed { operation: self.operation.to_owned(), code, message, hint: hint.to_owned() }
    }

    fn uncredentialed(&self, cause: &CredentialsError, texts: &str) -> Error {
        let operation = self.operation.to_owned();
        if texts.contains("not authorized to perform") {
            return self.denied(texts);
        }
        let is_expired = EXPIRED.iter().any(|code| texts.contains(code));
        let (problem, hint) = match cause {
            CredentialsError::CredentialsNotLoaded(_) => (
                "there are none: not in the environment, the profile, a web identity, the container or the instance"
                    .to_owned(),
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for pi-host, or `profile` of the account, or run on an instance with a role",
            ),
            CredentialsError::InvalidConfiguration(_) => (
                format!("the configuration cannot be used: {}", quoted(texts)),
                "check ~/.aws/config and ~/.aws/credentials, and `profile` of the account",
            ),
            CredentialsError::ProviderTimedOut(_) => (
                "they were not given in time".to_owned(),
                "check the metadata service, or set AWS_EC2_METADATA_DISABLED=true where there is none",
            ),
            _ => (
                format!("they could not be obtained: {}", quoted(texts)),
                "check ~/.aws/config and `role_arn`; profiles with sso or credential_process are not supported",
            ),
        };
        Error::Credentials { operation, problem, is_expired, hint: hint.to_owned() }
    }

    /// An operation of the table that its service does not send, or that the SDK refuses to build. A test calls each.
    pub(crate) fn unsent(&self) -> Error {
        Error::Failed {
            operation: self.operation.to_owned(),
            code: "NotSent".into(),
            message: "the operation was not sent".into(),
            hint: "this is a fault of pi-host: report it with the arguments".into(),
        }
    }

    /// AWS answers each dry run with an error; whatever does not, did not understand the question.
    pub(crate) fn done_for_real(&self) -> Error {
        Error::Failed {
            operation: self.operation.to_owned(),
            code: "DryRunIgnored".into(),
            message: "the endpoint does not know dry runs, and may have done it".into(),
            hint: "look at the resource; do not ask this endpoint for dry runs again".into(),
        }
    }

    pub(crate) fn timed_out(&self) -> Error {
        let hint = match self.is_change {
            true => UNKNOWN_OUTCOME,
            false => "ask for less, or raise `timeout_ms` of the account",
        };
        Error::TimedOut { operation: self.operation.to_owned(), timeout_ms: self.timeout_ms, hint: hint.to_owned() }
    }
}

fn is_timeout<E>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(error, SdkError::DispatchFailure(failure) if failure.is_timeout())
}

/// Whether an answer began to come: the SDK calls that a response error.
fn is_answer(chain: &[&(dyn StdError + 'static)]) -> bool {
    chain.iter().any(|error| error.is::<Broken>())
        || chain.first().is_some_and(|first| first.to_string().starts_with("response error"))
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> Vec<&'a (dyn StdError + 'static)> {
    const DEPTH_MAX: usize = 20;
    let mut chain = vec![error];
    let mut next = error.source();
    while let Some(source) = next.filter(|_| chain.len() < DEPTH_MAX) {
        chain.push(source);
        next = source.source();
    }
    chain
}

/// Each text once: many layers repeat what is below them.
fn texts(chain: &[&(dyn StdError + 'static)]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for error in chain {
        let text = error.to_string();
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}

/// A message of someone else: one line, short, without the encoded part that EC2 adds to a denial.
fn quoted(message: &str) -> String {
    const SHOWN_MAX: usize = 400;
    let message = message.split("Encoded authorization failure message").next().unwrap_or_default();
    let line: String = message.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match line.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => format!("{}...", line.get(..at).unwrap_or_default()),
        None => line,
    }
}
