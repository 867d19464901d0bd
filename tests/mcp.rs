//! The Model Context Protocol: the server by its messages, and the client against servers of all kinds.

mod http;
mod peer;
mod protocol;
mod sample;
