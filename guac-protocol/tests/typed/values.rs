//! Values of every instruction, drawn at random: encoding and parsing give them back.

use std::iter::Cycle;
use std::slice::Iter;

use guac_protocol::instruction::client::{self, ClientInstruction};
use guac_protocol::instruction::server::{self, ServerInstruction};
use guac_protocol::instruction::{
    Base64, Buttons, ChannelMask, ClientStream, Extent, Keysym, Layer, LineCap, LineJoin, List,
    MessageCode, Mimetype, Number, ObjectIndex, ServerStream, StatusCode, TransferFunction,
};
use proptest::prelude::*;

use crate::{Direction, FromClient, FromServer, bytes, with_instruction};

/// What values are made of.
struct Material<'a> {
    words: Cycle<Iter<'a, u64>>,
    texts: &'a [&'a str],
    mimetypes: &'a [Mimetype<'a>],
}

impl<'a> Material<'a> {
    fn word(&mut self) -> u64 {
        *self.words.next().unwrap()
    }

    /// A number from 0 to `max`, its ends often.
    fn up_to(&mut self, max: u64) -> u64 {
        let word = self.word();
        match word % 8 {
            0 => 0,
            1 => max,
            _ => word / 8 % (max + 1),
        }
    }

    /// A number of 64 bits, of any size.
    fn signed(&mut self) -> i64 {
        let word = self.word().cast_signed();
        match word & 7 {
            0 => 0,
            1 => i64::MIN,
            2 => i64::MAX,
            n => word >> (8 * n),
        }
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        let last = values.len() as u64 - 1;
        values[self.up_to(last) as usize]
    }

    fn part_of<T>(&mut self, values: &'a [T]) -> &'a [T] {
        let length = self.up_to(values.len() as u64) as usize;
        &values[..length]
    }
}

/// A field of an instruction.
trait Draw<'a> {
    fn draw(from: &mut Material<'a>) -> Self;
}

macro_rules! draw {
    ($($type:ty: $from:ident => $value:expr;)*) => {$(
        impl<'a> Draw<'a> for $type {
            fn draw($from: &mut Material<'a>) -> Self {
                $value
            }
        }
    )*};
}

draw! {
    bool: from => from.up_to(1) == 1;
    u8: from => from.up_to(255) as u8;
    u16: from => from.up_to(65_535) as u16;
    u32: from => from.up_to(u32::MAX.into()) as u32;
    i32: from => from.signed().clamp(i32::MIN.into(), i32::MAX.into()) as i32;
    i64: from => from.signed();
    &'a str: from => from.one_of(from.texts);
    Mimetype<'a>: from => from.one_of(from.mimetypes);
    List<'a, &'a str>: from => from.part_of(from.texts).into();
    List<'a, Mimetype<'a>>: from => from.part_of(from.mimetypes).into();
    ClientStream: from => ClientStream::new(from.up_to(511) as u16).unwrap();
    ServerStream: from => ServerStream::new(from.up_to(1023) as u16).unwrap();
    ObjectIndex: from => ObjectIndex::new(from.up_to(0x7FFF_FFFF) as u32).unwrap();
    Keysym: from => Keysym::new(from.up_to(0x1FFF_FFFF) as u32).unwrap();
    ChannelMask: from => ChannelMask::new(from.up_to(15) as u8).unwrap();
    TransferFunction: from => TransferFunction::new(from.up_to(15) as u8).unwrap();
    Layer: from => Layer(Draw::draw(from));
    Buttons: from => Buttons(Draw::draw(from));
    StatusCode: from => StatusCode(Draw::draw(from));
    MessageCode: from => MessageCode(Draw::draw(from));
    LineCap: from => from.one_of(&[LineCap::Butt, LineCap::Round, LineCap::Square]);
    LineJoin: from => from.one_of(&[LineJoin::Bevel, LineJoin::Miter, LineJoin::Round]);
    Extent<'a>: from => Extent::new(Draw::draw(from));
    Number<'a>: from => Number::new(f64::from_bits(from.word())).unwrap_or_default();
    server::MouseState: from => Self {
        buttons: Draw::draw(from),
        timestamp: Draw::draw(from),
    };
}

impl<'a, T: Draw<'a>> Draw<'a> for Option<T> {
    fn draw(from: &mut Material<'a>) -> Self {
        bool::draw(from).then(|| T::draw(from))
    }
}

macro_rules! draw_all {
    ($from:expr, $module:ident, $enum:ident: $($name:ident { $($field:ident),* })*) => {
        vec![$($enum::$name($module::$name { $($field: Draw::draw($from)),* })),*]
    };
}

fn client<'a>(from: &mut Material<'a>) -> Vec<ClientInstruction<'a>> {
    draw_all! { from, client, ClientInstruction:
        Ack { stream, message, status }
        Argv { stream, mimetype, name }
        Audio { stream, mimetype }
        AudioTypes { mimetypes }
        Blob { stream, data }
        Clipboard { stream, mimetype }
        Connect { version, values }
        Disconnect {}
        End { stream }
        File { stream, mimetype, name }
        Get { object, name }
        ImageTypes { mimetypes }
        Key { keysym, pressed }
        Mouse { x, y, buttons }
        Name { name }
        Nop {}
        Pipe { stream, mimetype, name }
        Put { object, stream, mimetype, name }
        Select { target }
        Size { width, height, dpi }
        Sync { timestamp }
        Timezone { timezone }
        Touch { id, x, y, x_radius, y_radius, angle, force }
        Usbconnect {
            device, vendor, product, name, serial_number, class, subclass, protocol, interfaces
        }
        Usbdata { device, endpoint, data, transfer }
        Usbdisconnect { device }
        VideoTypes { mimetypes }
    }
}

