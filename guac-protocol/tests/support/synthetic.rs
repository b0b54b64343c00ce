//! Synthetic streams, made from a seed, with what is to be found in them.
//!
//! Needs `std` alone, so that benchmarks and examples can include the file as well:
//! `#[path = "…/guac-protocol/tests/support/synthetic.rs"] mod synthetic;`. The same
//! arguments give the same bytes on every machine.
#![allow(dead_code, missing_docs, unreachable_pub)]

use std::collections::BTreeMap;

#[path = "reference.rs"]
pub mod reference;

/// A small generator of random numbers: SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..end`.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next_u64()) * end as u128) >> 64) as usize
    }

    /// A number in `from..end`.
    pub fn between(&mut self, from: i64, end: i64) -> i64 {
        from + self.below((end - from) as usize) as i64
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next_u64() as u8).collect()
    }

    /// So many characters of base64.
    fn base64(&mut self, length: usize) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digit = |_| char::from(DIGITS[self.below(64)]);
        (0..length).map(digit).collect()
    }
}

/// What a stream looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Three fifths of the bytes are in blobs of 6144 characters of base64, the others
    /// in small instructions of drawing and input.
    Blob,
    /// Only `mouse`, `sync` and `nop`.
    Small,
    /// Clipboard streams whose blobs are about 2 KiB of text in many scripts, not in
    /// base64 as peers send them: the worst case for counting codepoints.
    Text,
}

impl Profile {
    pub const ALL: [Self; 3] = [Self::Blob, Self::Small, Self::Text];
}

/// What a stream holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub instructions: u64,
    pub elements: u64,
    /// Instructions by opcode.
    pub opcodes: BTreeMap<String, u64>,
}

impl Counts {
    /// Counts one instruction.
    pub fn add(&mut self, opcode: &str, elements: usize) {
        self.instructions += 1;
        self.elements += elements as u64;
        match self.opcodes.get_mut(opcode) {
            Some(count) => *count += 1,
            None => drop(self.opcodes.insert(opcode.to_owned(), 1)),
        }
    }
}

/// A valid stream, and what it holds.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    pub bytes: Vec<u8>,
    pub counts: Counts,
}

impl Stream {
    fn put(&mut self, elements: &[&str]) -> usize {
        let before = self.bytes.len();
        put(&mut self.bytes, elements);
        self.counts.add(elements[0], elements.len());
        self.bytes.len() - before
    }

    /// An instruction with numbers as arguments.
    fn put_numbers(&mut self, opcode: &str, numbers: &[i64]) {
        let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
        let mut elements = vec![opcode];
        elements.extend(texts.iter().map(String::as_str));
        self.put(&elements);
    }
}

/// Writes an instruction, each value behind the number of its codepoints.
pub fn put(out: &mut Vec<u8>, elements: &[&str]) {
    for (i, element) in elements.iter().enumerate() {
        let separator = if i == 0 { "" } else { "," };
        let length = element.chars().count();
        out.extend_from_slice(format!("{separator}{length}.{element}").as_bytes());
    }
    out.push(b';');
}

/// One instruction.
pub fn instruction(elements: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, elements);
    bytes
}

/// A valid stream that ends with the first instruction, or the first group that belongs
/// together, at or after so many bytes.
pub fn stream(profile: Profile, seed: u64, size: usize) -> Stream {
    let mut random = Random::new(seed);
    match profile {
        Profile::Blob => blob(&mut random, size),
        Profile::Small => small(&mut random, size),
        Profile::Text => text(&mut random, size),
    }
}

const START_MS: i64 = 1_700_000_000_000;

