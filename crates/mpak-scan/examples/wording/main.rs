//! Learns the weights of `rules/wording.txt` from the labelled sets of CD-03.
//!
//! `cargo run -p mpak-scan --example wording -- [--blind] [--set SET.toml] [BENIGN.jsonl|FOLDER…]`. More benign texts come from
//! files with one `{"server", "tool", "description"}` to a line, and from folders with servers. With `--blind`
//! nothing is written: each set is judged by what the others teach, which tells what texts can expect that nobody
//! has seen. A `--set` file is only judged.
//!
//! A case is a bag of passages of which only the worst may be bad: in each round a bad case gives the passage that
//! scores most so far, a good tool its highest scoring ones. Logistic regression, by stochastic descent in a fixed
//! order, so that the same sets give the same weights.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use mpak_bundle::durable;
use mpak_bundle::limits::Limits;
use mpak_scan::evidence::Evidence;
use mpak_scan::texts::{PASSAGE_FEATURES_MIN, PASSAGES_SENTENCES, Texts, wording};
use serde_json::{Value, json};

mod made;
#[expect(dead_code, reason = "the sets are judged elsewhere")]
#[path = "../quality/set.rs"]
mod set;

/// How often the passages are chosen anew.
const ROUNDS: usize = 4;
/// Passes over the chosen passages in a round.
const EPOCHS: usize = 14;
/// Step of the first pass.
const STEP: f64 = 1.5;
/// What is taken from each weight with each step.
const DECAY: f64 = 2e-4;
/// Tools that show a feature at least.
const SEEN_MIN: usize = 2;
/// Passages of a good tool that score most, and others.
const HARDEST: usize = 6;
const OTHERS: usize = 3;
/// The set of made-up texts, which always teaches.
const MADE: &str = "made";
/// Weights below are left out, in hundredths.
const WEIGHT_MIN: f64 = 2.0;

/// Features of a passage with their values.
type Passage = Vec<(u32, f64)>;

/// Passages of which one is bad, or none.
struct Bag {
    set: String,
    id: String,
    bad: bool,
    passages: Vec<Passage>,
}

#[derive(Clone, Default)]
struct Model {
    weights: Vec<f64>,
    bias: f64,
}

impl Model {
    fn score(&self, passage: &Passage) -> f64 {
        self.bias + passage.iter().map(|(feature, value)| self.weights[*feature as usize] * value).sum::<f64>()
    }

    fn worst(&self, bag: &Bag) -> (f64, usize) {
        let scores = bag.passages.iter().enumerate().map(|(i, passage)| (self.score(passage), i));
        scores.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((f64::MIN, 0))
    }
}

