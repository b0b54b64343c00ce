//! What `daas-server check` finds, with a hypervisor in memory and a guacd that answers.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use daas_server::Opened;
use daas_server::config::{Config, Sources};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::fake::Fake;

/// A guacd that has been asked for VNC, as far as the probe looks.
async fn guacd(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut select = [0; 15];
            stream.read_exact(&mut select).await.unwrap();
            assert_eq!(&select, b"6.select,3.vnc;");
            stream.write_all(answer).await.unwrap();
        }
    });
    address
}

fn config(folder: &std::path::Path, guacd: &str) -> Config {
    let sources = Sources {
        environment: vec![("DAAS_GATEWAY__GUACD".to_owned(), guacd.to_owned())],
        data_dir: Some(folder.join("deep").join("data")),
        ..Sources::default()
    };
    Config::load(&sources).unwrap()
}

fn opened(name: &str, fake: &Arc<Fake>) -> Opened {
    (name.parse().unwrap(), Ok(fake.clone()))
}

/// The lines that tell of something missing, but for the page, which may not be built here.
fn missing(report: &str) -> Vec<&str> {
    let lines = report.lines().filter(|line| line.starts_with("MISSING"));
    lines.filter(|line| !line.contains(" page ")).collect()
}

#[tokio::test]
async fn all_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(
        folder.path(),
        &guacd(b"4.args,13.VERSION_1_5_0,8.hostname;").await,
    );
    let images = ["daas/guard", "daas/desktop", "daas/editor", "daas/browser"];
    let hosts = [opened("docker", &Arc::new(Fake::with_images(images)))];
    let (report, _) = daas_server::check(&config, &hosts).await;
    assert_eq!(missing(&report), [""; 0], "{report}");
    for line in [
        "ok       docker         Fake 1.0 at /var/run/docker.sock",
        "ok       network guard  image daas/guard is there",
        "ok       app editor     image daas/editor is there",
        "answers and can do VNC",
    ] {
        assert!(report.contains(line), "{line:?} is not in {report}");
    }
}

#[tokio::test]
async fn each_missing_part_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), &guacd(b"").await);
    let fake = Arc::new(Fake::with_images(["daas/guard", "daas/desktop"]));
    let hosts = [opened("docker", &fake)];
    let (report, good) = daas_server::check(&config, &hosts).await;
    let found = missing(&report);
    assert!(!good && found.len() == 3, "{report}");
    assert!(found[0].contains("image daas/editor is not there"));
    assert!(found[1].contains("image daas/browser is not there"));
    assert!(found[2].contains("its VNC plugin may be missing"));
    assert!(report.contains("docker pull daas/browser"));
    fake.down.store(true, SeqCst);
    let (report, _) = daas_server::check(&config, &hosts).await;
    assert!(missing(&report)[0].contains("docker"), "{report}");
}
