//! One instruction of every opcode, as elements and as a value. No two arguments of the
//! same kind are alike, so that a mistaken order shows.

use guac_protocol::instruction::{
    Buttons, ChannelMask, ClientStream, Keysym, Layer, LineCap, LineJoin, List, MessageCode,
    Mimetype, Number, ObjectIndex, ServerStream, TransferFunction, client, server,
};
use guac_protocol::{ClientInstruction, ServerInstruction, Status};

use crate::table::{Case, case};

fn stream(index: u16) -> ServerStream {
    ServerStream::new(index).unwrap()
}

fn own(index: u16) -> ClientStream {
    ClientStream::new(index).unwrap()
}

fn object(index: u32) -> ObjectIndex {
    ObjectIndex::new(index).unwrap()
}

fn keysym(number: u32) -> Keysym {
    Keysym::new(number).unwrap()
}

fn mimetype(text: &str) -> Mimetype<'_> {
    Mimetype::new(text).unwrap()
}

fn number(value: f64) -> Number<'static> {
    Number::new(value).unwrap()
}

/// All that clients send, but `audio`.
pub(crate) fn client_cases() -> Vec<Case<ClientInstruction<'static>>> {
    let types: &[_] = Box::leak(Box::new(["image/png", "image/webp"].map(mimetype)));
    let types = List::from(types);
    vec![
        case(
            &["ack", "1023", "OK", "771"],
            "sth",
            client::Ack {
                stream: stream(1023),
                message: "OK",
                status: Status::ClientForbidden.into(),
            },
        ),
        case(
            &["argv", "3", "text/plain", "font-size"],
            "cMt",
            client::Argv {
                stream: own(3),
                mimetype: mimetype("text/plain"),
                name: "font-size",
            },
        ),
        case(
            &["blob", "511", "Zm9v"],
            "ct",
            client::Blob {
                stream: own(511),
                data: "Zm9v",
            },
        ),
        case(
            &["clipboard", "4", "text/html"],
            "cM",
            client::Clipboard {
                stream: own(4),
                mimetype: mimetype("text/html"),
            },
        ),
        case(
            &["connect", "VERSION_1_5_0", "host", ""],
            "t*t",
            client::Connect {
                version: "VERSION_1_5_0",
                values: List::from(&["host", ""]),
            },
        ),
        case(&["disconnect"], "", client::Disconnect),
        case(&["end", "7"], "c", client::End { stream: own(7) }),
        case(
            &["file", "5", "image/png", "Bild 图.png"],
            "cMt",
            client::File {
                stream: own(5),
                mimetype: mimetype("image/png"),
                name: "Bild 图.png",
            },
        ),
        case(
            &["get", "63", "/"],
            "ot",
            client::Get {
                object: object(63),
                name: "/",
            },
        ),
        case(
            &["image", "image/png", "image/webp"],
            "*M",
            client::ImageTypes { mimetypes: types },
        ),
        case(
            &["key", "16911287", "1"],
            "kf",
            client::Key {
                keysym: keysym(16_911_287),
                pressed: true,
            },
        ),
        case(
            &["mouse", "-1", "42", "12"],
            "iib",
            client::Mouse {
                x: -1,
                y: 42,
                buttons: Buttons::RIGHT | Buttons::SCROLL_UP,
            },
        ),
        case(
            &["name", "Jürgen 世界"],
            "t",
            client::Name {
                name: "Jürgen 世界",
            },
        ),
        case(&["nop"], "", client::Nop),
        case(
            &["pipe", "6", "text/plain", "STDIN"],
            "cMt",
            client::Pipe {
                stream: own(6),
                mimetype: mimetype("text/plain"),
                name: "STDIN",
            },
        ),
        case(
            &["put", "2", "9", "", "/a.bin"],
            "ocMt",
            client::Put {
                object: object(2),
                stream: own(9),
                mimetype: mimetype(""),
                name: "/a.bin",
            },
        ),
        case(&["select", "vnc"], "t", client::Select { target: "vnc" }),
        case(
            &["size", "1024", "768", "96"],
            "ee?h",
            client::Size {
                width: 1024.into(),
                height: 768.into(),
                dpi: Some(96),
            },
        ),
        case(
            &["sync", "4380874"],
            "I",
            client::Sync {
                timestamp: 4_380_874,
            },
        ),
        case(
            &["timezone", "Europe/Berlin"],
            "t",
            client::Timezone {
                timezone: "Europe/Berlin",
            },
        ),
        case(
            &["touch", "1", "2", "3", "4", "5", "6.5", "0.25"],
            "iiiiinn",
            client::Touch {
                id: 1,
                x: 2,
                y: 3,
                x_radius: 4,
                y_radius: 5,
                angle: number(6.5),
                force: number(0.25),
            },
        ),
        case(
            &[
                "usbconnect",
                "d1",
                "1133",
                "49271",
                "Maus",
                "S1",
                "1",
                "2",
                "3",
                "0:3:1:2",
            ],
            "thhttbbbt",
            client::Usbconnect {
                device: "d1",
                vendor: 1133,
                product: 49271,
                name: "Maus",
                serial_number: "S1",
                class: 1,
                subclass: 2,
                protocol: 3,
                interfaces: "0:3:1:2",
            },
        ),
        case(
            &["usbdata", "d1", "129", "Zm9v", "bulk"],
            "tbtt",
            client::Usbdata {
                device: "d1",
                endpoint: 129,
                data: "Zm9v",
                transfer: "bulk",
            },
        ),
        case(
            &["usbdisconnect", "d1"],
            "t",
            client::Usbdisconnect { device: "d1" },
        ),
        case(
            &["video", "image/png", "image/webp"],
            "*M",
            client::VideoTypes { mimetypes: types },
        ),
    ]
}

