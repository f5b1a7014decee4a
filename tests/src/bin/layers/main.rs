//! The check of the architecture's layers as a program; `.ci/layers` runs it.

use std::error::Error as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use harmony_tests::layers::{Error, check, without_doc_line};

/// Checks that each folder of harmony-host imports only from lower folders, and that the files of a crate have no import
/// cycle.
#[derive(Debug, Parser)]
#[command(
    name = "layers",
    version,
    after_help = "Exit codes:\n  0  no violations\n  1  violations, or the sources cannot be read"
)]
struct Arguments {
    /// The directory of the workspace
    #[arg(value_name = "DIRECTORY", default_value = ".")]
    root: PathBuf,

    /// Also name the files that do not begin with a `//!` line
    #[arg(long)]
    doc_lines: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprint!("error: {error}");
            let causes = std::iter::successors(error.source(), |&cause| cause.source());
            causes.for_each(|cause| eprint!(": {cause}"));
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

/// Prints the violations and returns how many there are.
fn run(arguments: &Arguments) -> Result<usize, Error> {
    let mut report = check(&arguments.root)?;
    if arguments.doc_lines {
        report.violations.extend(without_doc_line(&arguments.root)?);
    }
    report.violations.iter().for_each(|violation| println!("{violation}"));
    let counted = format!("{} files, {} imports", report.files, report.imports);
    match report.violations.len() {
        0 => println!("layers: {counted}, no violations"),
        1 => println!("layers: {counted}, 1 violation"),
        many => println!("layers: {counted}, {many} violations"),
    }
    Ok(report.violations.len())
}
