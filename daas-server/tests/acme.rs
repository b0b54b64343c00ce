//! Certificates by ACME, beside Pebble, the server that Let's Encrypt has for tests. Where it
//! is not installed, that is said and nothing is tested; with `DAAS_REQUIRE_ACME=1` that fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

#[path = "support/program.rs"]
mod program;

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

const NAMES: [&str; 2] = ["desktops.example.org", "apps.example.org"];
/// Longest wait for anything.
const DEADLINE: Duration = Duration::from_secs(60);

/// Says why a test is not run, past the capture of output; fails where it has to be.
fn skip(why: &str) {
    let is_needed = std::env::var_os("DAAS_REQUIRE_ACME").is_some();
    assert!(!is_needed, "{why}");
    let mut stderr = std::io::stderr();
    writeln!(stderr, "SKIPPED: {why}").unwrap();
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A directory that checks domains at one port of this machine.
struct Pebble {
    _pebble: Process,
    _names: Process,
    directory: String,
    /// Who vouches for the directory itself.
    root: PathBuf,
    /// Whether this machine trusts that one, too.
    is_trusted: bool,
    /// Where domains are checked.
    port: u16,
    _folder: TempDir,
}

impl Pebble {
    fn start(valid_for: Duration) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (port, dns, management) = (free_port(), free_port(), free_port());
        let names = Command::new("pebble-challtestsrv")
            .args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""])
            .args(["-http01", "", "-https01", "", "-tlsalpn01", ""])
            .args(["-dns01", &format!("127.0.0.1:{dns}")])
            .args(["-management", &format!("127.0.0.1:{management}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(names) = names else {
            skip("Pebble is not installed");
            return None;
        };
        let names = Process(names);
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (root, key) = (
            folder.path().join("root.pem"),
            folder.path().join("key.pem"),
        );
        std::fs::write(&root, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let (listen, about) = (free_port(), free_port());
        let config = json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{listen}"),
            "managementListenAddress": format!("127.0.0.1:{about}"),
            "certificate": root, "privateKey": key,
            "httpPort": free_port(), "tlsPort": port,
            "ocspResponderURL": "", "externalAccountBindingRequired": false,
            "certificateValidityPeriod": valid_for.as_secs(),
        }});
        let path = folder.path().join("pebble.json");
        std::fs::write(&path, config.to_string()).unwrap();
        let pebble = Command::new("pebble")
            .arg("-config")
            .arg(path)
            .args(["-dnsserver", &format!("127.0.0.1:{dns}")])
            .envs([("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", "0")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(pebble) = pebble else {
            skip("Pebble is not installed");
            return None;
        };
        let pebble = Process(pebble);
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", listen)).is_err() {
            assert!(start.elapsed() < DEADLINE, "Pebble does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self {
            _pebble: pebble,
            _names: names,
            directory: format!("https://localhost:{listen}/dir"),
            root,
            is_trusted: false,
            port,
            _folder: folder,
        })
    }
}

/// The program itself.
struct Server {
    process: Process,
    address: SocketAddr,
    log: Receiver<String>,
    /// What was logged and looked at.
    seen: RefCell<Vec<String>>,
}

fn config(folder: &Path, pebble: &Pebble, names: &[&str]) -> PathBuf {
    let origins = names.iter().map(|name| format!("https://{name}"));
    let root = Some(&pebble.root).filter(|_| !pebble.is_trusted);
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:{}\"\npublic_origins = {:?}\n\
         [tls]\nacme_domains = {names:?}\nacme_terms_agreed = true\n\
         acme_contact = [\"admin@example.org\"]\nacme_directory = {:?}\nacme_root = {:?}\n\
         acme_cache = {:?}\n",
        pebble.port,
        origins.collect::<Vec<_>>(),
        pebble.directory,
        root.cloned().unwrap_or_default(),
        folder.join("acme")
    );
    let path = folder.join("daas.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn program(folder: &Path, command: &str, config: &Path) -> Command {
    let mut program = program::program(folder);
    program.arg(command).arg("--config").arg(config);
    program.env("DAAS_ADMIN_PASSWORD", "given horse");
    program
}

