//! The guard against private addresses: a name is resolved once, every address that it has must be one of the
//! public internet, and the connection goes to exactly those that were looked at.
//!
//! The attacks: an address of the machine's own network or of its cloud's metadata service written into a request,
//! a name that resolves to one, a redirect to one, and a name whose second answer is another (rebinding). Which
//! host may be private all the same, the operator names with its port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;

use super::target::{Host, Target};

/// Addresses of one name that are looked at. Danger: an answer with thousands, each tried in turn.
pub(super) const ADDRESSES_MAX: usize = 16;

/// Who answers what addresses a name has.
#[async_trait]
pub(super) trait Resolve: Send + Sync {
    async fn resolve(&self, name: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
pub(super) struct System;

#[async_trait]
impl Resolve for System {
    async fn resolve(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        // One more than may be, so that too many is seen.
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).take(ADDRESSES_MAX + 1).collect())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum GuardError {
    #[error("`{0}` could not be resolved in time")]
    TimedOut(String),
    #[error("`{0}` has no address")]
    Unknown(String),
    #[error("`{0}` has more than {ADDRESSES_MAX} addresses")]
    TooMany(String),
    #[error("`{host}` is the address `{address}`, which is not of the public internet ({what})")]
    Prohibited { host: String, address: IpAddr, what: &'static str },
}

/// The addresses to which a request may be sent, in the resolver's order.
///
/// # Errors
/// The name has none, or one of them may not be reached: then none is.
pub(super) async fn addresses(
    resolver: &dyn Resolve,
    target: &Target,
    is_exception: bool,
    within: Duration,
) -> Result<Vec<SocketAddr>, GuardError> {
    let host = target.host.to_string();
    let found = match &target.host {
        Host::Address(address) => vec![*address],
        Host::Name(name) => match tokio::time::timeout(within, resolver.resolve(name)).await {
            Err(_) => return Err(GuardError::TimedOut(host)),
            Ok(found) => found.unwrap_or_default(),
        },
    };
    if found.is_empty() {
        return Err(GuardError::Unknown(host));
    }
    if found.len() > ADDRESSES_MAX {
        return Err(GuardError::TooMany(host));
    }
    let is_literal = matches!(target.host, Host::Address(_));
    for address in &found {
        let Some(what) = prohibited(*address) else { continue };
        // An exception by name is for a service in one's own network, whatever its answer: never for the services
        // that hand out credentials there. Who means one of those writes its address.
        let is_excepted = is_exception && (is_literal || matches!(what, LOOPBACK | PRIVATE | SHARED | UNIQUE_LOCAL));
        if !is_excepted || is_metadata(*address) && !is_literal {
            return Err(GuardError::Prohibited { host, address: *address, what });
        }
    }
    Ok(found.into_iter().map(|address| SocketAddr::new(address, target.port)).collect())
}

const LOOPBACK: &str = "loopback";
const PRIVATE: &str = "a private network";
const SHARED: &str = "a carrier's network";
const UNIQUE_LOCAL: &str = "a unique local address";

/// Addresses of version 4 that are not of the public internet: the first bits, and what they are for.
const RANGES_V4: &[(Ipv4Addr, u32, &str)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, PRIVATE),
    (Ipv4Addr::new(100, 64, 0, 0), 10, SHARED),
    (Ipv4Addr::new(127, 0, 0, 0), 8, LOOPBACK),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "a cloud's platform"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local, where clouds hand out credentials"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, PRIVATE),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "AS112"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, "AMT"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relays"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, PRIVATE),
    (Ipv4Addr::new(192, 175, 48, 0), 24, "AS112"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// Of version 6, only this is given out to the public internet; all else is not.
const PUBLIC_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What within it is not of the public internet, or holds an address of version 4.
const RANGES_V6: &[(Ipv6Addr, u32, &str)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "protocol assignments and Teredo"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4"),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48, "AS112"),
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16, "the 6bone"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation"),
];

/// What an address is that is not of the public internet.
pub(super) fn prohibited(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => prohibited_v4(address),
        IpAddr::V6(address) => prohibited_v6(address),
    }
}

fn prohibited_v4(address: Ipv4Addr) -> Option<&'static str> {
    let is_in = |start: Ipv4Addr, bits: u32| (address.to_bits() ^ start.to_bits()).leading_zeros() >= bits;
    RANGES_V4.iter().find(|(start, bits, _)| is_in(*start, *bits)).map(|(_, _, what)| *what)
}

fn prohibited_v6(address: Ipv6Addr) -> Option<&'static str> {
    let is_in = |start: Ipv6Addr, bits: u32| (address.to_bits() ^ start.to_bits()).leading_zeros() >= bits;
    if is_in(PUBLIC_V6.0, PUBLIC_V6.1) {
        return RANGES_V6.iter().find(|(start, bits, _)| is_in(*start, *bits)).map(|(_, _, what)| *what);
    }
    Some(match address.segments() {
        _ if address.is_loopback() => LOOPBACK,
        _ if address.is_unspecified() => "unspecified",
        [0, 0, 0, 0, 0, 0xffff, ..] => "an address of version 4 in another spelling",
        [0x64, 0xff9b, ..] => "NAT64",
        [first, ..] if first & 0xfe00 == 0xfc00 => UNIQUE_LOCAL,
        [first, ..] if first & 0xffc0 == 0xfe80 => "link-local",
        [first, ..] if first & 0xff00 == 0xff00 => "multicast",
        _ => "reserved",
    })
}

