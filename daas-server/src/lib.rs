//! The server of Desktop-as-a-Service: HTTP in front of [`daas_core`].
//!
//! It translates between HTTP and the core and decides nothing itself: no SQL, no
//! containers and no Guacamole instructions are known here.

#![forbid(unsafe_code)]

mod api;
mod backend;
mod check;
pub mod command;
pub mod config;
mod endings;
mod expected;
mod http;
mod log;
mod metrics;
mod open_tunnels;
mod page;
mod run;
mod services;
mod sign_on;
mod steps;
mod strict;
pub mod threads;
pub mod tls;
pub mod tunnel;
mod tunnels;
pub mod websocket;

pub use api::routes;
pub use check::{Opened, check};
pub use http::{
    Body, Detached, DetachedTls, FieldError, Limits, Listener, Problem, Rate, Rates, RouteInfo,
    detach, redirect, serve,
};
pub use open_tunnels::OpenTunnels;
pub use run::{RunError, run, run_check};
pub use services::{Parts, Services, Settings};
pub use sign_on::{SignOn, SignOnFault};
pub use tunnels::{NoTunnels, Tunnels};
