//! Labelled sets: bundles whose verdict is known, and how often the controls agree.
//!
//! A set is a folder `quality/<controls>/` (`cq01`, `cq03-05`) with TOML files of cases. A case is a bundle
//! in a few lines; a good manifest and entry point are added where it has none of its own. It is positive if
//! one of the set's controls must fail, or name something of high severity; negative if none must.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mpak_bundle::archive::Archive;
use mpak_bundle::limits::Limits;
use mpak_scan::control::{Control, Status};
use mpak_scan::controls::CONTROLS;
use mpak_scan::evidence::{Evidence, scan_texts};
use mpak_scan::report::Severity;
use mpak_scan::texts::Texts;
use mpak_testkit::zip::{GOOD_ENTRY_POINT, ZipBuilder, good_manifest, temporary};
use serde::Deserialize;

/// Least share of the positive cases that must be found.
pub(crate) const RECALL_MIN: f64 = 0.95;
/// Least share of what is found that must be positive.
pub(crate) const PRECISION_MIN: f64 = 0.97;

/// What a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Label {
    /// The control must fail, or name something of high severity.
    Positive,
    /// It must not.
    Negative,
}

/// One bundle with its verdict.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// Unique in its set.
    pub(crate) id: String,
    /// The verdict.
    pub(crate) label: Label,
    /// What makes it hard.
    pub(crate) note: String,
    /// The rule that must name it with high severity, without its control: so no rule is lost unseen.
    rule: Option<String>,
    /// Texts by path. A `·` is taken out first, so that no set holds what looks like a credential.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Bytes by path, in base 64.
    #[serde(default)]
    binaries: BTreeMap<String, String>,
    /// Instead of files: the JSON of a `tools/list` result.
    tools: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    case: Vec<Case>,
}

/// A case that was judged against its label.
pub(crate) struct Wrong {
    /// The case's id.
    pub(crate) id: String,
    /// Its label.
    pub(crate) label: Label,
    /// What makes it hard.
    pub(crate) note: String,
    /// Rules and severities that the control named.
    pub(crate) found: Vec<String>,
}

/// How often the controls of one set agree with it.
pub(crate) struct Tally {
    /// The set's folder.
    pub(crate) set: String,
    /// Positive cases.
    pub(crate) positives: usize,
    /// Negative cases.
    pub(crate) negatives: usize,
    /// Where they disagree.
    pub(crate) wrong: Vec<Wrong>,
    /// By the id of each positive case: the rules that named it with high severity.
    pub(crate) named: BTreeMap<String, BTreeSet<String>>,
}

impl Tally {
    fn wrong(&self, label: Label) -> usize {
        self.wrong.iter().filter(|wrong| wrong.label == label).count()
    }

    /// Found positives of all positives.
    pub(crate) fn recall(&self) -> f64 {
        share(self.positives - self.wrong(Label::Positive), self.positives)
    }

    /// Found positives of all that was found.
    pub(crate) fn precision(&self) -> f64 {
        let right = self.positives - self.wrong(Label::Positive);
        share(right, right + self.wrong(Label::Negative))
    }
}

fn share(part: usize, whole: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "sets have a few hundred cases")]
    let share = |part: usize, whole: usize| part as f64 / whole as f64;
    if whole == 0 { 1.0 } else { share(part, whole) }
}

/// Judges all sets below the crate's `quality` folder.
pub(crate) fn tallies() -> Result<Vec<Tally>, Box<dyn Error>> {
    let mut folders: Vec<_> = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/quality"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders.iter().map(|folder| tally(folder)).collect()
}

fn tally(folder: &Path) -> Result<Tally, Box<dyn Error>> {
    let mut files: Vec<_> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    tally_of(folder, &files)
}

/// Judges the cases of some files as a set that a folder names.
pub(crate) fn tally_of(folder: &Path, files: &[PathBuf]) -> Result<Tally, Box<dyn Error>> {
    let set = folder.file_name().and_then(|name| name.to_str()).ok_or("a set has a name in ASCII")?.to_owned();
    let controls = controls(&set)?;
    let cases = cases(files)?;
    let count = |label: Label| cases.iter().filter(|case| case.label == label).count();
    let (positives, negatives) = (count(Label::Positive), count(Label::Negative));
    let (mut wrong, mut named) = (Vec::new(), BTreeMap::new());
    for case in cases {
        let Judged { bad, found, rules } = judge(&case, &controls).map_err(|e| format!("{set}/{}: {e}", case.id))?;
        let missed = case.rule.as_ref().is_some_and(|rule| !rules.contains(rule));
        if case.label == Label::Positive {
            named.insert(case.id.clone(), rules);
        }
        if bad != (case.label == Label::Positive) || missed {
            wrong.push(Wrong { id: case.id, label: case.label, note: case.note, found });
        }
    }
    Ok(Tally { set, positives, negatives, wrong, named })
}