impl Server {
    fn start(folder: &Path, pebble: &Pebble, names: &[&str]) -> Self {
        let mut program = program(folder, "serve", &config(folder, pebble, names));
        program.stdout(Stdio::null()).stderr(Stdio::piped());
        if pebble.is_trusted {
            program.env("SSL_CERT_FILE", &pebble.root);
        }
        let mut child = program.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, log) = channel();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).try_for_each(|line| {
                println!("{line}");
                sender.send(line)
            })
        });
        let server = Self {
            process: Process(child),
            address: ([127, 0, 0, 1], pebble.port).into(),
            log,
            seen: RefCell::default(),
        };
        server.logs("listening on https://");
        server
    }

    /// A line of the log with these words, be it there already or not.
    fn logs(&self, words: &str) -> String {
        let (start, mut seen) = (Instant::now(), self.seen.borrow_mut());
        loop {
            if let Some(line) = seen.iter().find(|line| line.contains(words)) {
                return line.clone();
            }
            let left = DEADLINE.saturating_sub(start.elapsed());
            seen.push(self.log.recv_timeout(left).expect(words));
        }
    }

    /// What it shows to somebody who asks for a name and speaks these.
    async fn shown(&self, name: &str, protocols: &[&str]) -> std::io::Result<Shown> {
        let provider = Arc::new(default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anything))
            .with_no_client_auth();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await?;
        let session = stream.get_ref().1;
        Ok(Shown {
            certificate: session.peer_certificates().unwrap()[0].clone().into_owned(),
            protocol: session.alpn_protocol().map(<[u8]>::to_vec),
        })
    }

    /// Waits until it shows another certificate than one before.
    async fn shows_another(&self, before: Option<&CertificateDer<'_>>) -> CertificateDer<'static> {
        let start = Instant::now();
        loop {
            if let Ok(shown) = self.shown(NAMES[0], &["http/1.1"]).await
                && Some(&shown.certificate) != before
            {
                return shown.certificate;
            }
            assert!(start.elapsed() < DEADLINE, "no other certificate");
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn end(mut self) {
        kill_process(Pid::from_child(&self.process.0), Signal::TERM).unwrap();
        assert!(self.process.0.wait().unwrap().success());
    }
}

struct Shown {
    certificate: CertificateDer<'static>,
    protocol: Option<Vec<u8>>,
}

/// Takes any certificate: that of Pebble is looked at by the test.
#[derive(Debug)]
struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = default_provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn contains(certificate: &CertificateDer<'_>, text: &str) -> bool {
    certificate
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_certificate_comes_is_kept_and_renewed() {
    // A third of that is left after 40 seconds.
    let Some(pebble) = Pebble::start(Duration::from_secs(60)) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &pebble, &NAMES);
    let first = server.shows_another(None).await;
    let issuer = "Pebble Intermediate CA";
    for text in [NAMES[0], NAMES[1], issuer] {
        assert!(contains(&first, text), "{text}");
    }
    // What proves domains is gone, and was never shown to browsers.
    assert!(server.shown(NAMES[0], &["acme-tls/1"]).await.is_err());
    let both = server
        .shown(NAMES[0], &["acme-tls/1", "http/1.1"])
        .await
        .unwrap();
    assert_eq!(both.protocol.as_deref(), Some(&b"http/1.1"[..]));
    assert_eq!(both.certificate, first);
    let kept = folder.path().join("acme");
    assert_eq!(mode(&kept), 0o700);
    for file in ["account.json", "certificate.pem"] {
        assert_eq!(mode(&kept.join(file)), 0o600, "{file}");
    }
    let account = std::fs::read(kept.join("account.json")).unwrap();
    // Without a restart, there is another one in time.
    let second = server.shows_another(Some(&first)).await;
    assert!(contains(&second, issuer));
    server.end();
    // With one, what is kept is there at once, and so is the account.
    let server = Server::start(folder.path(), &pebble, &NAMES);
    let shown = server.shown(NAMES[0], &[]).await.unwrap();
    assert!(contains(&shown.certificate, issuer));
    assert_eq!(std::fs::read(kept.join("account.json")).unwrap(), account);
    server.end();
    // One that does not name all that is wanted now is replaced.
    let more = [NAMES[0], NAMES[1], "more.example.org"];
    let server = Server::start(folder.path(), &pebble, &more);
    let third = server.shows_another(Some(&shown.certificate)).await;
    assert!(contains(&third, more[2]));
    assert_eq!(std::fs::read(kept.join("account.json")).unwrap(), account);
    let checked = program(folder.path(), "check", &folder.path().join("daas.toml"))
        .output()
        .unwrap();
    let said = String::from_utf8(checked.stdout).unwrap();
    let expected = "certificate    for desktops.example.org, apps.example.org, more.example.org";
    assert!(said.contains(expected), "{said}");
    assert!(said.contains("by ACME"), "{said}");
    server.end();
}

#[tokio::test]
async fn a_domain_that_leads_elsewhere_gets_none() {
    let Some(mut pebble) = Pebble::start(Duration::from_secs(3600)) else {
        return;
    };
    // Whom this machine trusts is asked without being named.
    pebble.is_trusted = true;
    // The directory looks at a port where nobody is.
    pebble.port = free_port();
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &pebble, &NAMES[..1]);
    let told = server.logs("there is no new certificate");
    assert!(
        told.contains("the check of desktops.example.org failed"),
        "{told}"
    );
    assert!(told.contains("next_s=120"), "{told}");
    // Until there is one, nobody gets in, and the server goes on.
    assert!(server.shown(NAMES[0], &["http/1.1"]).await.is_err());
    assert!(!folder.path().join("acme/certificate.pem").exists());
    server.end();
}

#[test]
fn a_directory_that_is_somebody_else_is_not_asked() {
    let Some(mut pebble) = Pebble::start(Duration::from_secs(3600)) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    pebble.root = folder.path().join("other.pem");
    std::fs::write(&pebble.root, other.cert.pem()).unwrap();
    let server = Server::start(folder.path(), &pebble, &NAMES);
    let told = server.logs("there is no new certificate");
    assert!(told.to_ascii_lowercase().contains("certificate"), "{told}");
    // No account was made there.
    assert!(!folder.path().join("acme/account.json").exists());
    server.end();
}

#[test]
fn an_open_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("acme");
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(&kept)
        .unwrap();
    std::fs::set_permissions(&kept, std::fs::Permissions::from_mode(0o750)).unwrap();
    let path = folder.path().join("daas.toml");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[tls]\nacme_domains = [\"a.example\"]\n\
         acme_terms_agreed = true\nacme_cache = {kept:?}\n"
    );
    std::fs::write(&path, text).unwrap();
    let output = program(folder.path(), "serve", &path).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("chmod 700"), "{said}");
    let output = program(folder.path(), "check", &path).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("MISSING  certificate"), "{said}");
    assert!(said.contains("mode 750"), "{said}");
}
