//! A segment: some packages with their words, written once. An index is a few of them, each several times
//! as large as the next; what changed is a new small one, and two of like size become one.
//!
//! A posting says that a package holds a word: the distance to the one before (7 bits a byte, the highest
//! bit meaning that more follow), then a byte of what it weighs (5 bits) and where the word stands as
//! written: name, display name, description (3 bits).

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::document::Document;
use super::kept::{Kept, Tray};
use super::lexicon::Lexicon;

/// The bits of a posting that weigh.
pub(super) const IMPACT: u8 = 0x1f;
/// Where words stand as written.
pub(super) const IN_NAME: u8 = 0x20;
pub(super) const IN_DISPLAY_NAME: u8 = 0x40;
pub(super) const IN_DESCRIPTION: u8 = 0x80;
pub(super) const IN_TEXT: u8 = IN_NAME | IN_DISPLAY_NAME | IN_DESCRIPTION;

/// Some packages, ordered by name; a package's number is its place.
#[derive(Debug, Default)]
pub(super) struct Segment {
    pub(super) lexicon: Lexicon,
    pub(super) postings: Postings,
    pub(super) shelf: Shelf,
}

/// Which packages hold each word.
#[derive(Debug, Default)]
pub(super) struct Postings {
    pub(super) bytes: Vec<u8>,
    /// Where those of each word begin; one more for the end.
    pub(super) at: Vec<u64>,
    /// How many packages hold each word.
    pub(super) counts: Vec<u32>,
    jumps: Jumps,
}

/// Places in the postings of words that many packages hold, so that one package is found without reading all.
#[derive(Debug, Default)]
struct Jumps {
    /// The words that have some, in order, each with where its own begin; one more for the end.
    words: Vec<(u32, u32)>,
    all: Vec<Jump>,
}

/// Where reading may begin.
#[derive(Clone, Copy, Debug)]
struct Jump {
    /// The package of the posting before.
    after: u32,
    /// Bytes from the word's first posting.
    at: u32,
}

/// Postings from one jump to the next.
const STRIDE: u32 = 64;

/// What is known of each package beside its words.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) package_ids: Vec<i64>,
    pub(super) created_at_ms: Vec<i64>,
    pub(super) published_at_ms: Vec<i64>,
    pub(super) kinds: Vec<u8>,
    /// Name, display name and description in lower case, each followed by NUL, of one package after the other.
    pub(super) texts: Vec<u8>,
    /// Where those of each package begin; one more for the end.
    pub(super) texts_at: Vec<u64>,
    /// What its answers are made from.
    pub(super) kept: Vec<Kept>,
    /// The first bytes of each name behind its scope, as a number; see [`begin`].
    pub(super) begins: Vec<u64>,
    /// Packages that say `@` elsewhere than where their name begins.
    pub(super) say_at: Vec<u32>,
}

impl Segment {
    /// From packages in any order, each once. Their texts go to the tray.
    pub(super) fn new(mut documents: Vec<Document>, tray: &Tray) -> io::Result<Self> {
        documents.sort_by(|a, b| a.name().cmp(b.name()));
        let mut held: BTreeMap<&[u8], Vec<(u32, u8)>> = BTreeMap::new();
        for (number, document) in (0..).zip(&documents) {
            for (word, weight) in &document.words {
                held.entry(word.as_bytes()).or_default().push((number, *weight));
            }
        }
        let mut postings = Postings::default();
        for list in held.values() {
            postings.push(list.iter().copied());
        }
        postings.end();
        let lexicon = Lexicon::new(held.keys().copied());
        let mut shelf = Shelf::default();
        for document in documents {
            shelf.push(&document, tray.put(&document.texts)?);
        }
        shelf.end();
        Ok(Self { lexicon, postings, shelf })
    }