fn small(random: &mut Random, size: usize) -> Stream {
    let mut stream = Stream::default();
    let (mut x, mut y, mut buttons, mut time) = (500, 400, 0, START_MS);
    while stream.bytes.len() < size {
        match random.below(100) {
            0..60 => {
                x = (x + random.between(-25, 26)).clamp(0, 3839);
                y = (y + random.between(-18, 19)).clamp(0, 2159);
                if random.percent(4) {
                    buttons = random.choose(&[0, 0, 1, 4, 8, 16]);
                }
                stream.put_numbers("mouse", &[x, y, buttons]);
            }
            60..92 => {
                time += random.between(4, 60);
                stream.put_numbers("sync", &[time]);
            }
            _ => drop(stream.put(&["nop"])),
        }
    }
    stream
}

/// Characters in a blob.
const BLOB: usize = 6144;

fn blob(random: &mut Random, size: usize) -> Stream {
    let mut stream = Stream::default();
    let (mut in_blobs, mut time) = (0, START_MS);
    while stream.bytes.len() < size {
        if in_blobs * 5 >= stream.bytes.len() * 3 {
            drawing(random, &mut stream, time);
            continue;
        }
        let index = random.choose(&["1", "3", "5", "7"]);
        let mime = random.choose(&["image/png", "image/jpeg", "image/webp"]);
        let (x, y) = (
            random.below(1920).to_string(),
            random.below(1080).to_string(),
        );
        stream.put(&["img", index, "14", "0", mime, &x, &y]);
        for _ in 0..random.between(1, 5) {
            in_blobs += stream.put(&["blob", index, &random.base64(BLOB)]);
        }
        stream.put(&["end", index]);
        time += random.between(5, 50);
        stream.put_numbers("sync", &[time, 1]);
    }
    stream
}

/// One instruction as they stand between pictures.
fn drawing(random: &mut Random, stream: &mut Stream, time: i64) {
    let kind = random.below(100);
    let mut to = |end| random.between(0, end);
    let (x, y) = (to(1920), to(1080));
    let (width, height) = (1 + to(399), 1 + to(299));
    match kind {
        0..18 => {
            let layer = [0, 0, 2, -3][to(4) as usize];
            stream.put_numbers("cfill", &[14, layer, to(256), to(256), to(256), 255]);
        }
        18..36 => stream.put_numbers("rect", &[0, x, y, width, height]),
        36..54 => {
            let numbers = [0, x, y, width, height, 14, 0, to(1920), to(1080)];
            stream.put_numbers("copy", &numbers);
        }
        54..62 => stream.put_numbers("cursor", &[to(12), to(12), -1, 0, 0, 24, 24]),
        62..66 => {
            let layer = [-1, 0, 2][to(3) as usize];
            stream.put_numbers("size", &[layer, 1 + to(1999), 1 + to(1199)]);
        }
        66..84 => stream.put_numbers("mouse", &[x, y, 0]),
        84..97 => stream.put_numbers("sync", &[time, 1]),
        _ => drop(stream.put(&["nop"])),
    }
}

const CHINESE: &str =
    "你好世界远程桌面剪贴板测试文本汉字快速棕色狐狸跳过懒狗今天天气很好我们去公园𠮷𠀀𪚥，。！？";
const ARABIC: &str = "مرحبا بالعالم سطح المكتب البعيد النص العربي من اليمين إلى اليسار ١٢٣٤٥٦٧٨٩٠ ";
const GERMAN: &str = "Grüße aus Köln, Übermut tut selten gut; Straße, ẞ, naïve Café. ";
const EMOJI: [&str; 12] = [
    "😀",
    "🚀",
    "👨‍👩‍👧‍👦",
    "👩🏽‍💻",
    "🏳️‍🌈",
    "🇩🇪",
    "👍🏿",
    "❤️‍🔥",
    "1️⃣",
    "🧑‍🚀",
    "⏎",
    "™️",
];
const COMBINING: [&str; 6] = ["e\u{301}", "o\u{308}", "n\u{303}", "क्षि", "ก็", "שָׁ"];
const SYNTAX: [&str; 7] = [";", ",", ".", "3.nop;", "\n", "\t", "4.sync,1.0;"];

