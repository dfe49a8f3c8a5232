//! How bad a vulnerability is: the score of its CVSS vectors, or the word of its database.
//!
//! Scores come from vectors only, never from numbers that a feed states beside them.

/// From what a score was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// The word of the database (`HIGH`): the least score that the word stands for.
    Word,
    /// CVSS 2.0, base metrics.
    V2,
    /// CVSS 3.0, base metrics.
    V30,
    /// CVSS 3.1, base metrics.
    V31,
    /// CVSS 4.0, all metrics that the vector states.
    V40,
}

impl Basis {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Word => "severity",
            Self::V2 => "CVSS 2.0",
            Self::V30 => "CVSS 3.0",
            Self::V31 => "CVSS 3.1",
            Self::V40 => "CVSS 4.0",
        }
    }

    pub(super) const ALL: [Self; 5] = [Self::Word, Self::V2, Self::V30, Self::V31, Self::V40];
}

/// A score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// Tenths: 98 is 9.8.
    pub tenths: u8,
    /// From what it was computed.
    pub basis: Basis,
}

/// Longest vector that is read.
const VECTOR_BYTES_MAX: usize = 512;

/// The highest score of vectors of the newer kinds; CVSS 2 counts only where there is none.
pub(super) fn of_vectors(vectors: &[(&str, &str)]) -> Option<Score> {
    let scores = vectors.iter().filter_map(|(kind, vector)| of_vector(kind, vector));
    scores.max_by_key(|score| (score.basis != Basis::V2, score.tenths, score.basis))
}

/// The score of one vector, of the kind that OSV states.
pub(super) fn of_vector(kind: &str, vector: &str) -> Option<Score> {
    if vector.len() > VECTOR_BYTES_MAX || !vector.is_ascii() {
        return None;
    }
    let vector = vector.trim().trim_end_matches('/');
    let (basis, text) = match kind {
        "CVSS_V2" => (Basis::V2, base(vector.trim_start_matches('(').trim_end_matches(')'), "", &BASE_V2)?),
        "CVSS_V3" => match vector.split_once('/')? {
            ("CVSS:3.0", metrics) => (Basis::V30, base(metrics, "CVSS:3.0/", &BASE_V3)?),
            ("CVSS:3.1", metrics) => (Basis::V31, base(metrics, "CVSS:3.1/", &BASE_V3)?),
            _ => return None,
        },
        "CVSS_V4" if vector.starts_with("CVSS:4.0/") => (Basis::V40, vector.to_owned()),
        _ => return None,
    };
    let score = text.parse::<cvss::Cvss>().ok()?.score();
    let tenths = (score * 10.0).round();
    if !(0.0..=100.0).contains(&tenths) {
        return None;
    }
    #[expect(clippy::cast_sign_loss, reason = "it is between 0 and 100")]
    let tenths = tenths as u8;
    Some(Score { tenths, basis })
}

const BASE_V2: [&str; 6] = ["AV", "AC", "Au", "C", "I", "A"];
const BASE_V3: [&str; 8] = ["AV", "AC", "PR", "UI", "S", "C", "I", "A"];

/// Only the metrics of the base group: temporal ones change, and no one keeps them current. All of the group
/// must be there, once.
fn base(metrics: &str, prefix: &str, group: &[&str]) -> Option<String> {
    let of_group = |metric: &&str| metric.split_once(':').is_some_and(|(name, _)| group.contains(&name));
    let kept: Vec<&str> = metrics.split('/').filter(of_group).collect();
    (kept.len() == group.len()).then(|| format!("{prefix}{}", kept.join("/")))
}

/// The least score that a word stands for, by the scale of CVSS 3 and 4.
pub(super) fn of_word(word: &str) -> Option<Score> {
    let tenths = match word.to_ascii_uppercase().as_str() {
        "CRITICAL" => 90,
        "HIGH" | "IMPORTANT" => 70,
        "MODERATE" | "MEDIUM" => 40,
        "LOW" => 1,
        _ => return None,
    };
    Some(Score { tenths, basis: Basis::Word })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors with the scores that their specifications and the national database publish.
    #[test]
    fn vectors_have_their_published_scores() {
        for (kind, vector, basis, tenths) in [
            ("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Basis::V31, 98),
            ("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", Basis::V31, 100),
            ("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", Basis::V31, 61),
            ("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", Basis::V31, 75),
            ("CVSS_V3", "CVSS:3.0/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:L/A:N", Basis::V30, 16),
            ("CVSS_V3", "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", Basis::V30, 0),
            ("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/RC:U", Basis::V31, 98),
            ("CVSS_V2", "AV:N/AC:L/Au:N/C:N/I:N/A:C", Basis::V2, 78),
            ("CVSS_V2", "(AV:N/AC:L/Au:N/C:C/I:C/A:C)", Basis::V2, 100),
            ("CVSS_V2", "AV:L/AC:H/Au:N/C:C/I:C/A:C", Basis::V2, 62),
            ("CVSS_V4", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", Basis::V40, 100),
            ("CVSS_V4", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", Basis::V40, 93),
            ("CVSS_V4", "CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", Basis::V40, 73),
            ("CVSS_V4", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", Basis::V40, 0),
        ] {
            assert_eq!(of_vector(kind, vector), Some(Score { tenths, basis }), "{vector}");
        }
    }

    #[test]
    fn what_is_no_vector_has_no_score() {
        let long = "CVSS:3.1/".repeat(100);
        for (kind, vector) in [
            ("CVSS_V3", ""),
            ("CVSS_V3", "9.8"),
            ("CVSS_V3", "CVSS:3.1/AV:N"),
            ("CVSS_V3", "CVSS:3.2/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"),
            ("CVSS_V3", "CVSS:3.1/AV:Q/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"),
            ("CVSS_V4", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"),
            ("CVSS_V4", "CVSS:4.0/AV:N/AV:N"),
            ("CVSS_V4", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:S/VI:H/VA:H/SC:S/SI:S/SA:S"),
            ("CVSS_V2", "é"),
            ("CVSS_V3", &long),
            ("Other", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"),
        ] {
            assert_eq!(of_vector(kind, vector), None, "{kind} {vector}");
        }
    }

    #[test]
    fn the_highest_counts_and_the_oldest_kind_only_alone() {
        let v2 = ("CVSS_V2", "AV:N/AC:L/Au:N/C:C/I:C/A:C");
        let v3 = ("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H");
        let v4 = ("CVSS_V4", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N");
        let of = |vectors: &[(&str, &str)]| of_vectors(vectors).unwrap().tenths;
        assert_eq!((of(&[v2]), of(&[v2, v3]), of(&[v4, v3, v2])), (100, 75, 93));
    }
}
