//! Failures that come back every moment, told once in a while: a database that is away must not fill the
//! disk with one line per try.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

/// How long the same failure stays silent after it was told.
const SILENCE: Duration = Duration::from_secs(30);
/// Most failures that are remembered.
const KNOWN_MAX: usize = 256;

/// Lets a warning or error through when it is new, or was not told for a while.
#[derive(Default)]
pub(super) struct Repeats {
    told: Mutex<HashMap<String, Instant>>,
}

impl Repeats {
    /// Whether to tell this now.
    fn is_news(&self, text: String, now: Instant) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(&text).is_some_and(|at| now.duration_since(*at) < SILENCE) {
            return false;
        }
        if told.len() >= KNOWN_MAX {
            told.retain(|_, at| now.duration_since(*at) < SILENCE);
        }
        // Where so many different ones come at once, none is held back.
        if told.len() < KNOWN_MAX {
            told.insert(text, now);
        }
        true
    }
}

impl<S: Subscriber> Filter<S> for Repeats {
    fn enabled(&self, _metadata: &Metadata<'_>, _context: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _context: &Context<'_, S>) -> bool {
        if *event.metadata().level() > Level::WARN {
            return true;
        }
        let mut told = Told(event.metadata().target().to_owned());
        event.record(&mut told);
        self.is_news(told.0, Instant::now())
    }
}

/// What an event says, but for what changes with each try.
struct Told(String);

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {}=", field.name());
        let start = self.0.len();
        let _ = write!(self.0, "{value:?}");
        // Durations in the causes of libraries: `in 581.887µs`.
        let timeless = without_durations(&self.0[start..]);
        self.0.replace_range(start.., &timeless);
    }
}

/// A text without words like `581.887µs` and `2.1ms`.
fn without_durations(text: &str) -> String {
    let is_duration = |word: &str| {
        let number = word.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = &word[number.len()..];
        !number.is_empty()
            && number.chars().all(|c| c.is_ascii_digit() || c == '.')
            && ["ns", "µs", "ms", "s"].iter().any(|known| unit.trim_end_matches([',', '.', ':', ')']) == *known)
    };
    text.split(' ').filter(|word| !is_duration(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_failure_is_told_again_only_after_a_while() {
        let (repeats, now) = (Repeats::default(), Instant::now());
        let told = |text: &str, after_s: u64| repeats.is_news(text.to_owned(), now + Duration::from_secs(after_s));
        assert_eq!([told("a", 0), told("a", 1), told("b", 1), told("a", 29)], [true, false, true, false]);
        assert_eq!([told("a", 30), told("a", 31)], [true, false]);
    }

    #[test]
    fn many_different_failures_are_all_told() {
        let (repeats, now) = (Repeats::default(), Instant::now());
        for i in 0..KNOWN_MAX * 2 {
            assert!(repeats.is_news(i.to_string(), now), "{i}");
        }
        assert!(repeats.told.lock().unwrap().len() <= KNOWN_MAX);
    }

    #[test]
    fn how_long_a_try_took_makes_no_news() {
        for (text, expect) in [
            ("PUT http://x in 581.887µs - status 403", "PUT http://x in - status 403"),
            ("failed after 2.147279ms: refused", "failed after refused"),
            ("port 5432 refused in 3 tries", "port 5432 refused in 3 tries"),
        ] {
            assert_eq!(without_durations(text), expect);
        }
    }
}