/// Some characters of a text that follow each other.
fn part(random: &mut Random, text: &str, from: i64, end: i64) -> String {
    let length = random.between(from, end) as usize;
    let start = random.below(text.chars().count() - length);
    text.chars().skip(start).take(length).collect()
}

/// A word of text in one of many scripts; now and then, what looks like syntax.
pub fn word(random: &mut Random) -> String {
    match random.below(100) {
        0..40 => part(random, CHINESE, 2, 14),
        40..65 => part(random, ARABIC, 3, 12) + " ",
        65..85 => {
            let count = random.between(1, 6);
            (0..count).map(|_| random.choose(&EMOJI)).collect()
        }
        85..93 => random
            .choose(&COMBINING)
            .repeat(random.between(1, 4) as usize),
        93..98 => part(random, GERMAN, 3, 10),
        _ => random.choose(&SYNTAX).to_owned(),
    }
}

fn text(random: &mut Random, size: usize) -> Stream {
    let mut stream = Stream::default();
    let mut index = 0;
    while stream.bytes.len() < size {
        let name = (index % 64).to_string();
        stream.put(&["clipboard", &name, "text/plain"]);
        for _ in 0..random.between(1, 9) {
            let mut value = String::new();
            while value.len() < 2048 {
                value += &word(random);
            }
            stream.put(&["blob", &name, &value]);
        }
        stream.put(&["end", &name]);
        let answer = random.choose(&["OK", "Empfangen – 已收到 – تم الاستلام ✅"]);
        stream.put(&["ack", &name, answer, "0"]);
        index += 1;
    }
    stream
}

/// How many instructions a parser finds, and how the stream ends for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub instructions: usize,
    pub ending: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Ok,
    Incomplete,
    Error,
}

use Ending::{Error, Incomplete, Ok};

/// What parsers with three sets of limits find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// No limits.
    pub grammar: Verdict,
    /// 5 digits, 8192 codepoints, 128 elements.
    pub limited: Verdict,
    /// The same, and 32768 bytes for an instruction.
    pub bounded: Verdict,
}

/// A stream that a parser may stumble over.
#[derive(Clone, Debug)]
pub struct Case {
    /// Family and name.
    pub name: String,
    pub bytes: Vec<u8>,
    /// What the reference parser finds.
    pub verdicts: Verdicts,
    /// What is to be found, written by hand; not for random cases.
    pub stated: Option<Verdicts>,
}

fn verdict(rules: &reference::Rules, bytes: &[u8]) -> Verdict {
    let outcome = reference::parse(rules, bytes);
    Verdict {
        instructions: outcome.instructions.len(),
        ending: match outcome.end {
            reference::End::Whole => Ok,
            reference::End::Incomplete => Incomplete,
            reference::End::Fault(..) => Error,
        },
    }
}

impl Case {
    fn new(name: String, bytes: Vec<u8>, stated: Option<Verdicts>) -> Self {
        let verdicts = Verdicts {
            grammar: verdict(&reference::Rules::GRAMMAR, &bytes),
            limited: verdict(&reference::Rules::LIMITED, &bytes),
            bounded: verdict(&reference::Rules::BOUNDED, &bytes),
        };
        Self {
            name,
            bytes,
            verdicts,
            stated,
        }
    }
}

/// Collects cases.
#[derive(Default)]
struct Cases(Vec<Case>);

/// A good instruction, before and after.
const G: &[u8] = b"4.sync,3.123;";

impl Cases {
    /// A case that is the same with and without limits.
    fn same(&mut self, name: &str, bytes: Vec<u8>, instructions: usize, ending: Ending) {
        self.limited(name, bytes, (instructions, ending), (instructions, ending));
    }

    fn limited(
        &mut self,
        name: &str,
        bytes: Vec<u8>,
        grammar: (usize, Ending),
        limited: (usize, Ending),
    ) {
        self.bounded(name, bytes, grammar, limited, limited);
    }

