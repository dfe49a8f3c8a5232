//! Invented text by a seed: the same everywhere, with few words that are in most texts and many that are
//! in few, as in real catalogues (Zipf).

/// What servers are about, most common first.
const TOPICS: [&str; 64] = [
    "server",
    "tools",
    "files",
    "data",
    "search",
    "github",
    "database",
    "api",
    "docs",
    "time",
    "memory",
    "web",
    "git",
    "weather",
    "postgres",
    "browser",
    "calendar",
    "email",
    "notes",
    "slack",
    "image",
    "kubernetes",
    "docker",
    "sqlite",
    "redis",
    "aws",
    "cloud",
    "filesystem",
    "fetch",
    "crawler",
    "jira",
    "tickets",
    "finance",
    "stocks",
    "maps",
    "music",
    "video",
    "translate",
    "pdf",
    "markdown",
    "terminal",
    "shell",
    "ssh",
    "monitor",
    "logs",
    "metrics",
    "alerts",
    "deploy",
    "terraform",
    "secrets",
    "vault",
    "oauth",
    "graph",
    "vector",
    "embeddings",
    "rag",
    "notion",
    "figma",
    "linear",
    "discord",
    "telegram",
    "shopify",
    "stripe",
    "invoices",
];

/// What tools do.
const VERBS: [&str; 16] = [
    "get", "list", "search", "create", "update", "delete", "read", "write", "fetch", "run", "query", "find", "send",
    "move", "describe", "count",
];

/// Small words between them.
const FILLERS: [&str; 16] = [
    "the", "and", "for", "with", "from", "your", "that", "lets", "agents", "to", "of", "a", "in", "over", "any", "into",
];

const ONSETS: [&str; 16] = ["b", "br", "c", "d", "f", "g", "gl", "k", "l", "m", "n", "p", "r", "s", "t", "v"];
const VOWELS: [&str; 8] = ["a", "e", "i", "o", "u", "ai", "ou", "ea"];
const CODAS: [&str; 8] = ["", "n", "r", "s", "l", "x", "nd", "rk"];

/// Different invented words beside the topics.
const INVENTED_COUNT: u64 = 60_000;

/// Numbers from a seed (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    /// From a seed and the number of what is invented, so that each package is independent of the others.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        Self(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Any number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below another.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// A rank below a bound, low ones far more often (density about 1/rank).
    pub(crate) fn zipf(&mut self, bound: u64) -> u64 {
        let unit = f64::from((self.next() >> 32) as u32) / f64::from(u32::MAX);
        #[expect(clippy::cast_sign_loss, reason = "a power of a number of at least 0 is not negative")]
        let rank = f64::from(u32::try_from(bound).unwrap_or(u32::MAX)).powf(unit) as u64;
        rank.saturating_sub(1).min(bound.saturating_sub(1))
    }

    fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words[usize::try_from(self.below(words.len() as u64)).unwrap_or(0)]
    }

    /// A word that says something.
    pub(crate) fn word(&mut self) -> String {
        let topics = TOPICS.len() as u64;
        let rank = self.zipf(topics + INVENTED_COUNT);
        match usize::try_from(rank).ok().and_then(|rank| TOPICS.get(rank)) {
            Some(topic) => (*topic).to_owned(),
            None => invented(rank - topics),
        }
    }

    /// The name of a tool: `search_files`.
    pub(crate) fn tool(&mut self) -> String {
        format!("{}_{}", self.pick(&VERBS), self.word())
    }

    /// So many words with small ones between.
    pub(crate) fn sentence(&mut self, words: u64) -> String {
        let mut sentence = String::new();
        for number in 0..words {
            let word = if number % 3 == 1 { self.pick(&FILLERS).to_owned() } else { self.word() };
            if number > 0 {
                sentence.push(' ');
                sentence.push_str(&word);
            } else {
                sentence.push_str(&capital(&word));
            }
        }
        sentence.push('.');
        sentence
    }
}

/// The word with this number, two to three syllables.
fn invented(number: u64) -> String {
    let mut random = Random::new(7, number);
    let mut word = String::new();
    for _ in 0..2 + number % 2 {
        word.push_str(random.pick(&ONSETS));
        word.push_str(random.pick(&VOWELS));
        word.push_str(random.pick(&CODAS));
    }
    word
}

/// With a capital at its start.
pub(crate) fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_tells_the_same() {
        let tell = |seed| Random::new(seed, 3).sentence(12);
        assert_eq!(tell(1), tell(1));
        assert_ne!(tell(1), tell(2));
    }

    #[test]
    fn few_words_are_common_and_many_are_rare() {
        let mut random = Random::new(1, 1);
        let ranks: Vec<u64> = (0..10_000).map(|_| random.zipf(10_000)).collect();
        let first = ranks.iter().filter(|r| **r == 0).count();
        assert!((300..1_500).contains(&first), "{first}");
        assert!(ranks.iter().any(|r| *r > 5_000) && ranks.iter().all(|r| *r < 10_000));
    }
}
