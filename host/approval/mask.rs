//! Secrets in what people are shown: a question goes to channels that keep what they are sent.
//!
//! Only the value of what is named like a secret is masked, and of tokens that are known by their
//! form. A value that a shell would read as more than itself stays: an act must not hide code from
//! who decides about it by calling it a password. What is stored and done is never masked.

/// What names of secrets hold, in lower case without `-` and `_`.
const SECRET_NAMES: &[&str] = &[
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "authkey",
];
/// How tokens begin that are secret whatever they are called.
const TOKEN_STARTS: &[&str] = &[
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xapp-",
    "AKIA",
    "ASIA",
    "sk-",
    "sk_live_",
    "rk_live_",
    "npm_",
    "pypi-",
    "dop_v1_",
    "hvs.",
    "eyJ",
];
/// A shorter one is a word: `sk-1`.
const TOKEN_CHARS_MIN: usize = 16;
/// How a masked value begins. What is masked is not masked again.
const HIDDEN: &str = "[hidden:";
/// Words of a header before the secret itself.
const SCHEMES: &[&str] = &["bearer", "basic", "token", "negotiate", "digest"];

/// The text with secrets masked.
pub(super) fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_next_secret = false;
    for (word, gap) in words(text) {
        let bare = bare_of(word);
        if is_next_secret && SCHEMES.contains(&bare.to_ascii_lowercase().as_str()) {
            out.push_str(word);
        } else if is_next_secret && !bare.starts_with('-') {
            out.push_str(&word.replacen(bare, &hidden(bare), usize::from(is_plain(bare))));
            is_next_secret = false;
        } else {
            out.push_str(&masked_word(word));
            is_next_secret = !bare.contains(HIDDEN) && announces(bare);
        }
        out.push_str(gap);
        if gap.contains('\n') {
            is_next_secret = false;
        }
    }
    out
}

/// Words, each with what stands between it and the next.
fn words(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let gap_end = after.find(|c: char| !c.is_whitespace()).unwrap_or(after.len());
        let (gap, next) = after.split_at(gap_end);
        rest = next;
        Some((word, gap))
    })
}

fn is_quote(c: char) -> bool {
    matches!(c, '\'' | '"' | ',')
}

/// Without what stands around it: quotes, and the backtick that ends a sentence's code. One at its
/// beginning stays: a shell would run what follows.
fn bare_of(word: &str) -> &str {
    let bare = word.trim_matches(is_quote);
    if bare.starts_with('`') { bare } else { bare.strip_suffix('`').unwrap_or(bare).trim_end_matches(is_quote) }
}

/// Whether the word after this one is a secret: `--password`, `Authorization:`, `"token":`.
fn announces(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    match lower.strip_suffix(':').map(|name| name.trim_matches(is_quote)) {
        Some(name) => {
            let name = name.rsplit(is_quote).next().unwrap_or(name);
            matches!(name, "authorization" | "proxy-authorization" | "cookie" | "x-auth-token") || is_secret_name(name)
        }
        None => lower.starts_with("--") && !lower.contains('=') && is_secret_name(&lower),
    }
}

fn is_secret_name(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    // The name of a file or of a variable that holds one is no secret.
    let is_place = ["file", "path", "env", "url", "name"].iter().any(|end| plain.ends_with(end));
    !is_place && SECRET_NAMES.iter().any(|secret| plain.contains(secret))
}

/// `NAME=value` and `name:value` of a secret name, `//user:password@`, and tokens by their form.
fn masked_word(word: &str) -> String {
    for sign in ['=', ':'] {
        if let Some((name, value)) = word.split_once(sign)
            && is_secret_name(name_of(name))
            && !value.starts_with("//")
        {
            let bare = bare_of(value);
            let end = bare.find(['&', '"', '\'', ',', '}']).unwrap_or(bare.len());
            let (bare, _) = bare.split_at(end);
            if !bare.is_empty() && is_plain(bare) {
                return format!("{name}{sign}{}", value.replacen(bare, &hidden(bare), 1));
            }
        }
    }
    if let Some((scheme, rest)) = word.split_once("://") {
        let host_end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(host_end);
        if let Some((user, host)) = authority.rsplit_once('@')
            && let Some((user, password)) = user.split_once(':')
            && is_plain(password)
        {
            return format!("{scheme}://{user}:{}@{host}{path}", hidden(password));
        }
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let start = |token: &&str| word.find(*token).filter(|at| !word.get(..*at).is_some_and(|b| b.ends_with(is_part)));
    if let Some(at) = TOKEN_STARTS.iter().find_map(start) {
        let (before, token) = word.split_at(at);
        let end = token.find(|c: char| !is_part(c)).unwrap_or(token.len());
        let (token, after) = token.split_at(end);
        if token.len() >= TOKEN_CHARS_MIN {
            return format!("{before}{}{after}", hidden(token));
        }
    }
    word.to_owned()
}

/// The name at the end of what stands before a value.
fn name_of(text: &str) -> &str {
    let text = text.trim_end_matches(is_quote);
    text.rsplit(['?', '&', '/', '{', '\'', '"', ';', ',', '`']).next().unwrap_or(text)
}

/// Whether a shell reads it as nothing but itself.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|c| c.is_alphanumeric() || "-_+/=.~:@%^,!#?*".contains(c))
}

fn hidden(value: &str) -> String {
    format!("{HIDDEN} {} characters]", value.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_secrets_are_masked() {
        let cases = [
            ("with GITHUB_TOKEN=abcdef12", "with GITHUB_TOKEN=[hidden: 8 characters]"),
            ("mysql --password=hunter22 -u x", "mysql --password=[hidden: 8 characters] -u x"),
            ("mysql --password hunter22 db", "mysql --password [hidden: 8 characters] db"),
            ("-H 'Authorization: Bearer abc.def' u", "-H 'Authorization: Bearer [hidden: 7 characters]' u"),
            ("https://u:pw1@host/x", "https://u:[hidden: 3 characters]@host/x"),
            ("https://h/?api_key=k1&b=2", "https://h/?api_key=[hidden: 2 characters]&b=2"),
            ("run `env TOKEN=abc`", "run `env TOKEN=[hidden: 3 characters]`"),
            ("login ghp_0123456789abcdefghij", "login [hidden: 24 characters]"),
            (r#"{"client_secret":"s3cr3t"}"#, r#"{"client_secret":"[hidden: 6 characters]"}"#),
        ];
        for (text, expected) in cases {
            assert_eq!(masked(text), expected);
            assert_eq!(masked(expected), expected);
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in ["ls -la /srv", "PATH=/bin", "--token-file /etc/t", "password: no", "rm  -rf\n  x"] {
            let expected = text.replace("password: no", "password: [hidden: 2 characters]");
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn code_that_calls_itself_a_secret_is_shown() {
        for text in ["PASSWORD=$(rm -rf /)", "TOKEN=`id`", "SECRET=a;reboot", "--password $(id)", "TOKEN=x`id`"] {
            assert_eq!(masked(text), text);
        }
    }
}