fn server<'a>(from: &mut Material<'a>) -> Vec<ServerInstruction<'a>> {
    draw_all! { from, server, ServerInstruction:
        Ack { stream, message, status }
        Arc { layer, x, y, radius, start, end, negative }
        Args { version, names }
        Argv { stream, mimetype, name }
        Audio { stream, mimetype }
        Blob { stream, data }
        Body { object, stream, mimetype, name }
        Cfill { mask, layer, red, green, blue, alpha }
        Clip { layer }
        Clipboard { stream, mimetype }
        Close { layer }
        Copy { source, source_x, source_y, width, height, mask, destination, x, y }
        Cstroke { mask, layer, cap, join, thickness, red, green, blue, alpha }
        Cursor { hotspot_x, hotspot_y, source, source_x, source_y, width, height }
        Curve { layer, x1, y1, x2, y2, x, y }
        Disconnect {}
        Dispose { layer }
        Distort { layer, a, b, c, d, e, f }
        End { stream }
        Error { message, status }
        File { stream, mimetype, name }
        Filesystem { object, name }
        Identity { layer }
        Img { stream, mask, layer, mimetype, x, y }
        Jpeg { mask, layer, x, y, data }
        Key { keysym, pressed, timestamp }
        Lfill { mask, layer, source }
        Line { layer, x, y }
        Log { message }
        Lstroke { mask, layer, cap, join, thickness, source }
        Mouse { x, y, state }
        Move { layer, parent, x, y, z }
        Msg { code, arguments }
        Name { name }
        Nest { index, data }
        Nop {}
        Pipe { stream, mimetype, name }
        Png { mask, layer, x, y, data }
        Pop { layer }
        Push { layer }
        Ready { id }
        Rect { layer, x, y, width, height }
        Required { names }
        Reset { layer }
        Set { layer, name, value }
        Shade { layer, alpha }
        Size { layer, width, height }
        Start { layer, x, y }
        Sync { timestamp, frames }
        Touch { id, x, y, x_radius, y_radius, angle, force, timestamp }
        Transfer { source, source_x, source_y, width, height, function, destination, x, y }
        Transform { layer, a, b, c, d, e, f }
        Undefine { object }
        Usbdata { device, endpoint, data }
        Usbdisconnect { device }
        Video { stream, layer, mimetype }
    }
}

fn check<D: Direction>(value: &D::Typed<'_>) {
    let wire = bytes(value);
    with_instruction(value, |instruction| {
        assert_eq!(instruction.opcode(), D::opcode(value));
        let parsed = D::parse(instruction).unwrap_or_else(|error| panic!("{value:?}: {error}"));
        D::assert_same(&parsed, value);
        assert_eq!(bytes(&parsed), wire);
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn parsing_undoes_encoding(
        words in prop::collection::vec(any::<u64>(), 64..128),
        texts in prop::collection::vec(any::<String>(), 1..5),
        types in prop::collection::vec("[a-z]{1,5}/[^\\pC]{0,9}", 1..5),
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mimetypes: Vec<_> = types.iter().map(|text| Mimetype::new(text).unwrap()).collect();
        let mut from = Material {
            words: words.iter().cycle(),
            texts: &texts,
            mimetypes: &mimetypes,
        };
        client(&mut from).iter().for_each(check::<FromClient>);
        server(&mut from).iter().for_each(check::<FromServer>);
    }

    /// Both zeros are the same number, and written as they are.
    #[test]
    fn numbers_read_back(bits in any::<u64>()) {
        if let Some(number) = Number::new(f64::from_bits(bits)) {
            let shade = server::Distort {
                layer: Layer(0), a: number, b: number, c: number, d: number, e: number, f: number,
            };
            with_instruction(&shade, |instruction| {
                let parsed = server::Distort::parse(instruction).unwrap();
                assert_eq!(parsed.f.value().to_bits(), bits);
            });
        }
    }

    #[test]
    fn base64_is_undone(data in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut text = vec![0; Base64::encoded_len(data.len())];
        let base64 = Base64::encode_into(&data, &mut text).unwrap();
        let blob = client::Blob { stream: ClientStream::default(), data: base64.as_str() };
        prop_assert_eq!(blob.base64(), Ok(base64));
        prop_assert_eq!(base64.decoded_len(), data.len());
        let mut back = vec![0; data.len()];
        prop_assert_eq!(base64.decode_into(&mut back), Ok(data.len()));
        prop_assert_eq!(back, data);
    }

    /// A text is taken for base64 only if it is how its data is written.
    #[test]
    fn base64_has_one_spelling(text in "[A-Za-z0-9+/]{0,8}[A-Za-z0-9+/=\n]{0,4}") {
        if let Ok(base64) = Base64::new(&text) {
            let mut data = vec![0; base64.decoded_len()];
            base64.decode_into(&mut data).unwrap();
            let mut back = vec![0; text.len()];
            prop_assert_eq!(Base64::encode_into(&data, &mut back), Ok(base64));
        }
    }
}
