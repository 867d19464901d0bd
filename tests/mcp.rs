//! The Model Context Protocol: the server by its messages and by the official clients, and the client against
//! servers of all kinds.

mod clients;
mod http;
mod peer;
mod protocol;
mod sample;
mod sdk;
mod servers;