/// Services in a private network that hand out credentials.
fn is_metadata(address: IpAddr) -> bool {
    const METADATA: &[IpAddr] = &[
        IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
        IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    ];
    METADATA.contains(&address)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::target::Scheme;
    use super::*;

    /// Answers with each list in turn, then with the last.
    struct Answers(Vec<Vec<&'static str>>, AtomicUsize);

    impl Answers {
        fn of(answers: &[&[&'static str]]) -> Self {
            Self(answers.iter().map(|answer| answer.to_vec()).collect(), AtomicUsize::new(0))
        }
    }

    #[async_trait]
    impl Resolve for Answers {
        async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
            let at = self.1.fetch_add(1, Ordering::Relaxed).min(self.0.len() - 1);
            Ok(self.0[at].iter().map(|text| text.parse().unwrap()).collect())
        }
    }

    struct Never;

    #[async_trait]
    impl Resolve for Never {
        async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
            std::future::pending().await
        }
    }

    async fn guarded(
        resolver: &dyn Resolve,
        authority: &str,
        is_exception: bool,
    ) -> Result<Vec<SocketAddr>, GuardError> {
        let target = Target::read(Scheme::Https, authority, "/").unwrap();
        addresses(resolver, &target, is_exception, Duration::from_millis(50)).await
    }

    #[test]
    fn what_is_not_of_the_public_internet_is_known() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:4136:e378::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(prohibited(text.parse().unwrap()).is_some(), "{text}");
        }
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "2001:4860::1",
        ] {
            assert_eq!(prohibited(text.parse().unwrap()), None, "{text}");
        }
    }

    #[tokio::test]
    async fn a_name_with_one_private_address_among_others_is_not_reached() {
        let resolver = Answers::of(&[&["8.8.8.8", "169.254.169.254"]]);
        let error = guarded(&resolver, "a.example", false).await.unwrap_err();
        insta::assert_snapshot!(error, @"`a.example` is the address `169.254.169.254`, which is not of the public internet (link-local, where clouds hand out credentials)");
    }

    #[tokio::test]
    async fn a_name_is_resolved_once_and_what_was_looked_at_is_what_is_reached() {
        let resolver = Answers::of(&[&["8.8.8.8"], &["127.0.0.1"]]);
        let found = guarded(&resolver, "a.example", false).await.unwrap();
        assert_eq!(found, ["8.8.8.8:443".parse().unwrap()]);
        assert_eq!(resolver.1.load(Ordering::Relaxed), 1);
        assert!(guarded(&resolver, "a.example", false).await.is_err());
    }

    #[tokio::test]
    async fn an_exception_by_name_never_means_the_metadata_service() {
        for address in ["127.0.0.1", "10.1.2.3", "fd12::1", "100.64.0.9"] {
            let resolver = Answers::of(&[&[address]]);
            assert!(guarded(&resolver, "a.example", true).await.is_ok(), "{address}");
            assert!(guarded(&resolver, "a.example", false).await.is_err(), "{address}");
        }
        for address in ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "fe80::1", "0.0.0.0", "224.0.0.1"] {
            let resolver = Answers::of(&[&[address]]);
            assert!(guarded(&resolver, "a.example", true).await.is_err(), "{address}");
        }
    }

    #[tokio::test]
    async fn an_address_in_a_request_is_held_against_the_same_list() {
        for authority in ["127.0.0.1", "169.254.169.254", "[::1]", "[fd00:ec2::254]"] {
            assert!(guarded(&Never, authority, false).await.is_err(), "{authority}");
            assert!(guarded(&Never, authority, true).await.is_ok(), "{authority}");
        }
    }

    #[tokio::test]
    async fn a_resolver_that_stalls_or_says_too_much_is_an_error() {
        assert!(matches!(guarded(&Never, "a.example", false).await, Err(GuardError::TimedOut(_))));
        let answer = |count| Answers(vec![vec!["8.8.8.8"; count]], AtomicUsize::new(0));
        assert!(guarded(&answer(ADDRESSES_MAX), "a.example", false).await.is_ok());
        assert!(matches!(guarded(&answer(ADDRESSES_MAX + 1), "a.example", false).await, Err(GuardError::TooMany(_))));
        assert!(matches!(guarded(&answer(0), "a.example", false).await, Err(GuardError::Unknown(_))));
    }
}
