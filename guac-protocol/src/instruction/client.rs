//! What clients send to guacd.
//!
//! Sources: guacamole-server, `src/libguac/user-handlers.c` (the arguments that guacd
//! reads) and `src/libguac/user-handshake.c`; guacamole-client, `Client.js` (those that a
//! browser sends). guacd has no check for most of them and reads arguments that are not
//! there.

use core::ops::RangeInclusive;

use super::field::{Field, Reader};
use super::table::{declare, instructions};
use super::{
    ArgumentError, ArgumentErrorKind, Base64, Base64Error, Buttons, ClientStream, Extent, Keysym,
    List, Mimetype, Number, ObjectIndex, ServerStream, StatusCode,
};
use crate::{Encode, Instruction, Opcode};

instructions! {
    /// An instruction from a client to guacd, of the handshake or after it.
    ///
    /// Each variant holds a struct of [`client`](self). What is in none of them, also what
    /// only a server or a tunnel sends, is [`Unknown`](Self::Unknown); guacd ignores it.
    ///
    /// ```
    /// use guac_protocol::instruction::{Buttons, client};
    /// use guac_protocol::{ClientInstruction, Decoder, Limits};
    ///
    /// let mut pressed = 0;
    /// let mut decoder = Decoder::new(Limits::GUACD);
    /// let scan = decoder.decode_all(b"5.mouse,3.100,2.42,1.1;3.nop;", |instruction| {
    ///     match ClientInstruction::parse(instruction) {
    ///         Ok(ClientInstruction::Mouse(client::Mouse { buttons, .. })) => {
    ///             pressed += usize::from(buttons.contains(Buttons::LEFT));
    ///         }
    ///         Ok(_) => {}
    ///         Err(error) => panic!("{error}"),
    ///     }
    /// });
    /// assert_eq!((scan.instructions, pressed), (2, 1));
    /// ```
    enum ClientInstruction;

    /// `ack`: a blob was received, or a stream is refused.
    Ack<'a> = Ack {
        /// The stream of guacd.
        stream: ServerStream,
        /// A text for people.
        message: &'a str,
        /// Whether the stream goes on, and if not, why.
        status: StatusCode,
    }

    /// `argv`: opens a stream with the value of a connection parameter, to change it.
    Argv<'a> = Argv {
        /// The stream that is opened.
        stream: ClientStream,
        /// Type of the value.
        mimetype: Mimetype<'a>,
        /// Name of the parameter.
        name: &'a str,
    }

    /// `audio`: opens a stream of sound, such as that of a microphone.
    ///
    /// The handshake has an `audio` of its own, [`AudioTypes`]. What has two arguments, of
    /// which the first one has no `/`, as types do, is this one.
    Audio<'a> = Audio if opens_stream {
        /// The stream that is opened.
        stream: ClientStream,
        /// Type of the sound, with its parameters.
        mimetype: Mimetype<'a>,
    }

    /// `audio` of the handshake: the types of sound that the client can play.
    AudioTypes<'a> = Audio {
        /// The types.
        mimetypes: List<'a, Mimetype<'a>>,
    }

    /// `blob`: data on a stream.
    Blob<'a> = Blob {
        /// The stream.
        stream: ClientStream,
        /// The data in base64, which [`base64`](Self::base64) checks.
        data: &'a str,
    }

    /// `clipboard`: opens a stream with new content of the clipboard.
    Clipboard<'a> = Clipboard {
        /// The stream that is opened.
        stream: ClientStream,
        /// Type of the content.
        mimetype: Mimetype<'a>,
    }

    /// `connect`: the last word of the handshake, with a value for each name that the
    /// server's [`Args`](super::server::Args) has.
    Connect<'a> = Connect {
        /// The protocol version that the client answers. (Before protocol version 1.1.0
        /// this is the value of the first parameter.)
        version: &'a str,
        /// The values in the order of the names, empty where there is none.
        values: List<'a, &'a str>,
    }

    /// `disconnect`: the client leaves.
    Disconnect = Disconnect {}

    /// `end`: the end of a stream.
    End = End {
        /// The stream.
        stream: ClientStream,
    }

    /// `file`: opens a stream with a file for the remote desktop.
    File<'a> = File {
        /// The stream that is opened.
        stream: ClientStream,
        /// Type of the file.
        mimetype: Mimetype<'a>,
        /// Name of the file.
        name: &'a str,
    }

    /// `get`: asks for a stream of an object, which comes as a
    /// [`Body`](super::server::Body).
    Get<'a> = Get {
        /// The object.
        object: ObjectIndex,
        /// Name of the stream in the object; `/` is the root of a file system.
        name: &'a str,
    }

    /// `image` of the handshake: the types of images that the client can show.
    ImageTypes<'a> = Image {
        /// The types.
        mimetypes: List<'a, Mimetype<'a>>,
    }

    /// `key`: a key was pressed or released.
    Key = Key {
        /// The key.
        keysym: Keysym,
        /// Whether it is down now.
        pressed: bool,
    }

    /// `mouse`: the state of the mouse.
    Mouse = Mouse {
        /// Pixels from the left edge of the display.
        x: i32,
        /// Pixels from the upper edge of the display.
        y: i32,
        /// The buttons that are down.
        buttons: Buttons,
    }

    /// `name` of the handshake: what to call the user, for others on the connection (since
    /// protocol version 1.5.0).
    Name<'a> = Name {
        /// The name.
        name: &'a str,
    }

    /// `nop`: nothing; a sign of life. guacd gives a client up that is silent for 15
    /// seconds.
    Nop = Nop {}

    /// `pipe`: opens a stream to a named pipe.
    Pipe<'a> = Pipe {
        /// The stream that is opened.
        stream: ClientStream,
        /// Type of the data.
        mimetype: Mimetype<'a>,
        /// Name of the pipe.
        name: &'a str,
    }

    /// `put`: opens a stream into an object.
    Put<'a> = Put {
        /// The object.
        object: ObjectIndex,
        /// The stream that is opened.
        stream: ClientStream,
        /// Type of the data.
        mimetype: Mimetype<'a>,
        /// Name of the stream in the object, such as the path of a file.
        name: &'a str,
    }

    /// `select`: the first word of the handshake.
    Select<'a> = Select {
        /// A protocol such as `vnc`, or the id of a connection to join, which begins with
        /// `$` (guacamole-server, `src/libguac/guacamole/client-constants.h`,
        /// `GUAC_CLIENT_ID_PREFIX`).
        target: &'a str,
    }

    /// `size`: the size that the client would like the display to have.
    Size<'a> = Size {
        /// Width in pixels.
        width: Extent<'a>,
        /// Height in pixels.
        height: Extent<'a>,
        /// Pixels per inch. guacd reads it in the handshake only, and takes 96 where it is
        /// left out.
        dpi: Option<u16>,
    }

    /// `sync`: everything up to that [`Sync`](super::server::Sync) of the server is on the
    /// screen.
    ///
    /// guacd ends the session of a client that names a time it did not send yet.
    Sync = Sync {
        /// The server's timestamp, in milliseconds of its clock.
        timestamp: i64,
    }

    /// `timezone` of the handshake: where the user is (since protocol version 1.1.0).
    Timezone<'a> = Timezone {
        /// The name of the time zone in the tz database, such as `Europe/Berlin`.
        timezone: &'a str,
    }

    /// `touch`: the state of one touch point.
    Touch<'a> = Touch {
        /// Number of the point, the same as long as it lasts.
        id: i32,
        /// Pixels from the left edge of the display.
        x: i32,
        /// Pixels from the upper edge of the display.
        y: i32,
        /// Horizontal radius of the touched ellipse in pixels.
        x_radius: i32,
        /// Vertical radius of the touched ellipse in pixels.
        y_radius: i32,
        /// How far the ellipse is turned clockwise, in degrees.
        angle: Number<'a>,
        /// Force from 0, where the point is released, to 1.
        force: Number<'a>,
    }

    /// `usbconnect`: a USB device is offered. (guacd after 1.6.)
    Usbconnect<'a> = Usbconnect {
        /// The client's name for the device.
        device: &'a str,
        /// USB id of the vendor.
        vendor: u16,
        /// USB id of the product.
        product: u16,
        /// Name of the device for people; may be empty.
        name: &'a str,
        /// Serial number; empty where there is none.
        serial_number: &'a str,
        /// USB class of the device.
        class: u8,
        /// USB subclass of the device.
        subclass: u8,
        /// USB protocol of the device.
        protocol: u8,
        /// Interfaces and their endpoints, in a notation of their own (guacamole-server,
        /// `src/libguac/guacamole/user-fntypes.h`, `guac_user_usbconnect_handler`).
        interfaces: &'a str,
    }

    /// `usbdata`: data that a USB device sent. (guacd after 1.6.)
    Usbdata<'a> = Usbdata {
        /// The device.
        device: &'a str,
        /// Number of the endpoint.
        endpoint: u8,
        /// The data in base64, which [`base64`](Self::base64) checks.
        data: &'a str,
        /// Kind of the transfer: bulk, interrupt, isochronous or control.
        transfer: &'a str,
    }

    /// `usbdisconnect`: a USB device is gone. (guacd after 1.6.)
    Usbdisconnect<'a> = Usbdisconnect {
        /// The device.
        device: &'a str,
    }

    /// `video` of the handshake: the types of video that the client can play.
    VideoTypes<'a> = Video {
        /// The types.
        mimetypes: List<'a, Mimetype<'a>>,
    }
}

/// Whether an `audio` is the one that opens a stream.
fn opens_stream(audio: &Instruction<'_>) -> bool {
    audio.len() == 3 && audio.get(1).is_some_and(|first| !first.contains('/'))
}

impl ClientInstruction<'_> {
    /// Whether it has a place in the handshake only, so that a proxy refuses it later.
    ///
    /// [`Opcode::is_client_handshake`] tells the same from the opcode, but for `audio`,
    /// which needs a look at the arguments. [`Size`] belongs to both.
    #[must_use]
    pub fn is_handshake(&self) -> bool {
        matches!(self, Self::AudioTypes(_)) || self.opcode().is_client_handshake()
    }
}

impl<'a> Blob<'a> {
    /// The data, checked to be base64.
    ///
    /// # Errors
    /// Where it is not.
    pub fn base64(&self) -> Result<Base64<'a>, Base64Error> {
        Base64::new(self.data)
    }
}

impl<'a> Usbdata<'a> {
    /// The data, checked to be base64.
    ///
    /// # Errors
    /// Where it is not.
    pub fn base64(&self) -> Result<Base64<'a>, Base64Error> {
        Base64::new(self.data)
    }
}