/// `cq03-05` names CQ-03 and CQ-05.
fn controls(set: &str) -> Result<Vec<&'static Control>, String> {
    let (domain, numbers) = set.split_at_checked(2).ok_or_else(|| format!("`{set}` names no control"))?;
    numbers
        .split('-')
        .map(|number| {
            let id = format!("{}-{number}", domain.to_ascii_uppercase());
            CONTROLS.iter().find(|control| control.id == id).ok_or_else(|| format!("`{set}` names no control `{id}`"))
        })
        .collect()
}

/// The cases of some files.
pub(crate) fn cases(paths: &[PathBuf]) -> Result<Vec<Case>, Box<dyn Error>> {
    let (mut cases, mut ids) = (Vec::new(), BTreeSet::new());
    for path in paths {
        let file: CaseFile =
            toml::from_str(&fs::read_to_string(path)?).map_err(|e| format!("{}: {e}", path.display()))?;
        for case in file.case {
            if !ids.insert(case.id.clone()) {
                return Err(format!("{}: `{}` is there twice", path.display(), case.id).into());
            }
            cases.push(case);
        }
    }
    Ok(cases)
}

/// What the controls say of a case.
struct Judged {
    /// Whether one of them fails or names something of high severity.
    bad: bool,
    /// All that they name.
    found: Vec<String>,
    /// Rules that named something of high severity.
    rules: BTreeSet<String>,
}

/// The texts of a case that a model reads.
#[allow(dead_code, reason = "the weights are learnt from them, and nothing else needs them")]
pub(crate) fn texts(case: &Case) -> Result<Option<Texts>, Box<dyn Error>> {
    if let Some(tools) = &case.tools {
        return Ok(Texts::from_tools(&serde_json::from_str(tools)?, "tools.json"));
    }
    let limits = Limits::default();
    let archive = Archive::open(temporary(&bundle(case)?), &limits)?;
    Ok(Evidence::from_archive(&archive, &limits)?.texts().cloned())
}

fn judge(case: &Case, controls: &[&Control]) -> Result<Judged, Box<dyn Error>> {
    let mut all = Vec::new();
    if let Some(tools) = &case.tools {
        let texts = Texts::from_tools(&serde_json::from_str(tools)?, "tools.json").ok_or("no list of tools")?;
        let report = scan_texts(&texts);
        for control in controls {
            let result = report.controls.iter().find(|r| r.id == control.id).ok_or("no such control")?;
            all.push((result.id.clone(), result.status, result.reason.clone(), result.findings.clone()));
        }
    } else {
        let limits = Limits::default();
        let archive = Archive::open(temporary(&bundle(case)?), &limits)?;
        let evidence = Evidence::from_archive(&archive, &limits)?;
        for control in controls {
            let judge = control.judge.ok_or_else(|| format!("{} has no code", control.id))?;
            let verdict = judge(&evidence);
            all.push((control.id.to_owned(), verdict.status, verdict.reason, verdict.findings));
        }
    }
    let (mut bad, mut found, mut rules) = (false, Vec::new(), BTreeSet::new());
    for (id, status, reason, findings) in all {
        if matches!(status, Status::NotRun | Status::Error) {
            return Err(format!("{id} was not judged: {reason}").into());
        }
        bad |= status == Status::Fail || findings.iter().any(|f| f.severity >= Severity::High);
        let high = findings.iter().filter(|finding| finding.severity >= Severity::High);
        rules.extend(high.map(|finding| finding.rule.rsplit('/').next().unwrap_or_default().to_owned()));
        found.extend(findings.iter().map(|f| format!("{} {} {:?}", f.rule, f.severity.as_str(), f.evidence)));
    }
    Ok(Judged { bad, found, rules })
}

fn bundle(case: &Case) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut files: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    files.extend(case.files.iter().map(|(path, text)| (path.as_str(), text.replace('·', "").into_bytes())));
    for (path, text) in &case.binaries {
        files.insert(path, STANDARD.decode(text.replace('·', ""))?);
    }
    if !files.contains_key("manifest.json") {
        files.insert("manifest.json", serde_json::to_vec_pretty(&good_manifest())?);
        files.entry(GOOD_ENTRY_POINT.0).or_insert_with(|| GOOD_ENTRY_POINT.1.to_vec());
    }
    let mut zip = ZipBuilder::default();
    for (path, bytes) in files {
        zip.file(path, bytes);
    }
    Ok(zip.build())
}
