//! Tools and servers that have to do with attacks on models: what they quote is no order.

use super::{ModelText, Subject, TextKind, valuables};

/// Words of a name whose tool looks for attacks: its examples are attacks.
const GUARDS: [&str; 16] = [
    "injection",
    "jailbreak",
    "moderate",
    "moderation",
    "phishing",
    "malware",
    "guard",
    "guardrail",
    "toxicity",
    "attack",
    "attacks",
    "payloads",
    "redteam",
    "adversarial",
    "abuse",
    "poisoning",
];
/// Words of attacks on models, wherever they stand in a word.
const ATTACKS: [&str; 56] = [
    "injection",
    "jailbreak",
    "phishing",
    "adversarial",
    "poisoning",
    "malicious",
    "red team",
    "red-team",
    "red_team",
    "redteam",
    "attack",
    "inyecc",
    "injeç",
    "iniezion",
    "injektion",
    "einschleus",
    "injecti",
    "wstrzyk",
    "инъекц",
    "атак",
    "注入",
    "攻击",
    "攻擊",
    "攻撃",
    "インジェクション",
    "주입",
    "인젝션",
    "공격",
    "حقن",
    "इंजेक्शन",
    "hidden instruction",
    "exfiltra",
    "instrucciones ocultas",
    "instruções ocultas",
    "instructions cachées",
    "versteckte anweisung",
    "versteckten anweisung",
    "istruzioni nascoste",
    "ukryt",
    "скрыт",
    "隐藏指令",
    "隐藏的指令",
    "隠された指示",
    "숨겨진 지시",
    "fuga de datos",
    "vazamento",
    "fuite de données",
    "datenabfluss",
    "утечк",
    "泄露检测",
    "фишинг",
    "钓鱼",
    "釣魚",
    "フィッシング",
    "피싱",
    "hameçonnage",
];

/// Whether a server has to do with attacks on models: what its code holds may be samples.
pub(super) fn speaks_of_attacks(subject: &Subject) -> bool {
    let told = |text: &&ModelText| matches!(text.kind, TextKind::Name | TextKind::Title | TextKind::Description);
    subject.texts.iter().filter(told).any(|text| {
        let text = text.text.to_lowercase();
        ATTACKS.iter().any(|attack| text.contains(attack))
    })
}

/// Whether a tool looks for attacks or makes them for tests: by its name, or by what its first sentence says it judges.
pub(super) fn guards(subject: &Subject) -> bool {
    const JUDGES: [&str; 16] = [
        "detect",
        "classif",
        "score",
        "flag",
        "moderat",
        "screen",
        "scan",
        "audit",
        "lint",
        "rate",
        "likely",
        "likelihood",
        "probability",
        "recogni",
        "list",
        "triage",
    ];
    // To find, to point out, to score, in other languages.
    const FINDS: [&str; 41] = [
        "busca",
        "procura",
        "cherche",
        "sucht",
        "zoekt",
        "szuka",
        "ищет",
        "detect",
        "détect",
        "detekt",
        "erkenn",
        "prüf",
        "finde",
        "analys",
        "analiz",
        "analis",
        "apont",
        "señal",
        "rileva",
        "individu",
        "segnal",
        "repér",
        "signal",
        "herken",
        "wykry",
        "обнаруж",
        "находит",
        "провер",
        "выявл",
        "检测",
        "檢測",
        "识别",
        "发现",
        "検出",
        "判定",
        "検知",
        "탐지",
        "감지",
        "كشف",
        "يفحص",
        "पहचान",
    ];
    // To show and to explain what one looks like.
    const SHOWS: [&str; 36] = [
        "explain",
        "teach",
        "train",
        "sample",
        "example",
        "quiz",
        "simulat",
        "expli",
        "ejemplo",
        "exemplo",
        "exemple",
        "enseña",
        "ensina",
        "formation",
        "erklär",
        "beispiel",
        "schulung",
        "übung",
        "esempio",
        "spiega",
        "formazione",
        "voorbeeld",
        "uitleg",
        "przykład",
        "omawia",
        "szkole",
        "пример",
        "разбира",
        "обуч",
        "示例",
        "讲解",
        "培训",
        "訓練",
        "例",
        "예시",
        "교육",
    ];
    let named = valuables::words(&subject.name).iter().any(|word| GUARDS.contains(&word.as_str()));
    let description = subject.texts.iter().find(|text| text.kind == TextKind::Description);
    named
        || description.is_some_and(|text| {
            // A point within `~/.ssh` ends no sentence.
            let line = text.text.split(['\n', '。']).next().unwrap_or_default();
            let first = line.split(". ").next().unwrap_or_default().to_lowercase();
            let attacks = ["injection", "jailbreak", "phishing", "adversarial", "poisoning", "malicious"];
            let words = || first.split(|c: char| !c.is_alphanumeric());
            let english = words().any(|word| attacks.contains(&word))
                && words().any(|word| JUDGES.iter().any(|judge| word.starts_with(judge)));
            // What it is called in other languages, which have no end of words or many.
            let named = ATTACKS[11..].iter().any(|attack| first.contains(attack));
            let shown = first.contains("phishing") || first.contains("scam") || named;
            english
                || named && FINDS.iter().any(|finds| first.contains(finds))
                || shown && SHOWS.iter().any(|shows| first.contains(shows))
        })
}
