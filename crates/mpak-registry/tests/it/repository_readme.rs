//! A bundle without README shows its repository's, as of the release.

use crate::ci::Ci;
use crate::world::{bundle_with, manifest};

const REPOSITORY: &str = "acme/widget";
const NAME: &str = "@acme/widget";

async fn page(ci: &Ci) -> String {
    let request = ci.registry.client.get(format!("{}/packages/{NAME}", ci.registry.url));
    request.header("accept", "text/html").send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_bundle_without_readme_shows_the_one_of_its_repository_and_tag() {
    let ci = Ci::start().await;
    ci.forge.file(REPOSITORY, "v1.0.0", "README.md", "# At the tag\n\n<script>alert(1)</script>");
    ci.forge.file(REPOSITORY, "main", "README.md", "# At the branch");
    ci.publish(REPOSITORY, NAME, "1.0.0").await;
    let html = page(&ci).await;
    assert!(html.contains("At the tag") && !html.contains("At the branch") && !html.contains("<script"), "{html}");
}

#[tokio::test]
async fn a_readme_in_the_bundle_wins_and_nobody_is_asked() {
    let ci = Ci::start().await;
    ci.forge.file(REPOSITORY, "v1.0.0", "README.md", "# Of the repository");
    let bytes = bundle_with(NAME, "1.0.0", "README.md", b"# Of the bundle");
    let released = ci.release_of(REPOSITORY, NAME, "1.0.0", ("any", "any"), &manifest(NAME, "1.0.0"), &bytes);
    ci.accepted(&released).await;
    assert!(page(&ci).await.contains("Of the bundle"));
    assert!(!ci.forge.requests().iter().any(|path| path.contains("README")), "{:?}", ci.forge.requests());
}

#[tokio::test]
async fn a_repository_without_readme_is_published_and_asked_again_later() {
    let ci = Ci::start().await;
    let released = ci.release(REPOSITORY, NAME, "1.0.0", ("any", "any"));
    assert_eq!(ci.accepted(&released).await["status"], "created");
    assert!(page(&ci).await.contains("There is no README.md"));
    ci.forge.file(REPOSITORY, "v1.0.0", "README.md", "# Late");
    assert_eq!(ci.accepted(&released).await["status"], "updated");
    assert!(page(&ci).await.contains("Late"));
}
