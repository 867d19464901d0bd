//! The crate against what stands for AWS: a moto server where that does the operation, recorded answers where it does
//! not (throttling, denials, SSM's output, Logs Insights). Everything is on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "the tests start moto, and measure how long a deadline takes")]

mod suite {
    mod answers;
    mod calls;
    mod credentials;
    mod failures;
    mod moto;
    mod services;
    mod wire;

    /// By hand, so that the tests need no feature of tokio that the crate does not: the SDKs would be built twice.
    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }
}
