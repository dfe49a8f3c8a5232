//! The list of controls, in the order of checking.

use crate::control::Control;

mod ai01_manifest_validation;
mod ai03_bundle_signing;
mod ai04_reproducible_builds;
mod ai05_bundle_completeness;
mod cd01_tool_declaration;
mod cd02_permission_correlation;
pub(crate) mod cd03_description_safety;
mod cd04_credential_scopes;
mod cd05_token_lifetime;
mod cq01_secrets;
mod cq02_malware;
mod cq03_static_analysis;
mod cq04_input_validation;
mod cq05_safe_execution;
mod cq06_behavior;
mod pr01_source_repository;
mod pr02_author_identity;
mod pr03_build_attestation;
mod pr04_commit_linkage;
mod pr05_repository_health;
mod sc01_sbom;
mod sc02_vulnerability_scanning;
mod sc03_dependency_pinning;
mod sc04_lockfile_integrity;
mod sc05_trusted_sources;

pub(crate) use sc05_trusted_sources::SOURCES_TOML;

/// All controls that judge a bundle. Source: MTF 0.1 Appendix A.1.
pub static CONTROLS: &[Control] = &[
    Control {
        id: "AI-01",
        name: "Manifest Validation",
        level: 1,
        domain: "artifact_integrity",
        page: include_str!("../../../docs/controls/ai-01.md"),
        judge: Some(ai01_manifest_validation::judge),
    },
    Control {
        id: "AI-03",
        name: "Bundle Signing",
        level: 3,
        domain: "artifact_integrity",
        page: include_str!("../../../docs/controls/ai-03.md"),
        judge: Some(ai03_bundle_signing::judge),
    },
    Control {
        id: "AI-04",
        name: "Reproducible Builds",
        level: 4,
        domain: "artifact_integrity",
        page: include_str!("../../../docs/controls/ai-04.md"),
        judge: Some(ai04_reproducible_builds::judge),
    },
    Control {
        id: "AI-05",
        name: "Bundle Completeness",
        level: 2,
        domain: "artifact_integrity",
        page: include_str!("../../../docs/controls/ai-05.md"),
        judge: Some(ai05_bundle_completeness::judge),
    },
    Control {
        id: "SC-01",
        name: "SBOM Generation",
        level: 1,
        domain: "supply_chain",
        page: include_str!("../../../docs/controls/sc-01.md"),
        judge: Some(sc01_sbom::judge),
    },
    Control {
        id: "SC-02",
        name: "Vulnerability Scanning",
        level: 2,
        domain: "supply_chain",
        page: include_str!("../../../docs/controls/sc-02.md"),
        judge: Some(sc02_vulnerability_scanning::judge),
    },
    Control {
        id: "SC-03",
        name: "Dependency Pinning",
        level: 2,
        domain: "supply_chain",
        page: include_str!("../../../docs/controls/sc-03.md"),
        judge: Some(sc03_dependency_pinning::judge),
    },
    Control {
        id: "SC-04",
        name: "Lockfile Integrity",
        level: 2,
        domain: "supply_chain",
        page: include_str!("../../../docs/controls/sc-04.md"),
        judge: Some(sc04_lockfile_integrity::judge),
    },
    Control {
        id: "SC-05",
        name: "Trusted Sources",
        level: 3,
        domain: "supply_chain",
        page: include_str!("../../../docs/controls/sc-05.md"),
        judge: Some(sc05_trusted_sources::judge),
    },
    Control {
        id: "CQ-01",
        name: "Secret Detection",
        level: 1,
        domain: "code_quality",
        page: include_str!("../../../docs/controls/cq-01.md"),
        judge: Some(cq01_secrets::judge),
    },
    Control {
        id: "CQ-02",
        name: "Malware Patterns",
        level: 1,
        domain: "code_quality",
        page: include_str!("../../../docs/controls/cq-02.md"),
        judge: Some(cq02_malware::judge),
    },
    Control {
        id: "CQ-03",
        name: "Static Analysis",
        level: 2,
        domain: "code_quality",
        page: include_str!("../../../docs/controls/cq-03.md"),
        judge: Some(cq03_static_analysis::judge),
    },
    Control {
        id: "CQ-04",
        name: "Input Validation",
        level: 3,
        domain: "code_quality",
        page: include_str!("../../../docs/controls/cq-04.md"),
        judge: Some(cq04_input_validation::judge),
    },
    Control {
        id: "CQ-05",
        name: "Safe Execution Patterns",
        level: 3,
        domain: "code_quality",
        page: include_str!("../../../docs/controls/cq-05.md"),
        judge: Some(cq05_safe_execution::judge),
    },
    Control {
        id: "CQ-06",
        name: "Behavioral Analysis",
        level: 4,
        domain: "code_quality",
        page: include_str!("../../../docs/controls/cq-06.md"),
        judge: Some(cq06_behavior::judge),
    },
    Control {
        id: "CD-01",
        name: "Tool Declaration",
        level: 1,
        domain: "capability_declaration",
        page: include_str!("../../../docs/controls/cd-01.md"),
        judge: Some(cd01_tool_declaration::judge),
    },
    Control {
        id: "CD-02",
        name: "Permission Correlation",
        level: 2,
        domain: "capability_declaration",
        page: include_str!("../../../docs/controls/cd-02.md"),
        judge: Some(cd02_permission_correlation::judge),
    },
    Control {
        id: "CD-03",
        name: "Description Safety",
        level: 2,
        domain: "capability_declaration",
        page: include_str!("../../../docs/controls/cd-03.md"),
        judge: Some(cd03_description_safety::judge),
    },
    Control {
        id: "CD-04",
        name: "Credential Scope Declaration",
        level: 3,
        domain: "capability_declaration",
        page: include_str!("../../../docs/controls/cd-04.md"),
        judge: Some(cd04_credential_scopes::judge),
    },
    Control {
        id: "CD-05",
        name: "Token Lifetime Limits",
        level: 3,
        domain: "capability_declaration",
        page: include_str!("../../../docs/controls/cd-05.md"),
        judge: Some(cd05_token_lifetime::judge),
    },
    Control {
        id: "PR-01",
        name: "Source Repository",
        level: 2,
        domain: "provenance",
        page: include_str!("../../../docs/controls/pr-01.md"),
        judge: Some(pr01_source_repository::judge),
    },
    Control {
        id: "PR-02",
        name: "Author Identity",
        level: 2,
        domain: "provenance",
        page: include_str!("../../../docs/controls/pr-02.md"),
        judge: Some(pr02_author_identity::judge),
    },
    Control {
        id: "PR-03",
        name: "Build Attestation",
        level: 3,
        domain: "provenance",
        page: include_str!("../../../docs/controls/pr-03.md"),
        judge: Some(pr03_build_attestation::judge),
    },
    Control {
        id: "PR-04",
        name: "Commit Linkage",
        level: 4,
        domain: "provenance",
        page: include_str!("../../../docs/controls/pr-04.md"),
        judge: Some(pr04_commit_linkage::judge),
    },
    Control {
        id: "PR-05",
        name: "Repository Health",
        level: 3,
        domain: "provenance",
        page: include_str!("../../../docs/controls/pr-05.md"),
        judge: Some(pr05_repository_health::judge),
    },
];

