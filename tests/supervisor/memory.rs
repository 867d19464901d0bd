//! The memory limit.

use pi_host::config::ServiceConfig;
use pi_host::supervisor::MemoryBy;
use rustix::process::Signal;

use super::bench::{Bench, running, send, shell, until, web};

const LIMIT: u64 = 48 << 20;

fn hog() -> ServiceConfig {
    let program = "x = []\nwhile True: x.append(bytearray(1 << 20))";
    ServiceConfig {
        command: ["python3", "-c", program].map(String::from).to_vec(),
        memory_bytes_max: Some(LIMIT),
        ..shell("")
    }
}

#[tokio::test]
async fn the_kernel_or_the_supervisor_ends_a_hog_and_it_is_told() {
    let bench = Bench::new(hog());
    let supervisor = bench.start().await;
    let exit = until("its end", || web(&supervisor).exits.first().cloned()).await;
    assert!(exit.out_of_memory, "{exit:?}");
    supervisor.stop_all().await.unwrap();
}

#[tokio::test]
async fn without_a_control_group_the_supervisor_ends_a_hog() {
    let mut bench = Bench::new(hog());
    bench.memory_by = MemoryBy::Supervisor;
    let supervisor = bench.start().await;
    let exit = until("its end", || web(&supervisor).exits.first().cloned()).await;
    assert!(exit.out_of_memory, "{exit:?}");
}

#[tokio::test]
async fn a_hog_among_the_descendants_counts() {
    let mut service = hog();
    let program = service.command.pop().unwrap();
    service.command = vec!["sh".into(), "-c".into(), "python3 -c \"$0\" & wait $!; exec sleep 1000".into(), program];
    let mut bench = Bench::new(service);
    bench.memory_by = MemoryBy::Supervisor;
    let supervisor = bench.start().await;
    let exit = until("its end", || web(&supervisor).exits.first().cloned()).await;
    assert!(exit.out_of_memory, "{exit:?}");
}

#[tokio::test]
async fn a_kill_by_somebody_else_is_not_taken_for_it() {
    let mut service = shell("exec sleep 1000");
    service.memory_bytes_max = Some(LIMIT);
    let bench = Bench::new(service);
    let supervisor = bench.start().await;
    send(running(&supervisor).await.pid.unwrap(), Signal::KILL);
    let exit = until("its end", || web(&supervisor).exits.first().cloned()).await;
    assert_eq!((exit.signal, exit.out_of_memory), (Some(9), false));
    supervisor.stop_all().await.unwrap();
}