    fn bounded(
        &mut self,
        name: &str,
        bytes: Vec<u8>,
        grammar: (usize, Ending),
        limited: (usize, Ending),
        bounded: (usize, Ending),
    ) {
        let verdict = |(instructions, ending)| Verdict {
            instructions,
            ending,
        };
        let stated = Verdicts {
            grammar: verdict(grammar),
            limited: verdict(limited),
            bounded: verdict(bounded),
        };
        self.0.push(Case::new(name.to_owned(), bytes, Some(stated)));
    }

    /// Good ones around an instruction that is none.
    fn bad(&mut self, name: &str, bytes: &[u8]) {
        self.same(name, [G, bytes, G].concat(), 1, Error);
    }

    /// A good one behind.
    fn good(&mut self, name: &str, elements: &[&str]) {
        self.same(name, [&instruction(elements), G].concat(), 2, Ok);
    }

    /// Good ones around a good one.
    fn between(&mut self, name: &str, elements: &[&str]) {
        self.same(name, [G, &instruction(elements), G].concat(), 3, Ok);
    }

    fn random(&mut self, name: String, bytes: Vec<u8>) {
        self.0.push(Case::new(name, bytes, None));
    }
}

/// Streams that a parser may stumble over: named ones, with long ones of so many
/// elements, and so many bytes of valid streams that were changed at random.
pub fn adversarial(seed: u64, size: usize, elements: usize) -> Vec<Case> {
    let mut random = Random::new(seed);
    let mut cases = Cases::default();
    good(&mut cases);
    lengths(&mut cases);
    huge_lengths(&mut cases);
    separators(&mut cases);
    wrong_counts(&mut cases);
    invalid_utf8(&mut cases);
    nuls(&mut cases);
    many_elements(&mut cases, elements);
    noise(&mut cases, &mut random);
    mutations(&mut cases, &mut random, size);
    cases.0
}

fn good(cases: &mut Cases) {
    cases.same("good/empty-input", vec![], 0, Ok);
    cases.same("good/plain", G.repeat(3), 3, Ok);
    cases.good("good/separators-in-value", &["name", ";,.3.nop;"]);
    cases.good("good/empty-values", &["args", "", "", ""]);
    cases.good("good/empty-opcode", &["", "ping", "1"]);
    cases.good("good/one-empty-element", &[""]);
    cases.good("good/multi-byte", &["name", "Grüße 世界 مرحبا 😀👨‍👩‍👧‍👦"]);
    let highest = "\u{7f}\u{80}\u{7ff}\u{800}\u{d7ff}\u{e000}\u{fffd}\u{ffff}\u{10000}\u{10ffff}";
    cases.good("good/highest-codepoints", &["name", highest]);
    cases.good("good/length-8192", &["blob", "0", &"A".repeat(8192)]);
    cases.good("good/value-7000-emoji", &["blob", "0", &"😀".repeat(7000)]);
    let emoji = instruction(&["blob", "0", &"😀".repeat(8192)]);
    let name = "good/value-8192-emoji-over-32k";
    cases.bounded(name, [&emoji, G].concat(), (2, Ok), (2, Ok), (0, Error));
    cases.good("good/elements-128", &["a"; 128]);
}

