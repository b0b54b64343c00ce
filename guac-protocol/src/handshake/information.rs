//! What a client tells about itself between `args` and `connect`.

use super::output::Sink;
use super::{Capability, Version};
use crate::encode::Decimal;
use crate::{Encode, EncodeError};

/// The display that a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Display {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Pixels per inch.
    pub dpi: u32,
}

impl Display {
    /// What guacd assumes where `size` has no resolution (guacamole-server,
    /// `src/libguac/user-handlers.c`).
    pub const DEFAULT_DPI: u32 = 96;
}

impl Default for Display {
    /// 1024 × 768 at 96 dpi, as guacamole-client (`GuacamoleClientInformation`).
    fn default() -> Self {
        Self {
            width: 1024,
            height: 768,
            dpi: Self::DEFAULT_DPI,
        }
    }
}

/// What a client tells about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Information<'a> {
    /// The display that it wants.
    pub display: Display,
    /// Types of audio that it can play, such as `audio/L16`.
    pub audio: &'a [&'a str],
    /// Types of video that it can play.
    pub video: &'a [&'a str],
    /// Types of pictures that it can show, such as `image/webp`.
    pub image: &'a [&'a str],
    /// Its time zone, such as `Europe/Berlin`. Sent from version 1.1.0 on.
    pub timezone: Option<&'a str>,
    /// Name of the user, shown to others on the same connection. Sent from version
    /// 1.5.0 on.
    pub name: Option<&'a str>,
}

impl Information<'_> {
    /// In the order that versions before 1.1.0 need (guacamole-client,
    /// `ConfiguredGuacamoleSocket`).
    pub(super) fn put_into(
        &self,
        version: Version,
        sink: &mut impl Sink,
    ) -> Result<(), EncodeError> {
        let Display { width, height, dpi } = self.display;
        let mut room = [(); 3].map(|()| Decimal::default());
        let [a, b, c] = &mut room;
        sink.put(&[
            "size",
            a.format(width.into()),
            b.format(height.into()),
            c.format(dpi.into()),
        ])?;
        sink.put(&List("audio", self.audio))?;
        sink.put(&List("video", self.video))?;
        sink.put(&List("image", self.image))?;
        if let (true, Some(timezone)) = (version.supports(Capability::Timezone), self.timezone) {
            sink.put(&["timezone", timezone])?;
        }
        if let (true, Some(name)) = (version.supports(Capability::Name), self.name) {
            sink.put(&["name", name])?;
        }
        Ok(())
    }
}

/// An opcode and any number of arguments.
pub(super) struct List<'a, S>(pub(super) &'a str, pub(super) &'a [S]);

impl<S: AsRef<str>> Encode for List<'_, S> {
    fn elements<E>(&self, mut each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        each(self.0)?;
        self.1
            .iter()
            .try_for_each(|argument| each(argument.as_ref()))
    }
}
