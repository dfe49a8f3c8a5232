//! Prints precision and recall of the controls on the labelled sets in `quality/`, and each case that they
//! judge wrongly: `cargo run -p mpak-scan --example quality`. With files (`…/cq03-05/more.toml`): on each of them
//! alone, as a set that its folder names.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;

mod set;

use set::{Label, PRECISION_MIN, RECALL_MIN};

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let mut below = false;
    writeln!(out, "| Set | Positive | Negative | Recall | Precision |\n|---|---:|---:|---:|---:|")?;
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let tallies = match files.as_slice() {
        [] => set::tallies()?,
        files => files
            .iter()
            .map(|file| set::tally_of(file.parent().ok_or("a file in a folder")?, std::slice::from_ref(file)))
            .collect::<Result<_, _>>()?,
    };
    for tally in &tallies {
        let (recall, precision) = (tally.recall(), tally.precision());
        below |= recall < RECALL_MIN || precision < PRECISION_MIN;
        let (positives, negatives) = (tally.positives, tally.negatives);
        writeln!(out, "| {} | {positives} | {negatives} | {recall:.3} | {precision:.3} |", tally.set)?;
    }
    for tally in &tallies {
        let alone: BTreeSet<&String> = tally.named.values().filter(|rules| rules.len() == 1).flatten().collect();
        writeln!(out, "{}: {} rules are the only ones to find some case", tally.set, alone.len())?;
        for wrong in &tally.wrong {
            let how = match wrong.label {
                Label::Positive => "missed",
                Label::Negative => "false alarm",
            };
            writeln!(out, "{how}: {}/{} ({}) {:?}", tally.set, wrong.id, wrong.note, wrong.found)?;
        }
    }
    if below { Err(format!("a set is below recall {RECALL_MIN} or precision {PRECISION_MIN}").into()) } else { Ok(()) }
}
