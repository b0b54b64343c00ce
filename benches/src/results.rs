//! What criterion measured, read from the JSON files that it leaves.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::machine::Machine;

/// Which measurement: `group/bench/input`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    /// What is measured.
    pub group: String,
    /// In which way.
    pub bench: String,
    /// The stream, or kind and size of text.
    pub input: String,
}

impl Id {
    /// An id from its parts.
    #[must_use]
    pub fn new(group: &str, bench: &str, input: &str) -> Self {
        let [group, bench, input] = [group, bench, input].map(str::to_owned);
        Self {
            group,
            bench,
            input,
        }
    }

    /// The plain way to do the same.
    #[must_use]
    pub fn yardstick(&self) -> Option<Self> {
        let (group, bench) = match (&self.group[..], &self.bench[..]) {
            ("scanner", "scan") => ("plain", "scan"),
            ("decoder", "decode" | "decode_all") => ("plain", "decode"),
            ("encoder", "encode_vec") => ("plain", "encode"),
            ("count", "count") => ("count", "chars"),
            ("offset", "offset_of_nth") => ("offset", "char_indices"),
            ("validate", "validate" | "simdutf8") => ("validate", "from_utf8"),
            _ => return None,
        };
        Some(Self::new(group, bench, &self.input))
    }
}

/// One measurement, from one or more runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Bytes handled in an iteration.
    pub bytes: u64,
    /// Median time of an iteration in each run, in nanoseconds, in rising order.
    medians: Vec<f64>,
}

impl Measured {
    /// Median of the medians in nanoseconds; with an even number of runs the mean of
    /// the two in the middle.
    #[must_use]
    pub fn median_ns(&self) -> f64 {
        let runs = self.medians.len();
        (self.medians[(runs - 1) / 2] + self.medians[runs / 2]) / 2.0
    }

    /// The slowest run, as a multiple of the fastest: how much to trust the median.
    #[must_use]
    pub fn spread(&self) -> f64 {
        self.medians[self.medians.len() - 1] / self.medians[0]
    }

    /// Millions of bytes per second.
    #[must_use]
    pub fn mb_per_s(&self) -> f64 {
        self.bytes as f64 * 1e3 / self.median_ns()
    }
}

/// All measurements of one or more runs.
#[derive(Clone, Debug, Default)]
pub struct Results {
    measured: BTreeMap<Id, Measured>,
}

impl Results {
    /// Reads folders of criterion, one for each run.
    ///
    /// # Errors
    /// Where a folder cannot be read or holds no results, or where runs differ in what
    /// they measured.
    pub fn read(folders: &[PathBuf]) -> Result<Self, Box<dyn Error>> {
        let mut results = Self::default();
        for folder in folders {
            let mut found = Vec::new();
            find(folder, &mut found).map_err(|error| format!("{}: {error}", folder.display()))?;
            if found.is_empty() {
                return Err(format!("no results in {}", folder.display()).into());
            }
            for place in found {
                let (id, bytes, median) =
                    read_one(&place).map_err(|error| format!("{}: {error}", place.display()))?;
                results.add(id, bytes, median)?;
            }
        }
        results.check_runs(folders.len())?;
        Ok(results)
    }

    fn add(&mut self, id: Id, bytes: u64, median: f64) -> Result<(), String> {
        let measured = self.measured.entry(id.clone()).or_insert(Measured {
            bytes,
            medians: Vec::new(),
        });
        if measured.bytes != bytes {
            return Err(format!(
                "{id:?} was measured on inputs of different lengths"
            ));
        }
        let rank = measured.medians.partition_point(|&other| other < median);
        measured.medians.insert(rank, median);
        Ok(())
    }

    fn check_runs(&self, runs: usize) -> Result<(), String> {
        let missing = |(_, measured): &(&Id, &Measured)| measured.medians.len() != runs;
        match self.measured.iter().find(missing) {
            Some((id, _)) => Err(format!("{id:?} was not measured once in every run")),
            None => Ok(()),
        }
    }

    /// One measurement.
    #[must_use]
    pub fn get(&self, id: &Id) -> Option<&Measured> {
        self.measured.get(id)
    }

    /// Ids of all measurements, in order.
    pub fn ids(&self) -> impl Iterator<Item = &Id> {
        self.measured.keys()
    }

    /// How many times as fast as another measurement of the same bytes.
    #[must_use]
    pub fn ratio(&self, id: &Id, to: &Id) -> Option<f64> {
        Some(self.get(to)?.median_ns() / self.get(id)?.median_ns())
    }