    /// The packages of several segments that are still alive, as one segment.
    pub(super) fn merge(parts: &[(&Self, &Alive)]) -> Self {
        // 1. Packages in order of their names, and the new number of each.
        let mut all: Vec<(usize, u32)> = (0..parts.len())
            .flat_map(|part| (0..parts[part].0.shelf.len()).map(move |number| (part, number)))
            .filter(|(part, number)| parts[*part].1.is_alive(*number))
            .collect();
        let name = |(part, number): &(usize, u32)| parts[*part].0.shelf.name(*number);
        all.sort_by(|a, b| name(a).cmp(name(b)));
        let mut numbers: Vec<Vec<u32>> = parts.iter().map(|(s, _)| vec![u32::MAX; s.shelf.len() as usize]).collect();
        let mut shelf = Shelf::default();
        for (new, (part, number)) in (0..).zip(&all) {
            numbers[*part][*number as usize] = new;
            shelf.copy(&parts[*part].0.shelf, *number);
        }
        shelf.end();
        // 2. Words in order, each with its postings of all parts.
        let mut at = vec![0_u32; parts.len()];
        let (mut words, mut postings, mut list) = (Vec::new(), Postings::default(), Vec::new());
        while let Some(word) = next_word(parts, &at) {
            list.clear();
            for (part, (segment, _)) in parts.iter().enumerate() {
                if at[part] == segment.lexicon.len() || segment.lexicon.word(at[part]) != word {
                    continue;
                }
                segment.postings.each(at[part], |number, weight| match numbers[part][number as usize] {
                    u32::MAX => {}
                    new => list.push((new, weight)),
                });
                at[part] += 1;
            }
            if !list.is_empty() {
                list.sort_unstable_by_key(|(number, _)| *number);
                postings.push(list.iter().copied());
                words.push(word);
            }
        }
        postings.end();
        Self { lexicon: Lexicon::new(words.into_iter()), postings, shelf }
    }
}

fn next_word<'a>(parts: &[(&'a Segment, &Alive)], at: &[u32]) -> Option<&'a [u8]> {
    let heads = parts.iter().zip(at).filter(|((s, _), at)| **at < s.lexicon.len());
    heads.map(|((s, _), at)| s.lexicon.word(*at)).min()
}

impl Postings {
    /// Adds the postings of the next word, in ascending order.
    fn push(&mut self, list: impl ExactSizeIterator<Item = (u32, u8)>) {
        self.at.push(self.bytes.len() as u64);
        self.counts.push(u32::try_from(list.len()).unwrap_or(u32::MAX));
        let mut before = 0;
        for (number, weight) in list {
            let mut distance = number - before;
            before = number;
            while distance >= 0x80 {
                self.bytes.push(distance as u8 | 0x80);
                distance >>= 7;
            }
            self.bytes.push(distance as u8);
            self.bytes.push(weight);
        }
    }

    fn end(&mut self) {
        self.at.push(self.bytes.len() as u64);
        self.bytes.shrink_to_fit();
        self.jumps = Jumps::new(self);
    }

    /// From what was kept of them.
    pub(super) fn from_parts(bytes: Vec<u8>, at: Vec<u64>, counts: Vec<u32>) -> Self {
        let mut postings = Self { bytes, at, counts, jumps: Jumps::default() };
        postings.jumps = Jumps::new(&postings);
        postings
    }

    fn list(&self, word: u32) -> List<'_> {
        let (from, to) = (self.at[word as usize] as usize, self.at[word as usize + 1] as usize);
        List { bytes: &self.bytes[from..to], at: 0, number: 0 }
    }

    /// Every package that holds a word, in ascending order, with weight and place.
    #[inline]
    pub(super) fn each(&self, word: u32, mut each: impl FnMut(u32, u8)) {
        let mut list = self.list(word);
        while let Some((number, weight)) = list.next() {
            each(number, weight);
        }
    }

    /// The same for those among some packages, which are in ascending order.
    pub(super) fn each_of(&self, word: u32, some: impl Iterator<Item = u32>, mut each: impl FnMut(u32, u8)) {
        let mut jumps = self.jumps.of(word);
        let mut list = self.list(word);
        let mut next = list.next();
        for wanted in some {
            // 1. As near as a jump leads.
            let passed = jumps.partition_point(|jump| jump.after < wanted);
            if let Some(jump) = passed.checked_sub(1).map(|last| jumps[last]) {
                jumps = &jumps[passed..];
                if jump.at as usize > list.at {
                    (list.at, list.number) = (jump.at as usize, jump.after);
                    next = list.next();
                }
            }
            // 2. On from there.
            while next.is_some_and(|(number, _)| number < wanted) {
                next = list.next();
            }
            match next {
                Some((number, weight)) if number == wanted => each(number, weight),
                Some(_) => {}
                None => return,
            }
        }
    }

    /// How many packages hold a word.
    pub(super) fn count(&self, word: u32) -> u32 {
        self.counts[word as usize]
    }
}

impl Jumps {
    fn new(postings: &Postings) -> Self {
        let mut jumps = Self::default();
        for (word, count) in (0..).zip(&postings.counts) {
            if *count < 4 * STRIDE {
                continue;
            }
            jumps.words.push((word, u32::try_from(jumps.all.len()).unwrap_or(u32::MAX)));
            let mut list = postings.list(word);
            let mut read = 0;
            while list.next().is_some() {
                read += 1;
                // A list that is longer than can be said is read without jumps.
                if read % STRIDE == 0
                    && let Ok(at) = u32::try_from(list.at)
                {
                    jumps.all.push(Jump { after: list.number, at });
                }
            }
        }
        jumps.words.push((u32::MAX, u32::try_from(jumps.all.len()).unwrap_or(u32::MAX)));
        jumps.all.shrink_to_fit();
        jumps
    }

