//! Intervals of affected versions, from the events of a range.
//!
//! Spec: OSV format, "Evaluation": events in order of their versions; `introduced` and `last_affected`
//! belong to the interval, `fixed` and `limit` do not; `introduced: "0"` lies below every version.

use std::cmp::Ordering;

use super::version::{Key, Scheme};

/// One event of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Introduced(String),
    Fixed(String),
    LastAffected(String),
    Limit(String),
}

/// Where an interval ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Upper {
    /// Nowhere: all later versions are affected.
    None,
    /// Before this version, which is good.
    Fixed(String),
    /// With this version.
    LastAffected(String),
    /// Before this version, about which nothing is said.
    Limit(String),
}

/// Affected versions in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    /// The first one; `None` lies below every version.
    pub(super) lower: Option<String>,
    pub(super) upper: Upper,
}

impl Interval {
    /// Whether a version lies inside. Bounds that are no versions hold nothing.
    pub(super) fn contains(&self, scheme: Scheme, version: &Key) -> bool {
        let above = match &self.lower {
            None => true,
            Some(lower) => scheme.key(lower).is_some_and(|lower| *version >= lower),
        };
        let below = || match &self.upper {
            Upper::None => true,
            Upper::Fixed(end) | Upper::Limit(end) => scheme.key(end).is_some_and(|end| *version < end),
            Upper::LastAffected(end) => scheme.key(end).is_some_and(|end| *version <= end),
        };
        above && below()
    }

    /// Whether it holds every version.
    pub(super) fn is_everything(&self) -> bool {
        self.lower.is_none() && self.upper == Upper::None
    }

    fn lower_key(&self, scheme: Scheme) -> Option<Key> {
        self.lower.as_ref().and_then(|lower| scheme.key(lower))
    }

    /// The end as a place between versions: after a version or before it.
    fn upper_key(&self, scheme: Scheme) -> End {
        match &self.upper {
            Upper::None => End(None),
            Upper::Fixed(end) | Upper::Limit(end) => End(scheme.key(end).map(|key| (key, false))),
            Upper::LastAffected(end) => End(scheme.key(end).map(|key| (key, true))),
        }
    }
}

/// Orders ends of intervals; no end at all is the last.
#[derive(PartialEq, Eq)]
struct End(Option<(Key, bool)>);

impl Ord for End {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => a.cmp(b),
        }
    }
}

