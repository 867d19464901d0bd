//! Probes of each kind, and what becomes an alarm.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pi_host::config::{ProbeConfig, ServiceConfig};
use pi_host::supervisor::ProbeResult;
use pi_host::watch::{AlarmState, Watch};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::bench::{Bench, shell};

fn external(probe: ProbeConfig) -> ServiceConfig {
    ServiceConfig { probe: Some(ProbeConfig { interval_ms: 20, timeout_ms: 300, ..probe }), ..ServiceConfig::default() }
}

fn http(url: String) -> ServiceConfig {
    external(ProbeConfig { http: Some(url), ..ProbeConfig::default() })
}

/// Answers every request with the status that `is_well` says. Returns its address.
async fn server(is_well: Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let status = if is_well.load(Ordering::Relaxed) { "200 OK" } else { "500 Internal Server Error" };
            let body = format!("I say {status}");
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            let mut request = [0; 1_024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

async fn probe(service: ServiceConfig) -> ProbeResult {
    let bench = Bench::new(service);
    bench.start().await.probe("web").await.unwrap()
}

#[tokio::test]
async fn http_is_healthy_at_200_and_tells_the_answer() {
    let address = server(Arc::new(AtomicBool::new(true))).await;
    let result = probe(http(format!("http://{address}/"))).await;
    assert!(result.healthy);
    assert_eq!((result.status_code, result.detail.as_str()), (Some(200), "200 OK: I say 200 OK"));
}

#[tokio::test]
async fn http_is_not_healthy_at_500() {
    let address = server(Arc::new(AtomicBool::new(false))).await;
    let result = probe(http(format!("http://{address}/"))).await;
    assert!(!result.healthy);
    assert_eq!(result.status_code, Some(500));
    assert!(result.detail.starts_with("500 Internal Server Error: I say"), "{}", result.detail);
}

#[tokio::test]
async fn one_that_does_not_answer_is_not_waited_for_beyond_the_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let result = probe(http(format!("http://{}/", listener.local_addr().unwrap()))).await;
    assert_eq!((result.healthy, result.detail.as_str()), (false, "timed out after 300 ms"));
    assert!(result.latency_ms >= 300);
}

#[tokio::test]
async fn nobody_at_the_port_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let tcp = ProbeConfig { tcp: Some(address.clone()), ..ProbeConfig::default() };
    for service in [external(tcp), http(format!("http://{address}/"))] {
        let result = probe(service).await;
        assert_eq!((result.healthy, result.detail.as_str()), (false, "connection refused"));
    }
}

#[tokio::test]
async fn tcp_is_healthy_when_it_is_accepted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = ProbeConfig { tcp: Some(listener.local_addr().unwrap().to_string()), ..ProbeConfig::default() };
    assert!(probe(external(tcp)).await.healthy);
}

#[tokio::test]
async fn a_command_is_healthy_at_0_and_tells_what_it_said() {
    let command = |line: &str| {
        let command = Some(["sh", "-c", line].map(String::from).to_vec());
        external(ProbeConfig { command, timeout_ms: 5_000, ..ProbeConfig::default() })
    };
    let mut fine = command("echo fine");
    let mut sick = command("echo sick >&2; exit 7");
    for service in [&mut fine, &mut sick] {
        service.probe.as_mut().unwrap().timeout_ms = 5_000;
    }
    let result = probe(fine).await;
    assert_eq!((result.healthy, result.exit_code, result.detail.as_str()), (true, Some(0), "exit code 0: fine"));
    let result = probe(sick).await;
    assert_eq!((result.healthy, result.exit_code, result.detail.as_str()), (false, Some(7), "exit code 7: sick"));
}

#[tokio::test]
async fn an_alarm_comes_after_the_failures_in_a_row_and_then_the_recovery() {
    let is_well = Arc::new(AtomicBool::new(true));
    let address = server(Arc::clone(&is_well)).await;
    let bench = Bench::new(http(format!("http://{address}/")));
    let supervisor = bench.start().await;
    let mut watch = Watch::new(&supervisor, &["*".into()]);
    let quiet = tokio::time::timeout(Duration::from_millis(300), watch.next()).await;
    assert!(quiet.is_err(), "an alarm about a healthy service");
    is_well.store(false, Ordering::Relaxed);
    let alarm = watch.next().await.unwrap();
    assert_eq!((alarm.service.as_str(), alarm.state), ("web", AlarmState::Raised));
    assert!(alarm.title.contains("failed 3 probes"), "{}", alarm.title);
    is_well.store(true, Ordering::Relaxed);
    assert_eq!(watch.next().await.unwrap().state, AlarmState::Recovered);
}

#[tokio::test]
async fn a_crash_loop_is_an_alarm() {
    let bench = Bench::new(shell("exit 4"));
    let supervisor = bench.start().await;
    let mut watch = Watch::new(&supervisor, &["web".into()]);
    let alarm = tokio::time::timeout(Duration::from_secs(20), watch.next()).await.unwrap().unwrap();
    assert_eq!(alarm.state, AlarmState::Raised);
    assert!(alarm.detail.contains("exit code 4") || alarm.detail.contains("does not run"), "{alarm:?}");
}