/// All that guacd sends.
pub(crate) fn server_cases() -> Vec<Case<ServerInstruction<'static>>> {
    vec![
        case(
            &["ack", "-1", "CLOSED", "518"],
            "ith",
            server::Ack {
                stream: -1,
                message: "CLOSED",
                status: Status::ResourceClosed.into(),
            },
        ),
        case(
            &["arc", "1", "2", "3", "4", "0.5", "1.25", "1"],
            "iiiinnf",
            server::Arc {
                layer: Layer(1),
                x: 2,
                y: 3,
                radius: 4,
                start: number(0.5),
                end: number(1.25),
                negative: true,
            },
        ),
        case(
            &["args", "VERSION_1_5_0", "hostname", "port"],
            "t*t",
            server::Args {
                version: "VERSION_1_5_0",
                names: List::from(&["hostname", "port"]),
            },
        ),
        case(
            &["argv", "2", "text/plain", "font-size"],
            "sMt",
            server::Argv {
                stream: stream(2),
                mimetype: mimetype("text/plain"),
                name: "font-size",
            },
        ),
        case(
            &["audio", "1", "audio/L16"],
            "sM",
            server::Audio {
                stream: stream(1),
                mimetype: mimetype("audio/L16"),
            },
        ),
        case(
            &["blob", "1023", "Zm9v"],
            "st",
            server::Blob {
                stream: stream(1023),
                data: "Zm9v",
            },
        ),
        case(
            &["body", "0", "2", "text/plain", "/a.txt"],
            "osMt",
            server::Body {
                object: object(0),
                stream: stream(2),
                mimetype: mimetype("text/plain"),
                name: "/a.txt",
            },
        ),
        case(
            &["cfill", "14", "-1", "1", "2", "3", "4"],
            "mibbbb",
            server::Cfill {
                mask: ChannelMask::OVER,
                layer: Layer(-1),
                red: 1,
                green: 2,
                blue: 3,
                alpha: 4,
            },
        ),
        case(&["clip", "1"], "i", server::Clip { layer: Layer(1) }),
        case(
            &["clipboard", "0", "text/html"],
            "sM",
            server::Clipboard {
                stream: stream(0),
                mimetype: mimetype("text/html"),
            },
        ),
        case(&["close", "2"], "i", server::Close { layer: Layer(2) }),
        case(
            &["copy", "-2", "1", "2", "3", "4", "12", "5", "6", "7"],
            "iiiiimiii",
            server::Copy {
                source: Layer(-2),
                source_x: 1,
                source_y: 2,
                width: 3,
                height: 4,
                mask: ChannelMask::SRC,
                destination: Layer(5),
                x: 6,
                y: 7,
            },
        ),
        case(
            &["cstroke", "15", "1", "0", "2", "3", "4", "5", "6", "7"],
            "mijjibbbb",
            server::Cstroke {
                mask: ChannelMask::PLUS,
                layer: Layer(1),
                cap: LineCap::Butt,
                join: LineJoin::Round,
                thickness: 3,
                red: 4,
                green: 5,
                blue: 6,
                alpha: 7,
            },
        ),
        case(
            &["cursor", "1", "2", "-3", "4", "5", "6", "7"],
            "iiiiiii",
            server::Cursor {
                hotspot_x: 1,
                hotspot_y: 2,
                source: Layer(-3),
                source_x: 4,
                source_y: 5,
                width: 6,
                height: 7,
            },
        ),
        case(
            &["curve", "1", "2", "3", "4", "5", "6", "7"],
            "iiiiiii",
            server::Curve {
                layer: Layer(1),
                x1: 2,
                y1: 3,
                x2: 4,
                y2: 5,
                x: 6,
                y: 7,
            },
        ),
        case(&["disconnect"], "", server::Disconnect),
        case(&["dispose", "3"], "i", server::Dispose { layer: Layer(3) }),
        case(
            &["distort", "1", "2", "3", "4", "5", "6", "7.5"],
            "innnnnn",
            server::Distort {
                layer: Layer(1),
                a: number(2.0),
                b: number(3.0),
                c: number(4.0),
                d: number(5.0),
                e: number(6.0),
                f: number(7.5),
            },
        ),
        case(&["end", "5"], "s", server::End { stream: stream(5) }),
        case(
            &["error", "Aborted. See logs.", "776"],
            "th",
            server::Error {
                message: "Aborted. See logs.",
                status: Status::ClientTimeout.into(),
            },
        ),
        case(
            &["file", "2", "image/png", "Bild 图.png"],
            "sMt",
            server::File {
                stream: stream(2),
                mimetype: mimetype("image/png"),
                name: "Bild 图.png",
            },
        ),
        case(
            &["filesystem", "1", "Shared Drive"],
            "ot",
            server::Filesystem {
                object: object(1),
                name: "Shared Drive",
            },
        ),
        case(
            &["identity", "4"],
            "i",
            server::Identity { layer: Layer(4) },
        ),
        case(
            &["img", "1", "12", "-2", "image/webp", "3", "4"],
            "smiMii",
            server::Img {
                stream: stream(1),
                mask: ChannelMask::SRC,
                layer: Layer(-2),
                mimetype: mimetype("image/webp"),
                x: 3,
                y: 4,
            },
        ),
        case(
            &["jpeg", "1", "2", "3", "4", "Zm9v"],
            "miiit",
            server::Jpeg {
                mask: ChannelMask::RIN,
                layer: Layer(2),
                x: 3,
                y: 4,
                data: "Zm9v",
            },
        ),
        case(
            &["key", "101", "0", "4880188"],
            "kfI",
            server::Key {
                keysym: keysym(101),
                pressed: false,
                timestamp: 4_880_188,
            },
        ),
        case(
            &["lfill", "11", "1", "2"],
            "mii",
            server::Lfill {
                mask: ChannelMask::ROVER,
                layer: Layer(1),
                source: Layer(2),
            },
        ),
        case(
            &["line", "1", "2", "3"],
            "iii",
            server::Line {
                layer: Layer(1),
                x: 2,
                y: 3,
            },
        ),
        case(&["log", "text"], "t", server::Log { message: "text" }),
        case(
            &["lstroke", "10", "1", "2", "0", "3", "-4"],
            "mijjii",
            server::Lstroke {
                mask: ChannelMask::XOR,
                layer: Layer(1),
                cap: LineCap::Square,
                join: LineJoin::Bevel,
                thickness: 3,
                source: Layer(-4),
            },
        ),
        case(
            &["mouse", "1", "2", "4", "4971856"],
            "ii?bI",
            server::Mouse {
                x: 1,
                y: 2,
                state: Some(server::MouseState {
                    buttons: Buttons::RIGHT,
                    timestamp: 4_971_856,
                }),
            },
        ),
        case(
            &["move", "1", "2", "3", "4", "5"],
            "iiiii",
            server::Move {
                layer: Layer(1),
                parent: Layer(2),
                x: 3,
                y: 4,
                z: 5,
            },
        ),
        case(
            &["msg", "2", "@id", "Gast 客人"],
            "h*t",
            server::Msg {
                code: MessageCode::USER_LEFT,
                arguments: List::from(&["@id", "Gast 客人"]),
            },
        ),
        case(
            &["name", "user@host: ~"],
            "t",
            server::Name {
                name: "user@host: ~",
            },
        ),
        case(
            &["nest", "1", "4.sync,1"],
            "it",
            server::Nest {
                index: 1,
                data: "4.sync,1",
            },
        ),
        case(&["nop"], "", server::Nop),
        case(
            &["pipe", "1", "text/plain", "raw"],
            "sMt",
            server::Pipe {
                stream: stream(1),
                mimetype: mimetype("text/plain"),
                name: "raw",
            },
        ),
        case(
            &["png", "4", "2", "3", "5", "Zm9v"],
            "miiit",
            server::Png {
                mask: ChannelMask::IN,
                layer: Layer(2),
                x: 3,
                y: 5,
                data: "Zm9v",
            },
        ),
        case(&["pop", "5"], "i", server::Pop { layer: Layer(5) }),
        case(&["push", "6"], "i", server::Push { layer: Layer(6) }),
        case(
            &["ready", "$064a0cc9"],
            "t",
            server::Ready { id: "$064a0cc9" },
        ),
        case(
            &["rect", "1", "-228", "2", "3", "4"],
            "iiiii",
            server::Rect {
                layer: Layer(1),
                x: -228,
                y: 2,
                width: 3,
                height: 4,
            },
        ),
        case(
            &["required", "username", "password"],
            "*t",
            server::Required {
                names: List::from(&["username", "password"]),
            },
        ),
        case(&["reset", "7"], "i", server::Reset { layer: Layer(7) }),
        case(
            &["set", "0", "multi-touch", "10"],
            "itt",
            server::Set {
                layer: Layer::DEFAULT,
                name: "multi-touch",
                value: "10",
            },
        ),
        case(
            &["shade", "1", "254"],
            "ib",
            server::Shade {
                layer: Layer(1),
                alpha: 254,
            },
        ),
        case(
            &["size", "0", "1024", "768"],
            "iii",
            server::Size {
                layer: Layer::DEFAULT,
                width: 1024,
                height: 768,
            },
        ),
        case(
            &["start", "1", "2", "3"],
            "iii",
            server::Start {
                layer: Layer(1),
                x: 2,
                y: 3,
            },
        ),
        case(
            &["sync", "4380874", "3"],
            "I?u",
            server::Sync {
                timestamp: 4_380_874,
                frames: Some(3),
            },
        ),
        case(
            &["touch", "1", "2", "3", "4", "5", "6.5", "0.25", "7"],
            "iiiiinnI",
            server::Touch {
                id: 1,
                x: 2,
                y: 3,
                x_radius: 4,
                y_radius: 5,
                angle: number(6.5),
                force: number(0.25),
                timestamp: 7,
            },
        ),
        case(
            &["transfer", "-2", "1", "2", "3", "4", "5", "6", "7", "8"],
            "iiiiimiii",
            server::Transfer {
                source: Layer(-2),
                source_x: 1,
                source_y: 2,
                width: 3,
                height: 4,
                function: TransferFunction::DEST,
                destination: Layer(6),
                x: 7,
                y: 8,
            },
        ),
        case(
            &["transform", "1", "0.5", "-2", "3", "4", "5", "6"],
            "innnnnn",
            server::Transform {
                layer: Layer(1),
                a: number(0.5),
                b: number(-2.0),
                c: number(3.0),
                d: number(4.0),
                e: number(5.0),
                f: number(6.0),
            },
        ),
        case(
            &["undefine", "1"],
            "o",
            server::Undefine { object: object(1) },
        ),
        case(
            &["usbdata", "d1", "2", "Zm9v"],
            "tbt",
            server::Usbdata {
                device: "d1",
                endpoint: 2,
                data: "Zm9v",
            },
        ),
        case(
            &["usbdisconnect", "d1"],
            "t",
            server::Usbdisconnect { device: "d1" },
        ),
        case(
            &["video", "1", "2", "video/webm"],
            "siM",
            server::Video {
                stream: stream(1),
                layer: Layer(2),
                mimetype: mimetype("video/webm"),
            },
        ),
    ]
}
