//! Addresses of the services that hand out a cloud machine's credentials, in every spelling that a
//! resolver takes: `169.254.169.254` is also `2852039166`, `0xa9fea9fe` and `::ffff:a9fe:a9fe`.

use std::net::{Ipv4Addr, Ipv6Addr};

const METADATA_V4: &[Ipv4Addr] = &[
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
];
const METADATA_V6: &[Ipv6Addr] =
    &[Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];
const METADATA_NAMES: &[&str] = &[
    "metadata.google.internal",
    "metadata",
    "metadata.azure.internal",
    "instance-data",
    "metadata.goog",
    "instance-data.ec2.internal",
];

/// Whether a word names such a service: as a URL, as `host:port`, as a bare host, or as one of the
/// parts of `--resolve NAME:PORT:ADDRESS`.
pub(crate) fn is_metadata_address(word: &str) -> bool {
    // The quick answer for nearly all words.
    if !word.contains(|c: char| c.is_ascii_digit()) && !word.contains("etadata") && !word.contains("instance-data") {
        return false;
    }
    let rest = word.split_once("://").map_or(word, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if let Some(inner) = host.strip_prefix('[').and_then(|host| host.split(']').next()) {
        return is_v6(inner);
    }
    is_v6(host) || host.split([':', ',']).any(is_metadata_host)
}

fn is_metadata_host(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    METADATA_NAMES.iter().any(|name| name.eq_ignore_ascii_case(host))
        // Names that resolve to the address that they hold: `169.254.169.254.nip.io`.
        || METADATA_V4.iter().any(|address| {
            let text = address.to_string();
            host.len() > text.len() && (host.contains(&text) || host.contains(&text.replace('.', "-")))
        })
        || number_address(host).is_some_and(|address| METADATA_V4.contains(&address))
}

fn is_v6(host: &str) -> bool {
    let Ok(address) = host.split('%').next().unwrap_or_default().parse::<Ipv6Addr>() else { return false };
    METADATA_V6.contains(&address)
        || address.to_ipv4().is_some_and(|address| METADATA_V4.contains(&address))
        || (address.segments()[..2] == [0x64, 0xff9b]
            && Ipv4Addr::from_bits(address.to_bits() as u32) == Ipv4Addr::new(169, 254, 169, 254))
}

/// An address as `inet_aton` reads it: one to four numbers, each decimal, octal or hexadecimal, the
/// last of which fills what is left.
fn number_address(host: &str) -> Option<Ipv4Addr> {
    let number = |text: &str| match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u32::from_str_radix(text, 8).ok(),
        None => text.parse::<u32>().ok(),
    };
    let parts: Vec<u32> = host.split('.').map(number).collect::<Option<_>>()?;
    let (last, leading) = parts.split_last()?;
    if leading.len() > 3 || leading.iter().any(|part| *part > 255) {
        return None;
    }
    let high = leading.iter().enumerate().fold(0u32, |bits, (at, part)| bits | part << (24 - 8 * at));
    Some(Ipv4Addr::from_bits(high | last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_metadata_service_is_known() {
        for word in [
            "http://169.254.169.254/latest/",
            "169.254.169.254",
            "169.254.169.254:80",
            "http://2852039166/x",
            "http://0xA9FEA9FE/",
            "http://0251.0376.0251.0376/",
            "http://0xa9.254.43518/",
            "http://[::ffff:169.254.169.254]/",
            "http://[::ffff:a9fe:a9fe]:80/",
            "http://[fd00:ec2::254]/",
            "http://user@169.254.169.254/",
            "http://metadata.google.internal/x",
            "http://Metadata.Google.Internal./x",
            "x:80:169.254.169.254",
            "http://169.254.169.254.nip.io/",
        ] {
            assert!(is_metadata_address(word), "{word}");
        }
    }

    #[test]
    fn other_addresses_are_none() {
        for word in ["http://169.254.1.1/", "https://example.com/169.254.169.254", "1.2.3.4", "8", "meta.json", "x:1"] {
            assert!(!is_metadata_address(word), "{word}");
        }
    }
}
