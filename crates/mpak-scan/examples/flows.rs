//! Prints what CQ-03, CQ-04 and CQ-05 name in folders, one finding a line: to look at real servers by
//! `cargo run -p mpak-scan --example flows -- FOLDER…`.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;

use mpak_bundle::limits::Limits;
use mpak_scan::controls::CONTROLS;
use mpak_scan::evidence::Evidence;

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    for folder in std::env::args_os().skip(1) {
        let started = std::time::Instant::now();
        let evidence = Evidence::from_folder(Path::new(&folder), &Limits::default())?;
        let took = started.elapsed().as_millis();
        writeln!(out, "{}\ttook {took} ms", folder.display())?;
        for control in CONTROLS.iter().filter(|control| matches!(control.id, "CQ-03" | "CQ-04" | "CQ-05")) {
            let Some(judge) = control.judge else { continue };
            let verdict = judge(&evidence);
            writeln!(out, "{}\t{}\t{:?}\t{}", folder.display(), control.id, verdict.status, verdict.reason)?;
            for finding in &verdict.findings {
                let place = format!("{}:{}", finding.file.as_deref().unwrap_or("-"), finding.line.unwrap_or(0));
                let seen: String = finding.evidence.as_deref().unwrap_or_default().chars().take(160).collect();
                let severity = finding.severity.as_str();
                writeln!(
                    out,
                    "{}\t{}\t{severity}\t{place}\t{}\t{seen}",
                    folder.display(),
                    finding.rule,
                    finding.title
                )?;
                for step in &finding.path {
                    let code: String = step.code.chars().take(120).collect();
                    writeln!(out, "\t\t{}:{} {} | {code}", step.file, step.line, step.what)?;
                }
            }
        }
    }
    Ok(())
}
