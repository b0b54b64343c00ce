//! What guacd sends to clients.
//!
//! Sources: guacamole-server, `src/libguac/protocol.c` (the arguments that guacd writes)
//! and `src/libguac/guacamole/protocol.h` (what they mean); guacamole-client, `Client.js`
//! (what a browser reads, also from older servers).
//!
//! Drawing happens in layers and buffers ([`Layer`]), each with a path that `start`,
//! `line`, `arc`, `curve`, `rect` and `close` make, and that a fill, a stroke or a clip
//! uses up. Coordinates are pixels from the upper left corner of the layer.

use core::ops::RangeInclusive;

use super::field::{Field, Reader};
use super::table::{declare, instructions};
use super::{
    ArgumentError, ArgumentErrorKind, Base64, Base64Error, Buttons, ChannelMask, ClientStream,
    Keysym, Layer, LineCap, LineJoin, List, MessageCode, Mimetype, Number, ObjectIndex,
    ServerStream, StatusCode, TransferFunction,
};
use crate::{Encode, Instruction, Opcode};

instructions! {
    /// An instruction from guacd to a client, of the handshake or after it; also what is in
    /// a recording.
    ///
    /// Each variant holds a struct of [`server`](self). What is in none of them, also what
    /// only a client or a tunnel sends, is [`Unknown`](Self::Unknown); browsers ignore it.
    ///
    /// ```
    /// use guac_protocol::{Decoded, Decoder, Encoder, Limits, ServerInstruction};
    ///
    /// let mut decoder = Decoder::new(Limits::GUACD);
    /// let raw = b"4.copy,1.0,2.10,2.20,2.64,2.48,2.14,2.-1,1.0,1.0;";
    /// let Decoded::Complete { instruction, .. } = decoder.decode(raw)? else {
    ///     unreachable!();
    /// };
    /// let copy = ServerInstruction::parse(instruction)?;
    /// if let ServerInstruction::Copy(copy) = copy {
    ///     assert_eq!((copy.width, copy.height), (64, 48));
    ///     assert!(copy.destination.is_buffer());
    /// }
    /// let mut out = Vec::new();
    /// Encoder::new(Limits::GUACD).encode_vec(&copy, &mut out)?;
    /// assert_eq!(out, raw);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    enum ServerInstruction;

    /// `ack`: a blob was received, or a stream is refused.
    Ack<'a> = Ack {
        /// Number of the client's stream. guacd also refuses numbers that can be none, and
        /// 1.6.1 writes -1 for a stream that it has closed, so it need not be a
        /// [`ClientStream`]; [`client_stream`](Self::client_stream) tells.
        stream: i32,
        /// A text for people.
        message: &'a str,
        /// Whether the stream goes on, and if not, why.
        status: StatusCode,
    }

    /// `arc`: adds an arc to the path.
    Arc<'a> = Arc {
        /// The layer.
        layer: Layer,
        /// The centre.
        x: i32,
        /// The centre.
        y: i32,
        /// Radius in pixels.
        radius: i32,
        /// Where it starts, in radians.
        start: Number<'a>,
        /// Where it ends, in radians.
        end: Number<'a>,
        /// Whether it is drawn with falling angles.
        negative: bool,
    }

    /// `args`: what guacd answers to `select`: the parameters that it wants values for.
    Args<'a> = Args {
        /// The newest protocol version that guacd speaks, such as `VERSION_1_5_0`. (Before
        /// protocol version 1.1.0 this is the name of the first parameter.)
        version: &'a str,
        /// The names of the parameters, in the order that `connect` has to keep.
        names: List<'a, &'a str>,
    }

    /// `argv`: opens a stream with the present value of a connection parameter that may be
    /// changed.
    Argv<'a> = Argv {
        /// The stream that is opened.
        stream: ServerStream,
        /// Type of the value.
        mimetype: Mimetype<'a>,
        /// Name of the parameter.
        name: &'a str,
    }

    /// `audio`: opens a stream of sound.
    Audio<'a> = Audio {
        /// The stream that is opened.
        stream: ServerStream,
        /// Type of the sound, with its parameters.
        mimetype: Mimetype<'a>,
    }

    /// `blob`: data on a stream.
    Blob<'a> = Blob {
        /// The stream.
        stream: ServerStream,
        /// The data in base64, which [`base64`](Self::base64) checks.
        data: &'a str,
    }

    /// `body`: opens a stream of an object, as a `get` asked for.
    Body<'a> = Body {
        /// The object.
        object: ObjectIndex,
        /// The stream that is opened.
        stream: ServerStream,
        /// Type of the data.
        mimetype: Mimetype<'a>,
        /// Name of the stream in the object, such as the path of a file.
        name: &'a str,
    }

    /// `cfill`: fills the path with a colour.
    Cfill = Cfill {
        /// How the colour and what is there are put together.
        mask: ChannelMask,
        /// The layer.
        layer: Layer,
        /// Red part of the colour.
        red: u8,
        /// Green part of the colour.
        green: u8,
        /// Blue part of the colour.
        blue: u8,
        /// Opacity of the colour: 255 is opaque.
        alpha: u8,
    }

    /// `clip`: from now on, what is drawn shows only inside the path.
    Clip = Clip {
        /// The layer.
        layer: Layer,
    }

    /// `clipboard`: opens a stream with new content of the clipboard.
    Clipboard<'a> = Clipboard {
        /// The stream that is opened.
        stream: ServerStream,
        /// Type of the content.
        mimetype: Mimetype<'a>,
    }

    /// `close`: closes the path with a line to its start.
    Close = Close {
        /// The layer.
        layer: Layer,
    }

    /// `copy`: copies a rectangle.
    Copy = Copy {
        /// The layer that it is copied from.
        source: Layer,
        /// Left edge in the source.
        source_x: i32,
        /// Upper edge in the source.
        source_y: i32,
        /// Width in pixels.
        width: i32,
        /// Height in pixels.
        height: i32,
        /// How it and what is there are put together.
        mask: ChannelMask,
        /// The layer that it is copied to.
        destination: Layer,
        /// Left edge in the destination.
        x: i32,
        /// Upper edge in the destination.
        y: i32,
    }

    /// `cstroke`: strokes the path with a colour.
    Cstroke = Cstroke {
        /// How the colour and what is there are put together.
        mask: ChannelMask,
        /// The layer.
        layer: Layer,
        /// How ends look.
        cap: LineCap,
        /// How corners look.
        join: LineJoin,
        /// Thickness of the line in pixels.
        thickness: i32,
        /// Red part of the colour.
        red: u8,
        /// Green part of the colour.
        green: u8,
        /// Blue part of the colour.
        blue: u8,
        /// Opacity of the colour: 255 is opaque.
        alpha: u8,
    }

    /// `cursor`: a rectangle of a layer becomes the mouse cursor.
    Cursor = Cursor {
        /// The point of the cursor that points, from its left edge.
        hotspot_x: i32,
        /// The point of the cursor that points, from its upper edge.
        hotspot_y: i32,
        /// The layer with the picture.
        source: Layer,
        /// Left edge in the source.
        source_x: i32,
        /// Upper edge in the source.
        source_y: i32,
        /// Width in pixels.
        width: i32,
        /// Height in pixels.
        height: i32,
    }

    /// `curve`: adds a cubic Bézier curve to the path.
    Curve = Curve {
        /// The layer.
        layer: Layer,
        /// First control point.
        x1: i32,
        /// First control point.
        y1: i32,
        /// Second control point.
        x2: i32,
        /// Second control point.
        y2: i32,
        /// The end.
        x: i32,
        /// The end.
        y: i32,
    }

    /// `disconnect`: guacd is done. guacd 1.6.1 may write more after it, and leave off
    /// inside an instruction.
    Disconnect = Disconnect {}

    /// `dispose`: removes a layer.
    Dispose = Dispose {
        /// The layer.
        layer: Layer,
    }

    /// `distort`: sets the matrix by which a layer is shown: a point (x, y) goes to
    /// (ax + cy + e, bx + dy + f).
    Distort<'a> = Distort {
        /// The layer.
        layer: Layer,
        /// Of x, for the new x.
        a: Number<'a>,
        /// Of x, for the new y.
        b: Number<'a>,
        /// Of y, for the new x.
        c: Number<'a>,
        /// Of y, for the new y.
        d: Number<'a>,
        /// Added to the new x.
        e: Number<'a>,
        /// Added to the new y.
        f: Number<'a>,
    }

    /// `end`: the end of a stream.
    End = End {
        /// The stream.
        stream: ServerStream,
    }

    /// `error`: the connection failed, or cannot go on.
    Error<'a> = Error {
        /// A text for people.
        message: &'a str,
        /// Why.
        status: StatusCode,
    }

    /// `file`: opens a stream with a file for the user.
    File<'a> = File {
        /// The stream that is opened.
        stream: ServerStream,
        /// Type of the file.
        mimetype: Mimetype<'a>,
        /// Name of the file.
        name: &'a str,
    }

    /// `filesystem`: there is an object that is a file system.
    Filesystem<'a> = Filesystem {
        /// The object.
        object: ObjectIndex,
        /// Name for people.
        name: &'a str,
    }

    /// `identity`: resets the matrix that [`Transform`] changes.
    Identity = Identity {
        /// The layer.
        layer: Layer,
    }

    /// `img`: opens a stream with an image that is drawn when it is complete.
    Img<'a> = Img {
        /// The stream that is opened.
        stream: ServerStream,
        /// How the image and what is there are put together.
        mask: ChannelMask,
        /// The layer.
        layer: Layer,
        /// Type of the image.
        mimetype: Mimetype<'a>,
        /// Left edge.
        x: i32,
        /// Upper edge.
        y: i32,
    }

    /// `jpeg`: an image in the instruction itself. Browsers still draw it
    /// (guacamole-client, `Client.js`); guacd sends it in no release.
    Jpeg<'a> = Jpeg {
        /// How the image and what is there are put together.
        mask: ChannelMask,
        /// The layer.
        layer: Layer,
        /// Left edge.
        x: i32,
        /// Upper edge.
        y: i32,
        /// The image in base64, which [`base64`](Self::base64) checks.
        data: &'a str,
    }

    /// `key`: a key was pressed or released. Only in recordings.
    Key = Key {
        /// The key.
        keysym: Keysym,
        /// Whether it is down now.
        pressed: bool,
        /// When, in milliseconds of guacd's clock.
        timestamp: i64,
    }

    /// `lfill`: fills the path with copies of a layer.
    Lfill = Lfill {
        /// How it and what is there are put together.
        mask: ChannelMask,
        /// The layer.
        layer: Layer,
        /// The layer that fills the path.
        source: Layer,
    }

    /// `line`: adds a line to the path.
    Line = Line {
        /// The layer.
        layer: Layer,
        /// The end.
        x: i32,
        /// The end.
        y: i32,
    }

    /// `log`: a message for the log of the client.
    Log<'a> = Log {
        /// The message.
        message: &'a str,
    }

    /// `lstroke`: strokes the path with copies of a layer.
    ///
    /// This is what guacd writes; a browser takes the third argument for the source
    /// (guacamole-client, `Client.js`).
    Lstroke = Lstroke {
        /// How it and what is there are put together.
        mask: ChannelMask,
        /// The layer.
        layer: Layer,
        /// How ends look.
        cap: LineCap,
        /// How corners look.
        join: LineJoin,
        /// Thickness of the line in pixels.
        thickness: i32,
        /// The layer that the line shows.
        source: Layer,
    }

    /// `mouse`: where the mouse of another user is; in recordings, of any.
    Mouse = Mouse {
        /// Pixels from the left edge of the display.
        x: i32,
        /// Pixels from the upper edge of the display.
        y: i32,
        /// Buttons and time; guacd before 1.0.0 does not send them.
        state: Option<MouseState>,
    }

    /// `move`: places a layer.
    Move = Move {
        /// The layer.
        layer: Layer,
        /// The layer that it becomes a part of.
        parent: Layer,
        /// Pixels from the left edge of the parent.
        x: i32,
        /// Pixels from the upper edge of the parent.
        y: i32,
        /// Order among the layers of the parent: higher ones cover lower ones.
        z: i32,
    }

    /// `msg`: a message for the user, which the client words (since protocol version
    /// 1.5.0).
    Msg<'a> = Msg {
        /// Which message.
        code: MessageCode,
        /// What to put into it.
        arguments: List<'a, &'a str>,
    }

    /// `name`: a name for the connection, such as the title of a terminal.
    Name<'a> = Name {
        /// The name.
        name: &'a str,
    }

    /// `nest`: a piece of a stream of instructions in an instruction. Not used any more.
    Nest<'a> = Nest {
        /// Number of the nested stream.
        index: i32,
        /// The piece, which may begin and end anywhere.
        data: &'a str,
    }

    /// `nop`: nothing; a sign of life.
    Nop = Nop {}

    /// `pipe`: opens a stream from a named pipe.
    Pipe<'a> = Pipe {
        /// The stream that is opened.
        stream: ServerStream,
        /// Type of the data.
        mimetype: Mimetype<'a>,
        /// Name of the pipe.
        name: &'a str,
    }

    /// `png`: an image in the instruction itself. Browsers still draw it
    /// (guacamole-client, `Client.js`); guacd before 0.9.8 sends it.
    Png<'a> = Png {
        /// How the image and what is there are put together.
        mask: ChannelMask,
        /// The layer.
        layer: Layer,
        /// Left edge.
        x: i32,
        /// Upper edge.
        y: i32,
        /// The image in base64, which [`base64`](Self::base64) checks.
        data: &'a str,
    }

    /// `pop`: takes back the state that [`Push`] saved last.
    Pop = Pop {
        /// The layer.
        layer: Layer,
    }

    /// `push`: saves the state of a layer, such as its clip and its matrix.
    Push = Push {
        /// The layer.
        layer: Layer,
    }

    /// `ready`: the handshake is complete. An `error` may still follow.
    Ready<'a> = Ready {
        /// Id of the connection, by which others can join; begins with `$`.
        id: &'a str,
    }

    /// `rect`: adds a rectangle to the path.
    Rect = Rect {
        /// The layer.
        layer: Layer,
        /// Left edge.
        x: i32,
        /// Upper edge.
        y: i32,
        /// Width in pixels.
        width: i32,
        /// Height in pixels.
        height: i32,
    }

    /// `required`: guacd needs values for these parameters, which the client sends with
    /// `argv` (since protocol version 1.3.0).
    Required<'a> = Required {
        /// The names of the parameters.
        names: List<'a, &'a str>,
    }

    /// `reset`: clears the state of a layer, and what [`Push`] saved of it.
    Reset = Reset {
        /// The layer.
        layer: Layer,
    }

    /// `set`: sets a property of a layer.
    Set<'a> = Set {
        /// The layer.
        layer: Layer,
        /// Name of the property, such as `multi-touch`.
        name: &'a str,
        /// Its value.
        value: &'a str,
    }

    /// `shade`: sets the opacity of a layer.
    Shade = Shade {
        /// The layer.
        layer: Layer,
        /// Opacity: 255 is opaque.
        alpha: u8,
    }

    /// `size`: sets the size of a layer, for [`Layer::DEFAULT`] that of the display.
    Size = Size {
        /// The layer.
        layer: Layer,
        /// Width in pixels.
        width: i32,
        /// Height in pixels.
        height: i32,
    }

    /// `start`: begins a part of the path.
    Start = Start {
        /// The layer.
        layer: Layer,
        /// The start.
        x: i32,
        /// The start.
        y: i32,
    }

    /// `sync`: the end of a frame.
    Sync = Sync {
        /// Time of the frame, in milliseconds of guacd's clock; the client sends it back.
        timestamp: i64,
        /// How many frames of the remote desktop are in this one; 0 where that is not
        /// known. guacd before 1.6.0 does not send it.
        frames: Option<u32>,
    }

    /// `touch`: the state of one touch point. Only in recordings.
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
        /// When, in milliseconds of guacd's clock.
        timestamp: i64,
    }

    /// `transfer`: combines a rectangle with another one, bit by bit.
    Transfer = Transfer {
        /// The layer that it is taken from.
        source: Layer,
        /// Left edge in the source.
        source_x: i32,
        /// Upper edge in the source.
        source_y: i32,
        /// Width in pixels.
        width: i32,
        /// Height in pixels.
        height: i32,
        /// How the bits are combined.
        function: TransferFunction,
        /// The layer that is changed.
        destination: Layer,
        /// Left edge in the destination.
        x: i32,
        /// Upper edge in the destination.
        y: i32,
    }

    /// `transform`: multiplies the matrix by which is drawn on a layer with another one: a
    /// point (x, y) goes to (ax + cy + e, bx + dy + f).
    Transform<'a> = Transform {
        /// The layer.
        layer: Layer,
        /// Of x, for the new x.
        a: Number<'a>,
        /// Of x, for the new y.
        b: Number<'a>,
        /// Of y, for the new x.
        c: Number<'a>,
        /// Of y, for the new y.
        d: Number<'a>,
        /// Added to the new x.
        e: Number<'a>,
        /// Added to the new y.
        f: Number<'a>,
    }

    /// `undefine`: an object is gone.
    Undefine = Undefine {
        /// The object.
        object: ObjectIndex,
    }

    /// `usbdata`: data for a USB device. (guacd after 1.6.)
    Usbdata<'a> = Usbdata {
        /// The device.
        device: &'a str,
        /// Number of the endpoint.
        endpoint: u8,
        /// The data in base64, which [`base64`](Self::base64) checks.
        data: &'a str,
    }

    /// `usbdisconnect`: guacd is done with a USB device. (guacd after 1.6.)
    Usbdisconnect<'a> = Usbdisconnect {
        /// The device.
        device: &'a str,
    }

    /// `video`: opens a stream of video that fills a layer.
    Video<'a> = Video {
        /// The stream that is opened.
        stream: ServerStream,
        /// The layer.
        layer: Layer,
        /// Type of the video.
        mimetype: Mimetype<'a>,
    }
}

