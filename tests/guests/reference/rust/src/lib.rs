//! The reference tool, in Rust: one tool for each thing that can be granted, and for each way to
//! misbehave. The same tools stand beside it in Python, JavaScript and C, with the same answers, so that
//! one suite of tests holds every language to the same limits.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs as _};

use pi_sdk::{Content, Error, NoArguments, Value, config, files, http, increment, json, logging};
use schemars::JsonSchema;
use serde::Deserialize;

/// More than any limit on output that a test sets.
const FLOOD_BYTES: usize = 1 << 20;
const GROW_STEP_BYTES: usize = 1 << 20;
const READ_BYTES_MAX: u32 = 1 << 20;

#[derive(Deserialize, JsonSchema)]
struct FilesArguments {
    /// Absolute, or relative to the project's folder
    path: String,
}

#[derive(Deserialize, JsonSchema)]
struct HttpArguments {
    /// Begins with `https://` or `http://`
    url: String,
}

#[derive(Deserialize, JsonSchema)]
struct KeyArguments {
    /// The name of the entry
    key: String,
}

#[derive(Deserialize, JsonSchema)]
struct SayArguments {
    /// What the journal shall say
    text: String,
}

#[derive(Deserialize, JsonSchema)]
struct EscapeArguments {
    /// A TCP port of this machine on which something listens
    port: u16,
}

pi_sdk::tools! {
    read files(FilesArguments) "The size and the first line of a file";
    read http(HttpArguments) "The status and the first line of what a URL answers";
    write store(KeyArguments) "Count: add one to the number under a key, and return it";
    read setting(KeyArguments) "The value of a setting";
    read say(SayArguments) "Say something in the journal";
    read spin(NoArguments) "Never return";
    read grow(NoArguments) "Allocate until it is refused";
    read flood(NoArguments) "Return far too much";
    read escape(EscapeArguments) "Try to get out by the language's own library, and tell how each attempt ended";
}

fn files(arguments: FilesArguments) -> Result<Value, Error> {
    let size = files::stat(&arguments.path, true)?.size;
    let bytes = files::read(&arguments.path, 0, READ_BYTES_MAX)?;
    Ok(json!({ "bytes": size, "first_line": first_line(&bytes) }))
}

fn http(arguments: HttpArguments) -> Result<Value, Error> {
    let response = http::get(&arguments.url)?;
    Ok(json!({ "status": response.status, "first_line": first_line(&response.body) }))
}

fn store(arguments: KeyArguments) -> Result<Value, Error> {
    Ok(json!({ "count": increment(&arguments.key, 1)? }))
}

fn setting(arguments: KeyArguments) -> Result<Value, Error> {
    Ok(json!({ "value": config::get(&arguments.key)? }))
}

fn say(arguments: SayArguments) -> Result<&'static str, Error> {
    logging::log(logging::Level::Info, "reference", &arguments.text);
    Ok("said")
}

fn spin(_: NoArguments) -> Result<(), Error> {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

fn grow(_: NoArguments) -> Result<Value, Error> {
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut step = Vec::new();
        if step.try_reserve_exact(GROW_STEP_BYTES).is_err() || held.try_reserve(1).is_err() {
            let bytes = held.len() * GROW_STEP_BYTES;
            drop(held);
            return Ok(json!({ "refused_at_bytes": bytes }));
        }
        step.resize(GROW_STEP_BYTES, 1);
        held.push(std::hint::black_box(step));
    }
}

fn flood(_: NoArguments) -> Result<Vec<Content>, Error> {
    Ok(vec![Content::Text("x".repeat(FLOOD_BYTES))])
}

fn escape(arguments: EscapeArguments) -> Result<Value, Error> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
    Ok(json!({
        "read_file": attempt(std::fs::read("/etc/passwd").map(|bytes| bytes.len())),
        "write_file": attempt(std::fs::File::create("/tmp/pi-host-escape").and_then(|mut file| file.write_all(b"out"))),
        "list_folder": attempt(std::fs::read_dir("/").map(Iterator::count)),
        "environment": environment(),
        "connect": attempt(TcpStream::connect(address).map(|_| ())),
        "resolve": attempt(("localhost", arguments.port).to_socket_addrs().map(Iterator::count)),
        "process": attempt(std::process::Command::new("/bin/sh").arg("-c").arg("true").status()),
    }))
}

fn attempt<T: std::fmt::Debug, E: std::fmt::Display>(result: Result<T, E>) -> Value {
    match result {
        Ok(value) => json!({ "escaped": true, "said": format!("{value:?}") }),
        Err(error) => json!({ "escaped": false, "said": error.to_string() }),
    }
}

fn environment() -> Value {
    let count = std::env::vars_os().count();
    json!({ "escaped": count > 0, "said": format!("{count} variables") })
}

fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().next().unwrap_or_default().to_owned()
}
