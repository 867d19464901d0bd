//! The binary: the command line, and the processes that it starts of itself.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before any thread exists: what it does between fork and exec relies on it.
    pi_host::confine::helper::run_if_asked();
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some(pi_host::lab::SERVICE_COMMAND) => pi_host::lab::service_main(arguments.get(2..).unwrap_or_default()),
        _ => pi_host::cli::main(),
    }
}