/// The control of an id, in any case.
pub fn find(id: &str) -> Option<&'static Control> {
    CONTROLS.iter().find(|control| control.id.eq_ignore_ascii_case(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_names_its_control_and_tells_the_truth_about_its_code() {
        for control in CONTROLS {
            let title = format!("# {} {}\n", control.id, control.name);
            assert!(control.page.starts_with(&title), "{}: expected `{}`", control.id, title.trim());
            assert!(control.page.contains(&format!("Required from level {}.", control.level)), "{}", control.id);
            let parts: Vec<(&str, &str)> =
                control.page.split("\n## ").skip(1).filter_map(|part| part.split_once('\n')).collect();
            let heads: Vec<&str> = parts.iter().map(|(head, _)| *head).collect();
            assert_eq!(heads, ["What it checks", "Why", "What it cannot see", "How to fix"], "{}", control.id);
            for (head, text) in &parts {
                assert!(text.trim().len() >= 20, "{}: `{head}` says nothing", control.id);
            }
            let (_, fix) = parts[3];
            let (before, after) = (fix.find("Before"), fix.find("After"));
            assert!(before.is_some() && before < after, "{}: no fix with before and after", control.id);
            let planned = control.page.contains("Not implemented yet.");
            assert_eq!(planned, control.judge.is_none(), "{}: the page and the code disagree", control.id);
        }
    }

    #[test]
    fn ids_are_unique_and_found_in_any_case() {
        for control in CONTROLS {
            let found = find(&control.id.to_lowercase()).unwrap();
            assert!(std::ptr::eq(found, control), "{} stands twice", control.id);
        }
        assert!(find("AI-02").is_none());
    }
}
