//! Results as Markdown tables.

use std::fmt::Write as _;

use crate::machine::Machine;
use crate::results::{Id, Results};

/// One column of a table.
struct Column {
    title: &'static str,
    /// Group and bench.
    of: (&'static str, &'static str),
    /// Group and bench that it is compared with, where a ratio is shown and no speed.
    to: Option<(&'static str, &'static str)>,
}

const fn speed(title: &'static str, of: (&'static str, &'static str)) -> Column {
    Column {
        title,
        of,
        to: None,
    }
}

const fn ratio(of: (&'static str, &'static str), to: (&'static str, &'static str)) -> Column {
    Column {
        title: "×",
        of,
        to: Some(to),
    }
}

const SCAN: &[Column] = &[
    speed("plain scan", ("plain", "scan")),
    speed("`Scanner`", ("scanner", "scan")),
    ratio(("scanner", "scan"), ("plain", "scan")),
    speed("plain decode", ("plain", "decode")),
    speed("plain walk", ("plain", "walk")),
    speed("`decode`", ("decoder", "decode")),
    ratio(("decoder", "decode"), ("plain", "decode")),
    speed("`decode_all`", ("decoder", "decode_all")),
    ratio(("decoder", "decode_all"), ("plain", "decode")),
];

const INDICES: &[Column] = &[
    speed("first plain scan", ("indices", "scan")),
    speed("`Scanner`", ("scanner", "scan")),
    ratio(("scanner", "scan"), ("indices", "scan")),
    speed("first plain decode", ("indices", "decode")),
    speed("`decode`", ("decoder", "decode")),
    ratio(("decoder", "decode"), ("indices", "decode")),
    speed("`decode_all`", ("decoder", "decode_all")),
    ratio(("decoder", "decode_all"), ("indices", "decode")),
];

const ENCODE: &[Column] = &[
    speed("plain encode", ("plain", "encode")),
    speed("`encode_vec`", ("encoder", "encode_vec")),
    ratio(("encoder", "encode_vec"), ("plain", "encode")),
    speed("memcpy", ("floor", "memcpy")),
    speed("std `from_utf8`", ("floor", "from_utf8")),
    speed("simdutf8", ("floor", "simdutf8")),
    speed("`validate`", ("floor", "validate")),
];

const COUNT: &[Column] = &[
    speed("memcpy", ("floor", "memcpy")),
    speed("`chars().count()`", ("count", "chars")),
    speed("`count`", ("count", "count")),
    ratio(("count", "count"), ("count", "chars")),
    speed("`char_indices().nth()`", ("offset", "char_indices")),
    speed("`offset_of_nth`", ("offset", "offset_of_nth")),
    ratio(("offset", "offset_of_nth"), ("offset", "char_indices")),
];

const VALIDATE: &[Column] = &[
    speed("memcpy", ("floor", "memcpy")),
    speed("std `from_utf8`", ("validate", "from_utf8")),
    speed("simdutf8", ("validate", "simdutf8")),
    speed("`validate`", ("validate", "validate")),
    ratio(("validate", "validate"), ("validate", "from_utf8")),
    Column {
        title: "× simdutf8",
        of: ("validate", "validate"),
        to: Some(("validate", "simdutf8")),
    },
];

/// All tables.
#[must_use]
pub fn markdown(results: &Results, machine: &Machine) -> String {
    let mut out = format!(
        "{}, {}, kernel {:?}, {}, commit {}. Millions of bytes per second; × is how many \
         times as fast as the plain way before it, and **bold** where that is slower.\n",
        machine.cpu, machine.rustc, machine.kernel, machine.date, machine.commit,
    );
    table(results, "stream", SCAN, &mut out);
    table(results, "stream", INDICES, &mut out);
    table(results, "stream", ENCODE, &mut out);
    table(results, "text", COUNT, &mut out);
    table(results, "text", VALIDATE, &mut out);
    levels(results, &mut out);
    out
}

/// A table with a row for every input that any of its columns knows; those of the floor
/// stand in several tables, and do not count.
fn table(results: &Results, head: &str, columns: &[Column], out: &mut String) {
    let columns_own = columns.iter().filter(|column| column.of.0 != "floor");
    let rows = columns_own.flat_map(|column| inputs(results, column.of));
    let rows = ordered(rows.collect());
    if rows.is_empty() {
        return;
    }
    header(head, columns.iter().map(|column| column.title), out);
    for input in rows {
        let cells = columns.iter().map(|column| cell(results, column, input));
        row(input, cells, out);
    }
}

fn header<'a>(head: &str, titles: impl Iterator<Item = &'a str> + Clone, out: &mut String) {
    out.push('\n');
    row(head, titles.clone().map(str::to_owned), out);
    row("---", titles.map(|_| "--:".to_owned()), out);
}