/// What [`Mouse`] tells besides the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MouseState {
    /// The buttons that are down.
    pub buttons: Buttons,
    /// When, in milliseconds of guacd's clock.
    pub timestamp: i64,
}

impl<'a> Field<'a> for MouseState {
    const MIN: usize = 2;
    const MAX: usize = 2;

    #[inline]
    fn read(reader: &mut Reader<'_, 'a>) -> Result<Self, ArgumentError> {
        Ok(Self {
            buttons: Field::read(reader)?,
            timestamp: Field::read(reader)?,
        })
    }

    #[inline]
    fn write<E>(&self, each: &mut impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        self.buttons.write(each)?;
        self.timestamp.write(each)
    }
}

impl Ack<'_> {
    /// The stream, where the number can be one.
    #[must_use]
    pub fn client_stream(&self) -> Option<ClientStream> {
        u16::try_from(self.stream).ok().and_then(ClientStream::new)
    }
}

macro_rules! base64 {
    ($($name:ident),*) => {$(
        impl<'a> $name<'a> {
            /// The data, checked to be base64.
            ///
            /// # Errors
            /// Where it is not.
            pub fn base64(&self) -> Result<Base64<'a>, Base64Error> {
                Base64::new(self.data)
            }
        }
    )*};
}

base64!(Blob, Jpeg, Png, Usbdata);
