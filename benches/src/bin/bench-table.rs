//! Writes what criterion measured to `results/`, and prints it as Markdown tables.
//!
//! ```text
//! cargo run --release -p benches --bin bench-table [-- FOLDER…]
//! ```
//!
//! Each folder is one run (`CRITERION_HOME`); without any it is `target/criterion`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use benches::machine::Machine;
use benches::results::Results;
use benches::tables;

fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<_> = env::args_os().skip(1).map(PathBuf::from).collect();
    if folders.is_empty() {
        let target = env::var_os("CARGO_TARGET_DIR");
        let target = target.map_or(here.join("../target"), PathBuf::from);
        folders.push(target.join("criterion"));
    }
    let results = Results::read(&folders)?;
    let machine = Machine::here();
    let file = here.join(format!("results/{}.csv", machine.file_stem()));
    fs::create_dir_all(here.join("results"))?;
    fs::write(&file, results.csv(&machine))?;
    print!("{}", tables::markdown(&results, &machine));
    eprintln!("written: {}", file.display());
    Ok(())
}