    fn of(&self, word: u32) -> &[Jump] {
        match self.words.binary_search_by_key(&word, |(word, _)| *word) {
            Ok(place) if place + 1 < self.words.len() => {
                &self.all[self.words[place].1 as usize..self.words[place + 1].1 as usize]
            }
            _ => &[],
        }
    }
}

/// The postings of a word, being read.
struct List<'a> {
    bytes: &'a [u8],
    at: usize,
    number: u32,
}

impl List<'_> {
    #[inline]
    fn next(&mut self) -> Option<(u32, u8)> {
        let mut byte = *self.bytes.get(self.at)?;
        self.at += 1;
        let (mut distance, mut shift) = (u32::from(byte & 0x7f), 7);
        while byte & 0x80 != 0 {
            byte = self.bytes.get(self.at).copied().unwrap_or(0);
            self.at += 1;
            distance |= u32::from(byte & 0x7f) << shift;
            shift += 7;
        }
        self.number += distance;
        let weight = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        Some((self.number, weight))
    }
}

/// The first eight bytes of a text, so that they compare as numbers.
#[inline]
fn begin(text: &[u8]) -> u64 {
    let mut first = [0; 8];
    let count = text.len().min(8);
    first[..count].copy_from_slice(&text[..count]);
    u64::from_be_bytes(first)
}

impl Shelf {
    fn push(&mut self, document: &Document, kept: Kept) {
        self.package_ids.push(document.package_id);
        self.created_at_ms.push(document.created_at_ms);
        self.published_at_ms.push(document.published_at_ms);
        self.kinds.push(document.kind);
        self.texts_at.push(self.texts.len() as u64);
        self.texts.extend_from_slice(document.text.as_bytes());
        self.kept.push(kept);
    }

    fn copy(&mut self, from: &Self, number: u32) {
        let place = number as usize;
        self.package_ids.push(from.package_ids[place]);
        self.created_at_ms.push(from.created_at_ms[place]);
        self.published_at_ms.push(from.published_at_ms[place]);
        self.kinds.push(from.kinds[place]);
        self.texts_at.push(self.texts.len() as u64);
        self.texts.extend_from_slice(from.text(number));
        self.kept.push(from.kept[place].clone());
    }

    fn end(&mut self) {
        self.texts_at.push(self.texts.len() as u64);
        self.texts.shrink_to_fit();
        self.note_names();
    }

    /// To be called when all packages are there.
    pub(super) fn note_names(&mut self) {
        self.begins = (0..self.len()).map(|number| begin(self.base(number))).collect();
        let says = |number: &u32| memchr::memrchr(b'@', self.text(*number)).is_some_and(|at| at > 0);
        self.say_at = (0..self.len()).filter(says).collect();
    }

    /// The name behind the scope.
    pub(super) fn base(&self, number: u32) -> &[u8] {
        let name = self.name(number);
        memchr::memrchr(b'/', name).map_or(name, |at| &name[at + 1..])
    }

    /// Whether the name behind the scope begins so.
    #[inline]
    pub(super) fn base_begins(&self, number: u32, text: &[u8]) -> bool {
        let known = text.len().min(8);
        let differ = self.begins[number as usize] ^ begin(text);
        let is_same = known == 0 || differ >> (64 - 8 * known) == 0;
        is_same && (text.len() <= 8 || self.base(number).starts_with(text))
    }

    /// Whether this is the name behind the scope. No name holds NUL, which short ones are filled up with.
    #[inline]
    pub(super) fn base_is(&self, number: u32, text: &[u8]) -> bool {
        self.begins[number as usize] == begin(text) && (text.len() < 8 || self.base(number) == text)
    }

    /// Number of packages, dead ones included.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.package_ids.len()).unwrap_or(u32::MAX)
    }

    /// Name, display name and description in lower case, each followed by NUL.
    pub(super) fn text(&self, number: u32) -> &[u8] {
        let place = number as usize;
        &self.texts[self.texts_at[place] as usize..self.texts_at[place + 1] as usize]
    }

    /// `@scope/name`
    pub(super) fn name(&self, number: u32) -> &[u8] {
        let text = self.text(number);
        &text[..memchr::memchr(0, text).unwrap_or(text.len())]
    }

    /// The packages whose names begin so.
    pub(super) fn named(&self, begin: &[u8]) -> Range<u32> {
        let first = |after: &dyn Fn(&[u8]) -> bool| {
            let (mut low, mut high) = (0, self.len());
            while low < high {
                let middle = low + (high - low) / 2;
                if after(self.name(middle)) { high = middle } else { low = middle + 1 }
            }
            low
        };
        first(&|name| name >= begin)..first(&|name| name > begin && !name.starts_with(begin))
    }

    /// The number of a package.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.name(middle).cmp(name.as_bytes()) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(middle),
                Ordering::Greater => high = middle,
            }
        }
        None
    }
}

