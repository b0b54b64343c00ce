//! The handshake, from `select` to `ready`, as two machines.
//!
//! | | client | guacd |
//! |-|-|-|
//! | 1 | `select` PROTOCOL, or `$`ID to join | |
//! | 2 | | `args` VERSION, NAME… |
//! | 3 | `size` WIDTH,HEIGHT,DPI · `audio` TYPE… · `video` TYPE… · `image` TYPE… · `timezone` ZONE · `name` USER | |
//! | 4 | `connect` VERSION, VALUE… | |
//! | 5 | | `ready` `$`ID |
//!
//! [`Client`] is the left side, and [`Server`] the right one. Neither has sockets,
//! clocks or threads: instructions and points in time are arguments, and what is to be
//! sent is written into the caller's [`Output`]. Input goes into methods named
//! `handle_…`; what to wait for comes out of methods named `poll_…`; the order of calls
//! stands on the types. Bytes become instructions by a [`Decoder`](crate::Decoder), or,
//! with the feature `alloc`, by a `ReceiveBuffer`, which holds the bytes, too.
//!
//! The facts are those of guacamole-server (`src/libguac/user-handshake.c`,
//! `src/libguac/user-handlers.c`, `src/guacd/connection.c`) and of guacamole-client
//! (`ConfiguredGuacamoleSocket`).
//!
//! # Both sides in memory
//!
//! ```
//! # #[cfg(feature = "alloc")]
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! use core::time::Duration;
//! use guac_protocol::Limits;
//! use guac_protocol::handshake::{
//!     Client, ClientConfig, ClientEvent, ClientInformation, ConnectionId, Display,
//!     Information, Protocol, ReceiveBuffer, Server, ServerConfig, ServerEvent,
//! };
//!
//! const NAMES: [&str; 3] = ["hostname", "port", "password"];
//!
//! let now = Duration::ZERO; // Time since the program started, for example.
//! let mut client = Client::new(ClientConfig::default());
//! let mut server = Server::new(now, ServerConfig::default());
//! let mut at_client = ReceiveBuffer::new(Limits::GUACD);
//! let mut at_server = ReceiveBuffer::new(Limits::GUACD);
//! let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
//!
//! let information = Information {
//!     display: Display { width: 1920, height: 1080, dpi: 96 },
//!     image: &["image/png", "image/webp"],
//!     timezone: Some("Europe/Berlin"),
//!     ..Information::default()
//! };
//! let parameters = [("port", "5901"), ("hostname", "10.0.0.7"), ("colour", "red")];
//! let mut told = ClientInformation::default();
//! let mut unasked = Vec::new();
//!
//! client.write_select(now, Protocol::VNC, &mut to_server)?;
//! let id = 'handshake: loop {
//!     at_server.extend(&std::mem::take(&mut to_server)); // Instead of a socket.
//!     while let Some(instruction) = at_server.poll_instruction()? {
//!         let event = server.handle_instruction(now, &instruction)?;
//!         told.collect(&event, &NAMES);
//!         match event {
//!             ServerEvent::Select(_) => server.write_args(now, &NAMES, &mut to_client)?,
//!             ServerEvent::Connect(_) => {
//!                 server.write_ready(ConnectionId::new("$7")?, &mut to_client)?
//!             }
//!             _ => 0,
//!         };
//!     }
//!     at_client.extend(&std::mem::take(&mut to_client));
//!     while let Some(instruction) = at_client.poll_instruction()? {
//!         match client.handle_instruction(now, &instruction)? {
//!             ClientEvent::Args(args) => {
//!                 args.each_unasked(&parameters, |name| unasked.push(name.to_owned()));
//!                 client.write_answer(&args, &information, &parameters, &mut to_server)?;
//!             }
//!             ClientEvent::Ready { id } => break 'handshake id.to_owned(),
//!             ClientEvent::Refused { message, .. } => return Err(message.into()),
//!             _ => {}
//!         }
//!     }
//! };
//!
//! assert_eq!(id, "$7");
//! assert_eq!(unasked, ["colour"]);
//! assert_eq!(told.display.map(|display| display.width), Some(1920));
//! let values: Vec<_> = told.parameters.iter().map(|(_, value)| value.as_str()).collect();
//! assert_eq!(values, ["10.0.0.7", "5901", ""]);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "alloc"))]
//! # fn main() {}
//! ```
//!
//! # Without an allocator
//!
//! ```
//! use core::time::Duration;
//! use guac_protocol::handshake::{
//!     Client, ClientConfig, ClientEvent, ConnectionId, Information,
//! };
//! use guac_protocol::{Decoded, Decoder, Limits};
//!
//! let now = Duration::ZERO;
//! let mut client = Client::new(ClientConfig::default());
//! let mut room = [0; 512];
//! let mut out = &mut room[..];
//! let written = client.write_select(now, ConnectionId::new("$7")?, &mut out)?;
//!
//! // What a server answers.
//! let received = b"4.args,13.VERSION_1_1_0,8.hostname,9.read-only;";
//! let mut decoder = Decoder::new(Limits::GUACD);
//! let mut answered = 0;
//! if let Decoded::Complete { instruction, .. } = decoder.decode(received)?
//!     && let ClientEvent::Args(args) = client.handle_instruction(now, &instruction)?
//! {
//!     let parameters = [("read-only", "true")];
//!     answered = client.write_answer(&args, &Information::default(), &parameters, &mut out)?;
//! }
//! assert_eq!(&room[..written], b"6.select,2.$7;");
//! assert_eq!(
//!     &room[written..written + answered],
//!     b"4.size,4.1024,3.768,2.96;5.audio;5.video;5.image;\
//!       7.connect,13.VERSION_1_1_0,0.,4.true;"
//! );
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod argument;
mod client;
#[cfg(feature = "alloc")]
mod client_information;
mod failure;
mod information;
mod output;
mod parameters;
#[cfg(feature = "alloc")]
mod receive;
mod server;
mod target;
mod version;
mod watch;

pub use argument::Argument;
pub use client::{Args, Client, ClientConfig, ClientEvent};
#[cfg(feature = "alloc")]
pub use client_information::ClientInformation;
pub use failure::{Failure, Peer, WriteError};
pub use information::{Display, Information};
pub use output::Output;
pub use parameters::{Lookup, Parameters};
#[cfg(feature = "alloc")]
pub use receive::ReceiveBuffer;
pub use server::{Connect, Server, ServerConfig, ServerEvent};
pub use target::{ConnectionId, InvalidTarget, Protocol, Target};
pub use version::{Capability, Version};
