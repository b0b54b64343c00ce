//! The page, whether it was built or not.

use crate::support::Server;

#[tokio::test]
async fn addresses_of_the_page_lead_to_it() {
    let server = Server::start().await;
    let browser = server.anonymous().with("accept", "text/html,*/*;q=0.8");
    let page = browser.get("/").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(browser.get("/desktops/deep").await.body, page.body);
    assert_eq!(server.anonymous().get("/").await.body, page.body);
    // Scripts and pictures that are missing are missing.
    server.anonymous().get("/desktops/deep").await.problem(404);
    let script = server.anonymous().with("accept", "*/*");
    script.get("/assets/missing.js").await.problem(404);
    browser.send("POST", "/", None).await.problem(405);
}

#[tokio::test]
async fn the_page_is_asked_for_again_and_its_parts_are_kept() {
    let server = Server::start().await;
    let client = server.anonymous();
    let page = client.get("/").await;
    let Some(etag) = page.headers.get("etag") else {
        eprintln!("not tested: the page was not built");
        assert!(page.text().contains("npm"), "it says how to build it");
        return;
    };
    assert_eq!(page.header("cache-control"), "no-cache");
    let known = client.clone().with("if-none-match", etag.to_str().unwrap());
    let again = known.get("/").await;
    assert_eq!((again.status.as_u16(), again.text()), (304, ""));
    let script = page.text().split("src=\"/").nth(1).unwrap();
    let script = format!("/{}", script.split('"').next().unwrap());
    let plain = client.get(&script).await;
    assert_eq!(
        plain.header("content-type"),
        "text/javascript; charset=utf-8"
    );
    assert_eq!(
        plain.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert!(plain.header("content-encoding").is_empty());
    let packed = client
        .with("accept-encoding", "br, gzip;q=1")
        .get(&script)
        .await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_eq!(packed.header("vary"), "accept-encoding");
    assert!(packed.body.len() < plain.body.len());
    assert_eq!(packed.body[..2], [0x1f, 0x8b]);
}