/// Which packages of a segment are still what it says: the others were changed or removed since.
#[derive(Clone, Debug)]
pub(super) struct Alive {
    bits: Arc<Vec<u64>>,
    count: u32,
}

impl Alive {
    /// All of them.
    pub(super) fn all(count: u32) -> Self {
        Self { bits: Arc::new(vec![u64::MAX; (count as usize).div_ceil(64)]), count }
    }

    /// As [`Alive::bits`] gave them, for so many packages.
    pub(super) fn from_bits(mut bits: Vec<u64>, count: u32) -> Self {
        bits.resize((count as usize).div_ceil(64), 0);
        let mut alive = Self { bits: Arc::new(bits), count: 0 };
        alive.count = (0..count).filter(|number| alive.is_alive(*number)).count() as u32;
        alive
    }

    /// One bit for each package.
    pub(super) fn bits(&self) -> &[u64] {
        &self.bits
    }

    /// How many.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Whether this one is.
    #[inline]
    pub(super) fn is_alive(&self, number: u32) -> bool {
        self.bits[number as usize / 64] >> (number % 64) & 1 != 0
    }

    /// This one no longer is.
    pub(super) fn end(&mut self, number: u32) {
        if self.is_alive(number) {
            Arc::make_mut(&mut self.bits)[number as usize / 64] &= !(1 << (number % 64));
            self.count -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::kept;
    use super::*;
    use crate::answers::{Part, Texts};

    fn document(id: i64, name: &str, words: &[&str]) -> Document {
        Document {
            package_id: id,
            created_at_ms: id,
            published_at_ms: id,
            kind: 1,
            text: format!("{name}\0\0\0"),
            words: words.iter().map(|w| ((*w).to_owned(), 7 | IN_NAME)).collect(),
            texts: Texts(std::array::from_fn(|part| format!("{part} {name}").into_bytes())),
        }
    }

    fn holding(segment: &Segment, word: &str) -> Vec<String> {
        let mut names = Vec::new();
        if let Some(word) = segment.lexicon.find(word) {
            segment.postings.each(word, |number, weight| {
                assert_eq!(weight, 7 | IN_NAME);
                names.push(String::from_utf8(segment.shelf.name(number).to_vec()).unwrap());
            });
        }
        names
    }

    #[test]
    fn merged_segments_hold_what_is_alive_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let tray = Tray::new(folder.path(), kept::Damage::default());
        let a = Segment::new(vec![document(1, "@b/b", &["x", "y"]), document(2, "@a/a", &["x"])], &tray).unwrap();
        let b = (3..400).map(|i| document(i, &format!("@c/{i:03}"), &["x", "z"])).collect();
        let b = Segment::new(b, &tray).unwrap();
        assert_eq!(holding(&a, "x"), ["@a/a", "@b/b"]);
        let (alive, mut dead) = (Alive::all(2), Alive::all(397));
        for number in 1..397 {
            dead.end(number);
        }
        dead.end(1);
        assert_eq!(dead.count(), 1);
        let merged = Segment::merge(&[(&b, &dead), (&a, &alive)]);
        assert_eq!(holding(&merged, "x"), ["@a/a", "@b/b", "@c/003"]);
        assert_eq!((holding(&merged, "y"), holding(&merged, "z")), (vec!["@b/b".into()], vec!["@c/003".into()]));
        assert_eq!(merged.shelf.find("@b/b"), Some(1));
        assert_eq!(merged.shelf.find("@b"), None);
        let offers = kept::read(merged.shelf.kept[2..].iter(), &[Part::Offers]).unwrap();
        assert_eq!(offers.get(0), b"4 @c/003");
        let nothing = Segment::merge(&[(&b, &{
            dead.end(0);
            dead
        })]);
        assert_eq!((nothing.shelf.len(), nothing.lexicon.len()), (0, 0));
    }

    #[test]
    fn distances_of_any_size_are_read_back() {
        let mut postings = Postings::default();
        let list = [(0, 1), (1, 255), (128, 3), (20_000, 0), (u32::MAX, 9)];
        postings.push(list.into_iter());
        postings.end();
        let mut read = Vec::new();
        postings.each(0, |number, weight| read.push((number, weight)));
        assert_eq!((read, postings.count(0)), (list.to_vec(), 5));
    }
}