/// Features by number.
#[derive(Default)]
struct Names {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut names = Names::default();
    let (mut bags, mut judged) = (Vec::new(), Vec::new());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sets: Vec<PathBuf> = fs::read_dir(root.join("quality/cd03"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    sets.sort();
    for path in &sets {
        bags.extend(of_set(path, &mut names)?);
    }
    if !std::env::args().any(|arg| arg == "--plain") {
        bags.extend(of_made(&mut names)?);
    }
    let (mut blind, mut only_judged) = (false, false);
    for arg in std::env::args_os().skip(1) {
        let path = PathBuf::from(&arg);
        match arg.to_str() {
            Some("--blind") => blind = true,
            Some("--set") => only_judged = true,
            Some("--plain") => {}
            _ if only_judged => {
                judged.extend(of_set(&path, &mut names)?);
                only_judged = false;
            }
            _ if path.is_dir() => bags.extend(of_folder(&path, &mut names)),
            _ => bags.extend(of_descriptions(&path, &mut names)?),
        }
    }
    let mut out = std::io::stdout().lock();
    if blind {
        let sets: Vec<String> = bags
            .iter()
            .map(|bag| bag.set.clone())
            .filter(|set| set != MADE)
            .collect::<HashSet<_>>()
            .into_iter()
            .collect();
        let mut scores = Vec::new();
        for (fold, set) in folds(&sets) {
            let (known, unknown): (Vec<&Bag>, Vec<&Bag>) =
                bags.iter().partition(|bag| bag.set == MADE || !set.contains(&bag.set));
            let model = learnt(&known, names.names.len());
            writeln!(out, "fold {fold}: {set:?}")?;
            let unknown = unknown.into_iter().filter(|bag| bag.set != MADE);
            scores.extend(unknown.map(|bag| (model.worst(bag).0, bag)));
        }
        tell(&mut out, &scores)?;
        return Ok(());
    }
    let known: Vec<&Bag> = bags.iter().collect();
    let model = learnt(&known, names.names.len());
    if !judged.is_empty() {
        let scores: Vec<(f64, &Bag)> = judged.iter().map(|bag| (model.worst(bag).0, bag)).collect();
        tell(&mut out, &scores)?;
    }
    durable::replace(&root.join("rules/wording.txt"), written(&model, &names).as_bytes(), 0o644)?;
    Ok(())
}

/// Ten parts of the sets.
fn folds(sets: &[String]) -> BTreeMap<usize, Vec<String>> {
    let mut sorted = sets.to_vec();
    sorted.sort();
    let mut folds: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (i, set) in sorted.into_iter().enumerate() {
        folds.entry(i % 10).or_default().push(set);
    }
    folds
}

/// How many are found and accused from each score.
fn tell(out: &mut impl std::io::Write, scores: &[(f64, &Bag)]) -> Result<(), Box<dyn Error>> {
    let bad = scores.iter().filter(|(_, bag)| bag.bad).count();
    writeln!(out, "{bad} bad, {} good", scores.len() - bad)?;
    for threshold in [-3.0, -2.0, -1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5] {
        let found = scores.iter().filter(|(score, bag)| bag.bad && *score >= threshold).count();
        let accused = scores.iter().filter(|(score, bag)| !bag.bad && *score >= threshold).count();
        writeln!(out, "from {threshold:.1}: {found} found, {accused} accused")?;
    }
    let mut good: Vec<&(f64, &Bag)> = scores.iter().filter(|(score, bag)| !bag.bad && *score > 0.4).collect();
    good.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (score, bag) in good.iter().take(40) {
        writeln!(out, "{score:.2} {} {}", bag.set, bag.id)?;
    }
    Ok(())
}

fn of_set(path: &Path, names: &mut Names) -> Result<Vec<Bag>, Box<dyn Error>> {
    let set = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut found = Vec::new();
    for case in set::cases(&[path.to_owned()])? {
        let Some(texts) = set::texts(&case)? else { continue };
        if case.label == set::Label::Positive {
            let passages = wording(&texts).iter().flat_map(|(_, text)| passages(text, names)).collect();
            found.push(Bag { set: set.clone(), id: case.id, bad: true, passages });
        } else {
            found.extend(good(&set, &case.id, &texts, names));
        }
    }
    found.retain(|bag| !bag.passages.is_empty());
    Ok(found)
}

/// Texts made up from the grammar.
fn of_made(names: &mut Names) -> Result<Vec<Bag>, Box<dyn Error>> {
    let mut found = Vec::new();
    for (i, (bad, tools)) in made::tools()?.into_iter().enumerate() {
        let texts = Texts::from_tools(&tools, "tools.json").ok_or("no list of tools")?;
        let passages = wording(&texts).iter().flat_map(|(_, text)| passages(text, names)).collect();
        found.push(Bag { set: MADE.to_owned(), id: i.to_string(), bad, passages });
    }
    Ok(found)
}

fn of_folder(path: &Path, names: &mut Names) -> Vec<Bag> {
    let set = path.display().to_string();
    let evidence = Evidence::from_folder(path, &Limits::default()).ok();
    let texts = evidence.as_ref().and_then(Evidence::texts);
    texts.map(|texts| good(&set, "", texts, names)).unwrap_or_default()
}

fn of_descriptions(path: &Path, names: &mut Names) -> Result<Vec<Bag>, Box<dyn Error>> {
    let mut servers: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in fs::read_to_string(path)?.lines() {
        let row: Value = serde_json::from_str(line)?;
        let tool = json!({"name": row["tool"], "description": row["description"]});
        servers.entry(row["server"].to_string()).or_default().push(tool);
    }
    let mut found = Vec::new();
    for (server, tools) in servers {
        let texts = Texts::from_tools(&Value::Array(tools), "tools.json").ok_or("no list of tools")?;
        found.extend(good(&server, "", &texts, names));
    }
    Ok(found)
}

/// A good case has one bag for each of its tools.
fn good(set: &str, id: &str, texts: &Texts, names: &mut Names) -> Vec<Bag> {
    let mut tools: BTreeMap<String, Vec<Passage>> = BTreeMap::new();
    for (tool, text) in wording(texts) {
        let found = passages(&text, names);
        tools.entry(tool).or_default().extend(found);
    }
    tools
        .into_iter()
        .filter(|(_, passages)| !passages.is_empty())
        .map(|(tool, passages)| Bag { set: set.to_owned(), id: format!("{id} {tool}"), bad: false, passages })
        .collect()
}

/// All passages of a text.
fn passages(sentences: &[Vec<String>], names: &mut Names) -> Vec<Passage> {
    let mut found = Vec::new();
    for count in PASSAGES_SENTENCES {
        if sentences.is_empty() || count > 1 && sentences.len() <= count / 2 {
            continue;
        }
        for from in 0..=sentences.len().saturating_sub(count) {
            let mut features: BTreeMap<u32, f64> = BTreeMap::new();
            let all = sentences[from..].iter().take(count).flatten();
            for feature in all {
                *features.entry(names.number(feature)).or_default() += 1.0;
            }
            let norm = features.values().sum::<f64>().max(f64::from(PASSAGE_FEATURES_MIN)).sqrt();
            found.push(features.into_iter().map(|(feature, value)| (feature, value / norm)).collect());
        }
    }
    found
}

/// The weights that tell the bags apart.
fn learnt(bags: &[&Bag], features: usize) -> Model {
    // 1. What only one tool shows teaches nothing.
    let mut seen = vec![0_usize; features];
    for bag in bags {
        let all: HashSet<u32> = bag.passages.iter().flatten().map(|(feature, _)| *feature).collect();
        all.into_iter().for_each(|feature| seen[feature as usize] += 1);
    }
    let kept: Vec<bool> = seen.iter().map(|count| *count >= SEEN_MIN).collect();
    // 2. Rounds of choosing and learning.
    let mut model: Option<Model> = None;
    let mut random = Random(1);
    for _ in 0..ROUNDS {
        let mut chosen: Vec<(f64, &Passage)> = Vec::new();
        for bag in bags {
            if bag.bad {
                let longest = || (0..bag.passages.len()).max_by_key(|&i| bag.passages[i].len()).unwrap_or(0);
                let at = model.as_ref().map_or_else(longest, |model| model.worst(bag).1);
                chosen.extend([(1.0, &bag.passages[at]); 2]);
                continue;
            }
            let mut order: Vec<usize> = (0..bag.passages.len()).collect();
            random.shuffle(&mut order);
            if let Some(model) = &model {
                order.sort_by(|&a, &b| model.score(&bag.passages[b]).total_cmp(&model.score(&bag.passages[a])));
            }
            let others = order.iter().skip(HARDEST).step_by(3).take(OTHERS);
            chosen.extend(order.iter().take(HARDEST).chain(others).map(|&i| (-1.0, &bag.passages[i])));
        }
        model = Some(descended(&mut chosen, &kept, &mut random));
    }
    model.unwrap_or_default()
}

/// Logistic regression by stochastic descent.
fn descended(chosen: &mut [(f64, &Passage)], kept: &[bool], random: &mut Random) -> Model {
    let mut model = Model { weights: vec![0.0; kept.len()], bias: 0.0 };
    for epoch in 0..EPOCHS {
        random.shuffle(chosen);
        #[expect(clippy::cast_precision_loss, reason = "a few epochs")]
        let step = STEP / (1.0 + epoch as f64 * 0.4);
        for (label, passage) in chosen.iter() {
            let margin = label * model.score(passage);
            if margin > 4.0 {
                continue;
            }
            let slope = -label / (1.0 + margin.min(30.0).exp());
            model.bias -= step * 0.05 * slope;
            for (feature, value) in passage.iter().filter(|(feature, _)| kept[*feature as usize]) {
                let weight = &mut model.weights[*feature as usize];
                *weight -= step * (slope * value + DECAY * *weight);
            }
        }
    }
    model
}

/// The model as a text: the bias, then one weight to a line, in hundredths.
fn written(model: &Model, names: &Names) -> String {
    let mut lines: Vec<String> = model
        .weights
        .iter()
        .zip(&names.names)
        .map(|(weight, name)| ((weight * 100.0).round(), name))
        .filter(|(weight, _)| weight.abs() >= WEIGHT_MIN)
        .map(|(weight, name)| format!("{name} {weight}"))
        .collect();
    lines.sort();
    format!(
        "# CD-03: what words, classes and signs of a passage weigh, in hundredths. Learnt by `examples/wording.rs`: do not edit.\nbias {}\n{}\n",
        (model.bias * 100.0).round(),
        lines.join("\n")
    )
}

/// A linear congruential generator: the same order each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % end.max(1)
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}