    /// All measurements as comma-separated values.
    #[must_use]
    pub fn csv(&self, machine: &Machine) -> String {
        let mut out = "date,commit,cpu,rustc,kernel,group,bench,stream,bytes,runs,spread,\
                       median_ns,mb_per_s,ratio_to_plain\n"
            .to_owned();
        let fixed = [&machine.date, &machine.commit, &machine.cpu, &machine.rustc]
            .map(|value| quoted(value));
        for (id, measured) in &self.measured {
            let yardstick = id.yardstick();
            let ratio = yardstick.and_then(|plain| self.ratio(id, &plain));
            let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.3}"));
            // Writing to a string does not fail.
            let _ = writeln!(
                out,
                "{},{:?},{},{},{},{},{},{:.3},{:.1},{:.0},{ratio}",
                fixed.join(","),
                machine.kernel,
                id.group,
                id.bench,
                id.input,
                measured.bytes,
                measured.medians.len(),
                measured.spread(),
                measured.median_ns(),
                measured.mb_per_s(),
            );
        }
        out
    }
}

/// A value that may hold commas.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('"', "\"\""))
}

/// Finds the folders `new`, each of which holds one measurement.
fn find(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && path.ends_with("new") {
            found.push(path);
        } else if path.is_dir() {
            find(&path, found)?;
        }
    }
    Ok(())
}

fn read_one(folder: &Path) -> Result<(Id, u64, f64), Box<dyn Error>> {
    let json = |name: &str| -> Result<Value, Box<dyn Error>> {
        Ok(serde_json::from_slice(&fs::read(folder.join(name))?)?)
    };
    let benchmark = json("benchmark.json")?;
    let text = |key: &str| benchmark[key].as_str().unwrap_or_default();
    let id = Id::new(text("group_id"), text("function_id"), text("value_str"));
    let bytes = benchmark["throughput"]["Bytes"].as_u64();
    let median = json("estimates.json")?["median"]["point_estimate"].as_f64();
    match (bytes, median) {
        (Some(bytes), Some(median)) if median > 0.0 => Ok((id, bytes, median)),
        _ => Err("neither bytes nor a median".into()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)] // a test may fail by panic
    use super::*;

    /// Results of runs that took so many nanoseconds.
    pub(crate) fn results(measured: &[(&str, &str, &str, u64, &[f64])]) -> Results {
        let mut results = Results::default();
        for &(group, bench, input, bytes, medians) in measured {
            for &median in medians {
                results
                    .add(Id::new(group, bench, input), bytes, median)
                    .unwrap();
            }
        }
        results
    }

    #[test]
    fn runs_give_a_median_and_a_spread() {
        let results = results(&[("scanner", "scan", "blob", 600, &[400.0, 200.0, 300.0])]);
        let measured = results.get(&Id::new("scanner", "scan", "blob")).unwrap();
        assert_eq!(measured.median_ns(), 300.0);
        assert_eq!(measured.spread(), 2.0);
        assert_eq!(measured.mb_per_s(), 2000.0);
        let two = self::results(&[("a", "b", "c", 1, &[3.0, 1.0])]);
        assert_eq!(two.get(&Id::new("a", "b", "c")).unwrap().median_ns(), 2.0);
    }

    #[test]
    fn runs_have_to_agree() {
        let mut results = results(&[("a", "b", "c", 600, &[1.0, 2.0])]);
        assert!(results.check_runs(2).is_ok());
        assert!(results.check_runs(3).is_err());
        assert!(results.add(Id::new("a", "b", "c"), 601, 1.0).is_err());
    }

    #[test]
    fn files_of_criterion_are_read() {
        let folder = std::env::temp_dir().join(format!("bench-table-{}", std::process::id()));
        let place = folder.join("scanner/scan/blob/new");
        fs::create_dir_all(&place).unwrap();
        let benchmark = r#"{"group_id":"scanner","function_id":"scan","value_str":"blob",
            "throughput":{"Bytes":8388630}}"#;
        fs::write(place.join("benchmark.json"), benchmark).unwrap();
        let estimates = r#"{"median":{"point_estimate":1048578.75}}"#;
        fs::write(place.join("estimates.json"), estimates).unwrap();
        let read = Results::read(&[folder.clone(), folder.clone()]);
        fs::remove_dir_all(&folder).unwrap();
        let csv = read.unwrap().csv(&Machine::here());
        let line = csv.lines().nth(1).unwrap();
        let end = ",scanner,scan,blob,8388630,2,1.000,1048578.8,8000,";
        assert!(line.ends_with(end), "{line}");
    }

    #[test]
    fn ratios_are_to_the_plain_way() {
        let results = results(&[
            ("plain", "decode", "text", 100, &[90.0]),
            ("decoder", "decode_all", "text", 100, &[30.0]),
        ]);
        let csv = results.csv(&Machine::here());
        let lines: Vec<_> = csv.lines().collect();
        assert!(lines[1].ends_with(",30.0,3333,3.000"), "{csv}");
        assert!(lines[2].ends_with(",90.0,1111,"), "{csv}");
    }
}