fn lengths(cases: &mut Cases) {
    cases.bad("bad-digits/letter", b"x.sync;");
    cases.bad("bad-digits/minus", b"-4.sync;");
    cases.bad("bad-digits/plus", b"+4.sync;");
    cases.bad("bad-digits/space-before", b" 4.sync;");
    cases.bad("bad-digits/space-after", b"4 .sync;");
    cases.bad("bad-digits/hex", b"0x4.sync;");
    cases.bad("bad-digits/exponent", b"4e0.sync;");
    cases.bad("bad-digits/underscore", b"1_0.aaaaaaaaaa;");
    cases.bad("bad-digits/comma-for-dot", b"4,sync;");
    cases.bad("bad-digits/colon-for-dot", b"4:sync;");
    cases.bad("bad-digits/no-dot", b"4sync;");
    cases.bad("bad-digits/arabic-digit", "٤.sync;".as_bytes());
    cases.bad("bad-digits/fullwidth-digit", "４.sync;".as_bytes());
    cases.bad("bad-digits/superscript", "⁴.sync;".as_bytes());
    cases.bad("bad-digits/second-element", b"4.sync,a.0;");
    cases.bad("bad-digits/digit-then-letter", b"4a.sync;");
    cases.bad("empty-length/empty-length", b".sync;");
    cases.bad("empty-length/second", b"4.sync,.0;");
    cases.bad("empty-length/only-dot", b".;");
    cases.bad("empty-length/only-semicolon", b";");
    cases.bad("empty-length/only-comma", b",");
    cases.bad("empty-length/comma-before-end", b"4.sync,;");
    cases.bad("leading-zeros/one-zero", b"04.sync,3.123;");
    cases.bad("leading-zeros/zero-zero", b"00.;");
    cases.bad("leading-zeros/in-argument", b"4.sync,03.123;");
    let zeros = [b"0".repeat(1000), b"4.sync;".to_vec()].concat();
    cases.bad("leading-zeros/many-zeros", &zeros[960..]);
    cases.bad("leading-zeros/thousand-zeros", &zeros);
}

fn huge_lengths(cases: &mut Cases) {
    let mut huge = |length: &str, grammar| {
        let bytes = [G, length.as_bytes(), b".sync;", G].concat();
        let name = format!("huge-length/length-{length}");
        cases.limited(&name, bytes, (1, grammar), (1, Error));
    };
    for length in ["8193", "65536", "99999", "100000", "1000000", "2147483647"] {
        huge(length, Incomplete);
    }
    // 4294967300 is 4 modulo 2^32.
    for length in ["2147483648", "4294967295", "4294967300", "999999999999"] {
        huge(length, Incomplete);
    }
    // 18446744073709551620 is 4 modulo 2^64.
    for length in [
        "1000000000000",
        "9223372036854775808",
        "18446744073709551620",
    ] {
        huge(length, Error);
    }
    huge("1000000000000000000000000000004", Error);
    let value = |length| instruction(&["blob", "0", &"A".repeat(length)]);
    let over = [G, &value(8193), G].concat();
    cases.limited("huge-length/value-8193", over, (3, Ok), (1, Error));
    let mebibyte = [G, &value(1 << 20), G].concat();
    cases.limited("huge-length/value-1-mib", mebibyte, (3, Ok), (1, Error));
    let digits = [G, &b"1".repeat(100_000)].concat();
    let name = "huge-length/digits-without-end";
    cases.limited(name, digits, (1, Incomplete), (1, Error));
    let promised = [G, b"4.blob,1.0,8000.", &b"A".repeat(100)].concat();
    cases.same("huge-length/promised-never-sent", promised, 1, Incomplete);
}

fn separators(cases: &mut Cases) {
    cases.bad("missing-separator/between-elements", b"4.sync3.123;");
    cases.bad(
        "missing-separator/between-instructions",
        b"4.sync,3.1233.nop;",
    );
    cases.bad("missing-separator/colon", b"4.sync:3.123;");
    cases.bad("missing-separator/space", b"4.sync 3.123;");
    cases.bad("missing-separator/newline-end", b"3.nop\n");
    cases.bad("missing-separator/nul-end", b"3.nop\0");
    cases.bad("missing-separator/double-comma", b"4.sync,,3.123;");
    cases.bad("missing-separator/too-short-length", b"3.sync;");
    let after_nop = |bytes: &[u8]| [G, b"3.nop;", bytes, G].concat();
    let name = "missing-separator/newline-between";
    cases.same(name, after_nop(b"\n3.nop;"), 2, Error);
    cases.same(
        "missing-separator/crlf-between",
        after_nop(b"\r\n"),
        2,
        Error,
    );
    cases.same(
        "missing-separator/double-semicolon",
        after_nop(b";"),
        2,
        Error,
    );
    let cut = [G, &G[..12]].concat();
    cases.same("missing-separator/end-of-data", cut, 1, Incomplete);
}

