//! Synthetic streams by profile, seed and size, with what was put into them. The same
//! arguments give the same bytes on any machine.

use std::collections::BTreeMap;

/// What a stream looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Three fifths of the bytes are in blobs of 6144 base64 characters, the others in
    /// small instructions of drawing and input: a desktop with pictures.
    Blob,
    /// Only `mouse`, `sync` and `nop`: nothing but the overhead of an element.
    Small,
    /// `clipboard` streams with blobs of about 2 KiB of raw Chinese, Arabic, emoji and
    /// combining text: the worst case for counting codepoints.
    Text,
}

impl Profile {
    pub(crate) const ALL: [Self; 3] = [Self::Blob, Self::Small, Self::Text];
}

/// What was put into a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) instructions: u64,
    pub(crate) elements: u64,
    /// Instructions by opcode.
    pub(crate) opcodes: BTreeMap<String, u64>,
}

/// A valid stream, and what is in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    pub(crate) bytes: Vec<u8>,
    pub(crate) counts: Counts,
}

/// A stream that ends with the first instruction, or group of them, at or after so many
/// bytes.
pub(crate) fn stream(profile: Profile, seed: u64, size: usize) -> Stream {
    let mut out = Writer::new(seed, size);
    match profile {
        Profile::Blob => blob(&mut out, size),
        Profile::Small => small(&mut out, size),
        Profile::Text => text(&mut out, size),
    }
    Stream {
        bytes: out.bytes,
        counts: out.counts,
    }
}

fn blob(out: &mut Writer, size: usize) {
    let (mut blobs, mut time) = (0, 1_700_000_000_000);
    while out.bytes.len() < size {
        while out.bytes.len() < size && blobs * 10 >= out.bytes.len() * 6 {
            drawing(out, time);
        }
        if out.bytes.len() < size {
            blobs += picture(out);
            time += out.random.between(5, 50);
            out.put(&["sync", &time.to_string(), "1"]);
        }
    }
}

fn small(out: &mut Writer, size: usize) {
    let (mut x, mut y, mut buttons, mut time) = (500u64, 400u64, 0, 1_700_000_000_000u64);
    while out.bytes.len() < size {
        match out.random.below(100) {
            0..60 => {
                x = (x + out.random.below(51)).saturating_sub(25).min(3839);
                y = (y + out.random.below(37)).saturating_sub(18).min(2159);
                if out.random.below(100) < 4 {
                    buttons = out.random.pick(&[0, 0, 1, 4, 8, 16]);
                }
                out.put(&[
                    "mouse",
                    &x.to_string(),
                    &y.to_string(),
                    &buttons.to_string(),
                ]);
            }
            60..92 => {
                time += out.random.between(4, 60);
                out.put(&["sync", &time.to_string()]);
            }
            _ => out.put(&["nop"]),
        }
    }
}

fn text(out: &mut Writer, size: usize) {
    let mut stream = 0;
    while out.bytes.len() < size {
        let index = stream.to_string();
        out.put(&["clipboard", &index, "text/plain"]);
        for _ in 0..out.random.between(1, 9) {
            let mut value = String::new();
            while value.len() < 2048 {
                words(&mut out.random, &mut value);
            }
            out.put(&["blob", &index, &value]);
        }
        out.put(&["end", &index]);
        let message = out
            .random
            .pick(&["OK", "Empfangen – 已收到 – تم الاستلام ✅"]);
        out.put(&["ack", &index, message, "0"]);
        stream = (stream + 1) % 64;
    }
}

fn drawing(out: &mut Writer, time: u64) {
    let r = &mut out.random;
    let mut number = |from, to| r.between(from, to).to_string();
    let (x, y) = (number(0, 1920), number(0, 1080));
    match out.random.below(100) {
        0..18 => {
            let layer = out.random.pick(&["0", "0", "2", "-3"]);
            let [r, g, b] = [(); 3].map(|()| out.random.below(256).to_string());
            out.put(&["cfill", "14", layer, &r, &g, &b, "255"]);
        }
        18..36 => {
            let [w, h] = [400, 300].map(|most| out.random.between(1, most).to_string());
            out.put(&["rect", "0", &x, &y, &w, &h]);
        }
        36..54 => {
            let [w, h] = [400, 300].map(|most| out.random.between(1, most).to_string());
            let [to_x, to_y] = [1920, 1080].map(|most| out.random.below(most).to_string());
            out.put(&["copy", "0", &x, &y, &w, &h, "14", "0", &to_x, &to_y]);
        }
        54..62 => {
            let [hot_x, hot_y] = [12, 12].map(|most| out.random.below(most).to_string());
            out.put(&["cursor", &hot_x, &hot_y, "-1", "0", "0", "24", "24"]);
        }
        62..66 => {
            let layer = out.random.pick(&["-1", "0", "2"]);
            let [w, h] = [2000, 1200].map(|most| out.random.between(1, most).to_string());
            out.put(&["size", layer, &w, &h]);
        }
        66..84 => out.put(&["mouse", &x, &y, "0"]),
        84..97 => out.put(&["sync", &time.to_string(), "1"]),
        _ => out.put(&["nop"]),
    }
}

