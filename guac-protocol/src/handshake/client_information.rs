//! What a client told, collected.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::{Display, ServerEvent, Version};
use crate::Elements;

/// What a client told a server in the course of a handshake, as owned values.
///
/// What is told again takes the place of what was told before, as in guacd. So it
/// never holds more than the values of seven instructions, whose size the limits of
/// the decoder bound: under [`Limits::GUACD`](crate::Limits::GUACD) less than
/// 7 × 32 KiB of text, however much the client sends.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientInformation {
    /// Version of the protocol to go on with; `None` before `connect`.
    pub version: Option<Version>,
    /// The display that it wants.
    pub display: Option<Display>,
    /// Types of audio that it can play.
    pub audio: Vec<String>,
    /// Types of video that it can play.
    pub video: Vec<String>,
    /// Types of pictures that it can show.
    pub image: Vec<String>,
    /// Its time zone.
    pub timezone: Option<String>,
    /// Name of the user.
    pub name: Option<String>,
    /// Names and values of the connection parameters, in the order of the names.
    pub parameters: Vec<(String, String)>,
}

impl ClientInformation {
    /// Takes over what an event tells. The names of the parameters are those that
    /// the server sent.
    pub fn collect<S: AsRef<str>>(&mut self, event: &ServerEvent<'_>, names: &[S]) {
        match event {
            ServerEvent::Size(display) => self.display = Some(*display),
            ServerEvent::Audio(types) => self.audio = list(types),
            ServerEvent::Video(types) => self.video = list(types),
            ServerEvent::Image(types) => self.image = list(types),
            ServerEvent::Timezone(timezone) => self.timezone = timezone.map(String::from),
            ServerEvent::Name(name) => self.name = name.map(String::from),
            ServerEvent::Connect(connect) => {
                self.version = Some(connect.version());
                self.parameters = connect
                    .parameters(names)
                    .map(|(name, value)| (name.into(), value.into()))
                    .collect();
            }
            _ => {}
        }
    }
}

fn list(types: &Elements<'_>) -> Vec<String> {
    types.clone().map(String::from).collect()
}

impl fmt::Debug for ClientInformation {
    /// Without the values of parameters, as there are passwords among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.parameters.iter().map(|(name, _)| name).collect();
        f.debug_struct("ClientInformation")
            .field("version", &self.version)
            .field("display", &self.display)
            .field("audio", &self.audio)
            .field("video", &self.video)
            .field("image", &self.image)
            .field("timezone", &self.timezone)
            .field("name", &self.name)
            .field("parameters", &names)
            .finish()
    }
}