fn wrong_counts(cases: &mut Cases) {
    let too_long = [b"5.sync;3.nop;", G].concat();
    cases.same("wrong-count/too-long-length", too_long, 0, Error);
    cases.bad("wrong-count/counted-bytes", "4.name,6.世界;".as_bytes());
    cases.bad("wrong-count/counted-utf16", "4.name,2.😀;".as_bytes());
    cases.bad("wrong-count/counted-graphemes", "4.name,1.👨‍👩‍👧‍👦;".as_bytes());
    let lucky = [G, "4.name,3.😀;,;".as_bytes(), G].concat();
    cases.same("wrong-count/counted-utf16-lucky", lucky, 3, Ok);
}

/// Sequences that are not UTF-8.
pub const INVALID: [(&str, &[u8]); 27] = [
    ("lone-continuation", b"\x80"),
    ("lone-bf", b"\xbf"),
    ("fe", b"\xfe"),
    ("ff", b"\xff"),
    ("five-byte", b"\xf8\x88\x80\x80\x80"),
    ("six-byte", b"\xfc\x84\x80\x80\x80\x80"),
    ("f5", b"\xf5\x80\x80\x80"),
    ("above-10ffff", b"\xf4\x90\x80\x80"),
    ("surrogate-high", b"\xed\xa0\x80"),
    ("surrogate-low", b"\xed\xbf\xbf"),
    ("cesu-8-pair", b"\xed\xa0\xbd\xed\xb8\x80"),
    ("two-byte-cut", b"\xc3"),
    ("three-byte-cut", b"\xe4\xb8"),
    ("four-byte-cut", b"\xf0\x9f\x98"),
    ("two-byte-ascii-second", b"\xc3A"),
    ("three-byte-ascii-third", b"\xe4\xb8A"),
    ("latin-1", b"Gr\xfc\xdfe"),
    ("overlong-nul-2", b"\xc0\x80"),
    ("overlong-slash-2", b"\xc0\xaf"),
    ("overlong-dot-2", b"\xc0\xae"),
    ("overlong-semicolon-2", b"\xc0\xbb"),
    ("overlong-comma-2", b"\xc0\xac"),
    ("overlong-c1-bf", b"\xc1\xbf"),
    ("overlong-nul-3", b"\xe0\x80\x80"),
    ("overlong-7ff-3", b"\xe0\x9f\xbf"),
    ("overlong-nul-4", b"\xf0\x80\x80\x80"),
    ("overlong-ffff-4", b"\xf0\x8f\xbf\xbf"),
];

fn invalid_utf8(cases: &mut Cases) {
    for (name, sequence) in INVALID {
        for claim in 1..=sequence.len() {
            let length = format!("4.name,{claim}.");
            let bytes = [length.as_bytes(), sequence, b";"].concat();
            cases.bad(&format!("invalid-utf8/{name}-as-{claim}"), &bytes);
        }
    }
    cases.bad("invalid-utf8/as-dot", b"4\xc0\xaesync;");
    cases.bad("invalid-utf8/as-semicolon", b"3.nop\xc0\xbb");
    cases.bad("invalid-utf8/as-comma", b"4.sync\xc0\xac3.123;");
    cases.bad("invalid-utf8/lead-eats-semicolon", b"4.name,1.\xc3;3.nop;");
    cases.bad(
        "invalid-utf8/lead-eats-instruction",
        b"4.name,1.\xf0;3.nop;",
    );
    cases.bad("invalid-utf8/in-opcode", b"4.\xffync;");
    cases.bad("invalid-utf8/in-length", b"\xff4.sync;");
    let mark = ["\u{feff}".as_bytes(), G].concat();
    cases.same("invalid-utf8/byte-order-mark-first", mark, 0, Error);
}