/// One picture in one to four blobs; answers how many bytes the blobs took.
fn picture(out: &mut Writer) -> usize {
    let stream = (1 + 2 * out.random.below(4)).to_string();
    let kind = out.random.pick(&["image/png", "image/jpeg", "image/webp"]);
    let [x, y] = [1920, 1080].map(|most| out.random.below(most).to_string());
    out.put(&["img", &stream, "14", "0", kind, &x, &y]);
    let before = out.bytes.len();
    for _ in 0..out.random.between(1, 5) {
        let data = base64(&mut out.random, 6144);
        out.put(&["blob", &stream, &data]);
    }
    let blobs = out.bytes.len() - before;
    out.put(&["end", &stream]);
    blobs
}

/// Base64 characters of random data.
fn base64(random: &mut Random, length: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut character = || char::from(ALPHABET[random.below(64) as usize]);
    (0..length).map(|_| character()).collect()
}

const CHINESE: &str =
    "你好世界远程桌面剪贴板测试文本汉字快速棕色狐狸跳过懒狗今天天气很好我们去公园𠮷𠀀𪚥，。！？";
const ARABIC: &str = "مرحبا بالعالم سطح المكتب البعيد النص العربي من اليمين إلى اليسار ١٢٣٤٥٦٧٨٩٠ ";
const GERMAN: &str = "Grüße aus Köln, Übermut tut selten gut; Straße, ẞ, naïve Café. ";
const EMOJI: &[&str] = &[
    "😀",
    "🚀",
    "👨\u{200D}👩\u{200D}👧\u{200D}👦",
    "👩🏽\u{200D}💻",
    "🏳\u{FE0F}\u{200D}🌈",
    "🇩🇪",
    "👍🏿",
    "❤\u{FE0F}\u{200D}🔥",
    "1\u{FE0F}\u{20E3}",
    "🧑\u{200D}🚀",
    "⏎",
    "™\u{FE0F}",
];
const COMBINING: &[&str] = &["e\u{301}", "o\u{308}", "n\u{303}", "क्षि", "ก็", "שָׁ"];
const PROTOCOL: &[&str] = &[";", ",", ".", "3.nop;", "\n", "\t", "4.sync,1.0;"];

/// Appends a few words in some script.
fn words(random: &mut Random, out: &mut String) {
    match random.below(100) {
        0..40 => {
            for _ in 0..random.between(2, 14) {
                slice(random, CHINESE, 1, out);
            }
        }
        40..65 => {
            let length = random.between(3, 12);
            slice(random, ARABIC, length, out);
            out.push(' ');
        }
        65..85 => {
            for _ in 0..random.between(1, 6) {
                out.push_str(random.pick(EMOJI));
            }
        }
        85..93 => {
            let times = random.between(1, 4) as usize;
            out.push_str(&random.pick(COMBINING).repeat(times));
        }
        93..98 => {
            let length = random.between(3, 10);
            slice(random, GERMAN, length, out);
        }
        _ => out.push_str(random.pick(PROTOCOL)),
    }
}

/// Appends codepoints of a text, from a random place in it.
fn slice(random: &mut Random, text: &str, length: u64, out: &mut String) {
    let last = text.chars().count() as u64 - length;
    let start = random.below(last + 1) as usize;
    out.extend(text.chars().skip(start).take(length as usize));
}

struct Writer {
    bytes: Vec<u8>,
    counts: Counts,
    random: Random,
}

impl Writer {
    fn new(seed: u64, size: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(size + 64 * 1024),
            counts: Counts::default(),
            random: Random(seed),
        }
    }

    fn put(&mut self, elements: &[&str]) {
        for (i, element) in elements.iter().enumerate() {
            if i > 0 {
                self.bytes.push(b',');
            }
            let length = element.chars().count().to_string();
            self.bytes.extend_from_slice(length.as_bytes());
            self.bytes.push(b'.');
            self.bytes.extend_from_slice(element.as_bytes());
        }
        self.bytes.push(b';');
        self.counts.instructions += 1;
        self.counts.elements += elements.len() as u64;
        match self.counts.opcodes.get_mut(elements[0]) {
            Some(count) => *count += 1,
            None => drop(self.counts.opcodes.insert(elements[0].to_owned(), 1)),
        }
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..end`.
    fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// A number in `start..end`.
    fn between(&mut self, start: u64, end: u64) -> u64 {
        start + self.below(end - start)
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }
}