fn row(head: &str, cells: impl Iterator<Item = String>, out: &mut String) {
    let _ = write!(out, "| {head} |");
    cells.for_each(|cell| {
        let _ = write!(out, " {cell} |");
    });
    out.push('\n');
}

/// Inputs of a bench.
fn inputs<'a>(results: &'a Results, (group, bench): (&str, &str)) -> impl Iterator<Item = &'a str> {
    let ids = results.ids();
    let ids = ids.filter(move |id| id.group == group && id.bench == bench);
    ids.map(|id| &id.input[..])
}

/// Each once, by name and then by size.
fn ordered(mut inputs: Vec<&str>) -> Vec<&str> {
    let sized = |input| -> Option<(&str, usize)> {
        let (name, size) = str::rsplit_once(input, '-')?;
        Some((name, size.parse().ok()?))
    };
    inputs.sort_by_key(|input| sized(input).unwrap_or((input, 0)));
    inputs.dedup();
    inputs
}

fn cell(results: &Results, column: &Column, input: &str) -> String {
    let id = |(group, bench): (&str, &str)| Id::new(group, bench, input);
    match column.to {
        None => mb_per_s(results, &id(column.of)),
        Some(to) => match results.ratio(&id(column.of), &id(to)) {
            Some(ratio) if ratio < 0.995 => format!("**{ratio:.2}**"),
            Some(ratio) => format!("{ratio:.2}"),
            None => "–".to_owned(),
        },
    }
}

fn mb_per_s(results: &Results, id: &Id) -> String {
    let measured = results.get(id);
    measured.map_or("–".to_owned(), |it| format!("{:.0}", it.mb_per_s()))
}

/// The kernels: a row for every work and input, a column for every level.
fn levels(results: &Results, out: &mut String) {
    let mut names: Vec<(&str, &str)> = Vec::new();
    for id in results.ids().filter(|id| id.group == "levels") {
        names.extend(id.bench.rsplit_once('-'));
    }
    let mut works: Vec<_> = names.iter().map(|&(work, _)| work).collect();
    works.dedup();
    let order = |level: &str| LEVELS.iter().position(|&other| other == level);
    let mut levels: Vec<_> = names.iter().map(|&(_, level)| level).collect();
    levels.sort_by_key(|level| order(level));
    levels.dedup();
    if levels.is_empty() {
        return;
    }
    header("kernel", levels.iter().copied(), out);
    for work in works {
        let bench = |level: &&str| format!("{work}-{level}");
        let known = inputs(results, ("levels", &bench(&levels[0]))).collect();
        for input in ordered(known) {
            let cells = levels
                .iter()
                .map(|level| mb_per_s(results, &Id::new("levels", &bench(level), input)));
            row(&format!("{work} {input}"), cells, out);
        }
    }
}

/// Names of the kernels, the plainest first.
const LEVELS: [&str; 7] = [
    "scalar", "swar", "sse2", "avx2", "avx512", "neon", "simd128",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::results;

    #[test]
    fn losses_are_shown() {
        let results = results(&[
            ("count", "chars", "ascii-64", 64, &[4.0]),
            ("count", "count", "ascii-64", 64, &[5.0]),
            ("offset", "char_indices", "ascii-64", 64, &[8.0]),
            ("offset", "offset_of_nth", "ascii-64", 64, &[4.0]),
            ("offset", "offset_of_nth", "ascii-8", 64, &[4.0]),
        ]);
        let tables = markdown(&results, &Machine::here());
        let rows: Vec<_> = tables.lines().skip(4).collect();
        let expected = [
            "| ascii-8 | – | – | – | – | – | 16000 | – |",
            "| ascii-64 | – | 16000 | 12800 | **0.80** | 8000 | 16000 | 2.00 |",
        ];
        assert_eq!(rows, expected, "{tables}");
    }

    #[test]
    fn inputs_are_ordered_by_size() {
        let inputs = vec!["b-64", "vnc-text", "a-64", "vnc-photo", "a-8", "vnc-text"];
        let expected = ["a-8", "a-64", "b-64", "vnc-photo", "vnc-text"];
        assert_eq!(ordered(inputs), expected);
    }

    #[test]
    fn levels_stand_side_by_side() {
        let results = results(&[
            ("levels", "scan-avx2", "blob", 100, &[10.0]),
            ("levels", "scan-scalar", "blob", 100, &[100.0]),
            ("levels", "count-avx2", "ascii-64", 100, &[20.0]),
            ("levels", "count-scalar", "ascii-64", 100, &[50.0]),
        ]);
        let tables = markdown(&results, &Machine::here());
        let rows: Vec<_> = tables.lines().skip(2).collect();
        let expected = [
            "| kernel | scalar | avx2 |",
            "| --- | --: | --: |",
            "| count ascii-64 | 2000 | 5000 |",
            "| scan blob | 1000 | 10000 |",
        ];
        assert_eq!(rows, expected, "{tables}");
    }
}