impl PartialOrd for End {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The intervals of one range; `None` where a bound is no version of the scheme.
pub(super) fn intervals(scheme: Scheme, events: &[Event]) -> Option<Vec<Interval>> {
    // 1. In order; at one version `fixed` comes first and `last_affected` last, so that a version which is
    //    introduced again is affected, and one that is introduced and last affected at once is, alone.
    let mut marks: Vec<(Option<Key>, u8, &Event)> = Vec::with_capacity(events.len());
    let mut limit: Option<Option<(Key, &String)>> = None;
    for event in events {
        match event {
            Event::Introduced(version) if version == "0" => marks.push((None, 1, event)),
            Event::Introduced(version) => marks.push((Some(scheme.key(version)?), 1, event)),
            Event::Fixed(version) => marks.push((Some(scheme.key(version)?), 0, event)),
            Event::LastAffected(version) => marks.push((Some(scheme.key(version)?), 2, event)),
            Event::Limit(version) if version == "*" => limit = Some(None),
            Event::Limit(version) => {
                let key = scheme.key(version)?;
                limit = match limit {
                    Some(None) => Some(None),
                    Some(Some((known, text))) if known >= key => Some(Some((known, text))),
                    _ => Some(Some((key, version))),
                };
            }
        }
    }
    marks.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    // 2. Walked once.
    let mut out = Vec::new();
    let mut open: Option<Option<String>> = None;
    for (_, _, event) in marks {
        match event {
            Event::Introduced(version) => {
                if open.is_none() {
                    open = Some((version != "0").then(|| version.clone()));
                }
            }
            Event::Fixed(version) => {
                out.extend(open.take().map(|lower| Interval { lower, upper: Upper::Fixed(version.clone()) }));
            }
            Event::LastAffected(version) => {
                out.extend(open.take().map(|lower| Interval { lower, upper: Upper::LastAffected(version.clone()) }));
            }
            Event::Limit(_) => {}
        }
    }
    out.extend(open.map(|lower| Interval { lower, upper: Upper::None }));
    // 3. Nothing reaches over the limit.
    if let Some(Some((end, version))) = limit {
        for interval in &mut out {
            if interval.upper_key(scheme) > End(Some((end.clone(), false))) {
                interval.upper = Upper::Limit(version.clone());
            }
        }
    }
    Some(out)
}

/// Puts intervals in order and leaves out those that lie inside another.
pub(super) fn union(scheme: Scheme, intervals: &mut Vec<Interval>) {
    let mut keyed: Vec<(Option<Key>, End, Interval)> =
        intervals.drain(..).map(|i| (i.lower_key(scheme), i.upper_key(scheme), i)).collect();
    // the widest of those that begin together comes first, and of equal ones always the same
    keyed.sort_by(|a, b| (&a.0, &b.1).cmp(&(&b.0, &a.1)).then_with(|| format!("{:?}", a.2).cmp(&format!("{:?}", b.2))));
    let mut reach: Option<End> = None;
    for (_, end, interval) in keyed {
        if reach.as_ref().is_none_or(|reach| end > *reach) {
            reach = Some(end);
            intervals.push(interval);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        let (kind, version) = text.split_at(1);
        let version = version.to_owned();
        match kind {
            "i" => Event::Introduced(version),
            "f" => Event::Fixed(version),
            "l" => Event::LastAffected(version),
            _ => Event::Limit(version),
        }
    }

    fn of(events: &[&str]) -> Vec<Interval> {
        let events: Vec<Event> = events.iter().map(|text| event(text)).collect();
        intervals(Scheme::Semver, &events).unwrap()
    }

    #[test]
    fn versions_are_inside_or_outside() {
        for (events, inside, outside) in [
            (&["i0", "f2.0.0"][..], &["0.0.0-0", "1.0.0", "2.0.0-rc.1"][..], &["2.0.0", "3.0.0"][..]),
            (&["f2.0.0", "i0"], &["1.0.0"], &["2.0.0"]),
            (&["i1.0.0", "l1.5.0"], &["1.0.0", "1.5.0"], &["0.9.9", "1.5.1", "1.0.0-rc.1"]),
            (&["i1.0.0"], &["1.0.0", "99.0.0"], &["0.1.0"]),
            (&["i4.0.0", "f4.3.0", "i5.0.0", "f5.2.0"], &["4.0.0", "4.2.9", "5.1.9"], &["4.3.0", "4.9.0", "5.2.0"]),
            (&["i5.0.0", "i4.0.0", "f5.2.0", "f4.3.0"], &["4.0.0", "5.1.9"], &["4.3.0", "5.2.0"]),
            (&["i1.0.0", "i1.5.0", "f2.0.0"], &["1.0.0", "1.9.0"], &["2.0.0"]),
            (&["i2.0.0", "f2.0.0"], &["2.0.0", "3.0.0"], &["1.0.0"]),
            (&["i2.0.0", "l2.0.0"], &["2.0.0"], &["1.9.9", "2.0.1"]),
            (&["f1.0.0"], &[], &["0.5.0", "1.0.0", "2.0.0"]),
            (&["i0", "x2.0.0"], &["1.0.0"], &["2.0.0"]),
            (&["i0", "x2.0.0", "x3.0.0", "f2.5.0"], &["2.1.0"], &["2.5.0", "3.0.0"]),
            (&["i0", "x2.0.0", "x*"], &["9.0.0"], &[]),
            (&[], &[], &["1.0.0"]),
        ] {
            let found = of(events);
            let holds = |version: &str| {
                let key = Scheme::Semver.key(version).unwrap();
                found.iter().any(|i| i.contains(Scheme::Semver, &key))
            };
            for version in inside {
                assert!(holds(version), "{events:?} holds {version}");
            }
            for version in outside {
                assert!(!holds(version), "{events:?} does not hold {version}");
            }
        }
    }

    #[test]
    fn a_bound_that_is_no_version_gives_no_interval() {
        assert_eq!(intervals(Scheme::Pep440, &[event("i0"), event("fnever")]), None);
    }

    #[test]
    fn intervals_inside_others_are_left_out() {
        let mut all = of(&["i0", "f2.0.0"]);
        all.extend(of(&["i1.0.0", "f2.0.0"]));
        all.extend(of(&["i0", "f1.9.0"]));
        all.extend(of(&["i1.5.0", "l2.5.0"]));
        all.extend(of(&["i0", "f2.0"]));
        union(Scheme::Semver, &mut all);
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!(all[0].upper, Upper::Fixed("2.0".into()));
        assert_eq!(all[1].upper, Upper::LastAffected("2.5.0".into()));
    }
}