fn nuls(cases: &mut Cases) {
    cases.between("nul/in-value", &["name", "a\0b"]);
    cases.between("nul/value-of-nuls", &["blob", "0", &"\0".repeat(500)]);
    cases.between("nul/in-opcode", &["sy\0nc", "1"]);
    cases.between("nul/opcode-starts-with", &["\0", "1"]);
    cases.bad("nul/in-length", b"\x004.sync;");
    cases.bad("nul/after-length", b"4\0.sync;");
    cases.bad("nul/between", b"\0");
    cases.same("nul/only-nuls", vec![0; 4096], 0, Error);
}

fn many_elements(cases: &mut Cases, elements: usize) {
    let around = |middle: Vec<u8>| [G, &middle, G].concat();
    let over = around(instruction(&["a"; 129]));
    cases.limited("elements/129", over, (3, Ok), (1, Error));
    let many = around(instruction(&vec!["a"; elements]));
    cases.limited("elements/many", many, (3, Ok), (1, Error));
    let empty = around(instruction(&vec![""; elements]));
    cases.limited("elements/many-empty", empty, (3, Ok), (1, Error));
    let no_end = [G, &b"1.a,".repeat(elements)].concat();
    cases.limited("elements/without-end", no_end, (1, Incomplete), (1, Error));
    cases.same(
        "elements/many-instructions",
        b"0.;".repeat(elements),
        elements,
        Ok,
    );
}

fn noise(cases: &mut Cases, random: &mut Random) {
    cases.random("noise/random-bytes".to_owned(), random.bytes(4096));
    let http = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
    cases.same("noise/http-request", http, 0, Error);
    let hello = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03";
    let tls = [&hello[..], &random.bytes(200)].concat();
    cases.same("noise/tls-hello", tls, 0, Error);
}

/// Some valid instructions, most of them short.
pub fn short_stream(random: &mut Random) -> Vec<u8> {
    let mut stream = Stream::default();
    stream.put_numbers("sync", &[random.between(0, 1_000_000)]);
    stream.put(&["name", &(word(random) + &word(random))]);
    let (x, y) = (random.between(0, 2000), random.between(0, 1000));
    stream.put_numbers("mouse", &[x, y, 0]);
    let length = 4 * random.between(1, 30) as usize;
    stream.put(&["blob", "1", &random.base64(length)]);
    stream.put(&["nop"]);
    stream.bytes
}

/// Changes one thing in a stream.
pub fn mutate(random: &mut Random, stream: &mut Vec<u8>) {
    if stream.is_empty() {
        stream.push(b';');
    }
    let at = random.below(stream.len());
    match random.below(10) {
        0..3 => stream[at] ^= 1 << random.below(8),
        3..5 => stream[at] = random.next_u64() as u8,
        5..7 => {
            let end = (at + 1 + random.below(3)).min(stream.len());
            stream.drain(at..end);
        }
        7..9 => {
            let pieces: [&[u8]; 10] = [
                b"0",
                b"9",
                b".",
                b",",
                b";",
                b"\0",
                b"\xff",
                b"\xc3",
                b"\xf0\x9f",
                b"\xe4\xb8\x96",
            ];
            stream.splice(at..at, random.choose(&pieces).iter().copied());
        }
        _ => stream.truncate(at),
    }
}

fn mutations(cases: &mut Cases, random: &mut Random, size: usize) {
    let (mut total, mut count) = (0, 0);
    while total < size {
        let mut bytes = [short_stream(random), short_stream(random)].concat();
        for _ in 0..random.choose(&[1, 1, 1, 2, 5]) {
            mutate(random, &mut bytes);
        }
        total += bytes.len().max(1);
        count += 1;
        cases.random(format!("mutation/{count:05}"), bytes);
    }
}
