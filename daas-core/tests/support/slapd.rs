//! A real directory for tests: slapd of OpenLDAP, as Debian and Ubuntu have it. Where there
//! is none tests say `SKIPPED: <reason>` and pass; with `DAAS_REQUIRE_SIGN_ON=1` they fail.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "not every test uses all of it; a failed test may panic"
)]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

/// What all entries are below.
pub const BASE: &str = "dc=example,dc=org";
/// What people are below.
pub const PEOPLE: &str = "ou=people,dc=example,dc=org";
/// What groups are below.
pub const GROUPS: &str = "ou=groups,dc=example,dc=org";
/// What everybody may see, but for passwords.
pub const OPEN: &str = "ou=open,dc=example,dc=org";
/// An account that may see people and groups, unlike these themselves.
pub const SEARCHER: &str = "cn=searcher,dc=example,dc=org";
/// The password of that account.
pub const SEARCHER_PASSWORD: &str = "looks around";

const ADMIN: &str = "cn=admin,dc=example,dc=org";
const ADMIN_PASSWORD: &str = "may do anything";
const PROGRAM: &str = "/usr/sbin/slapd";
const SCHEMAS: &str = "/etc/ldap/schema";
const DEADLINE: Duration = Duration::from_secs(20);

/// A directory that runs, and is gone when this is.
pub struct Slapd {
    process: Child,
    folder: TempDir,
    plain: u16,
    tls: u16,
}

impl Slapd {
    /// Starts one with TLS and nobody in it; answers nothing where there is no slapd.
    pub fn start() -> Option<Self> {
        if !Path::new(PROGRAM).exists() || !on_path("ldapadd") {
            skip("slapd and ldap-utils are not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("db")).unwrap();
        certificates(folder.path());
        fs::write(
            folder.path().join("slapd.conf"),
            configuration(folder.path()),
        )
        .unwrap();
        // Ubuntu confines the program at its own place to the folders of the system's one.
        // Another process copies it: a file that is open for writing here would be so in
        // processes that other tests begin just then, and could not be run meanwhile.
        let program = folder.path().join("slapd");
        let copied = Command::new("cp").arg(PROGRAM).arg(&program).status();
        assert!(copied.unwrap().success());
        // Somebody else may take a port between its choice and its use.
        let started = (0..5).find_map(|_| run(&program, folder.path()));
        let (process, plain, tls) = started.unwrap();
        let slapd = Self {
            process,
            folder,
            plain,
            tls,
        };
        slapd.fill();
        Some(slapd)
    }

    fn fill(&self) {
        self.add(
            BASE,
            &[
                ("objectClass", b"dcObject"),
                ("objectClass", b"organization"),
                ("o", b"x"),
            ],
        );
        for unit in [PEOPLE, GROUPS, OPEN] {
            self.add(unit, &[("objectClass", b"organizationalUnit")]);
        }
        let account = [
            ("objectClass", &b"organizationalRole"[..]),
            ("objectClass", b"simpleSecurityObject"),
            ("userPassword", SEARCHER_PASSWORD.as_bytes()),
        ];
        self.add(SEARCHER, &account);
    }

    /// Its address without TLS.
    pub fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.plain)
    }

    /// Its address with TLS. Its certificate is for `localhost` and for no address.
    pub fn tls_url(&self) -> String {
        format!("ldaps://localhost:{}", self.tls)
    }

    /// The certificate that vouches for its own.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate of the same name that does not.
    pub fn other_ca_file(&self) -> PathBuf {
        self.folder.path().join("other.pem")
    }

    /// Adds somebody with an address `<name>@example.org`, if there can be one; answers the
    /// name of the entry.
    pub fn add_person(&self, name: &str, password: &str) -> String {
        let dn = dn("uid", name, PEOPLE);
        let mail = name.is_ascii().then(|| format!("{name}@example.org"));
        let mut attributes = vec![
            ("objectClass", &b"inetOrgPerson"[..]),
            ("cn", name.as_bytes()),
            ("sn", name.as_bytes()),
            ("userPassword", password.as_bytes()),
        ];
        attributes.extend(mail.as_ref().map(|mail| ("mail", mail.as_bytes())));
        self.add(&dn, &attributes);
        dn
    }

    /// Adds a group with members, by the names of their entries; answers the name of its own.
    pub fn add_group(&self, name: &str, members: &[&str]) -> String {
        let dn = dn("cn", name, GROUPS);
        let mut attributes = vec![("objectClass", &b"groupOfNames"[..])];
        attributes.extend(members.iter().map(|member| ("member", member.as_bytes())));
        self.add(&dn, &attributes);
        dn
    }

    /// Adds an entry.
    pub fn add(&self, dn: &str, attributes: &[(&str, &[u8])]) {
        let mut text = String::new();
        let dn = ("dn", dn.as_bytes());
        for (name, value) in [dn].iter().chain(attributes) {
            writeln!(text, "{name}:: {}", STANDARD.encode(value)).unwrap();
        }
        self.tool("ldapadd", &["-M"], &text);
    }

    /// Changes an entry: lines of LDIF that follow its name.
    pub fn change(&self, dn: &str, lines: &str) {
        let dn = STANDARD.encode(dn);
        let text = format!("dn:: {dn}\nchangetype: modify\n{lines}\n");
        self.tool("ldapmodify", &[], &text);
    }

    fn tool(&self, name: &str, options: &[&str], input: &str) {
        let mut command = Command::new(name);
        command.args(["-x", "-H", &self.url(), "-D", ADMIN, "-w", ADMIN_PASSWORD]);
        command
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {error}{input}");
    }

    /// Ends it; its ports are silent then.
    pub fn stop(&mut self) {
        // It is gone already where this fails.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The name of an entry. All that is not plain is written in digits.
pub fn dn(attribute: &str, value: &str, base: &str) -> String {
    let value: String = value
        .bytes()
        .map(|byte| match byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => format!("\\{byte:02X}"),
        })
        .collect();
    format!("{attribute}={value},{base}")
}

/// Says why a test is not run, past the capture of output; fails where it has to be.
fn skip(reason: &str) {
    let is_needed = std::env::var_os("DAAS_REQUIRE_SIGN_ON").is_some();
    assert!(!is_needed, "{reason}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default();
    let mut stderr = std::io::stderr();
    writeln!(stderr, "SKIPPED: {test}: {reason}").unwrap();
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}

/// Runs slapd at two free ports until it answers; answers nothing where it ends.
fn run(program: &Path, folder: &Path) -> Option<(Child, u16, u16)> {
    let [plain, tls] = [free_port(), free_port()];
    let urls = format!("ldap://127.0.0.1:{plain} ldaps://127.0.0.1:{tls}");
    let log = fs::File::create(folder.join("log")).unwrap();
    let mut command = Command::new(program);
    // With a level of messages it stays in the foreground.
    command
        .args(["-d", "0", "-h", &urls, "-f"])
        .arg(folder.join("slapd.conf"));
    let mut process = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let began = Instant::now();
    while began.elapsed() < DEADLINE {
        if process.try_wait().unwrap().is_some() {
            break;
        }
        if [plain, tls]
            .iter()
            .all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
        {
            return Some((process, plain, tls));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = process.kill();
    let _ = process.wait();
    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
    eprintln!("slapd does not start: {log}");
    None
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// People may be asked for their passwords by everybody, and see themselves; only the account
/// that searches sees anything else. Binds without a password are let through as nobody, as
/// they are by many directories.
fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    let modules = ["/usr/lib/ldap", "/usr/lib/openldap"];
    let modules = modules
        .iter()
        .find(|path| Path::new(path).exists())
        .unwrap_or(&"");
    format!(
        "include {SCHEMAS}/core.schema
include {SCHEMAS}/cosine.schema
include {SCHEMAS}/inetorgperson.schema
include {SCHEMAS}/nis.schema
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
objectclass ( 2.25.1 NAME 'likeActiveDirectory' SUP top AUXILIARY
  MAY ( objectGUID $ sAMAccountName ) )
modulepath {modules}
moduleload back_mdb
moduleload memberof
pidfile {folder}/pid
argsfile {folder}/args
allow bind_anon_dn
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/certificate.pem
TLSCertificateKeyFile {folder}/key.pem
TLSVerifyClient never

database mdb
suffix {BASE}
rootdn {ADMIN}
rootpw \"{ADMIN_PASSWORD}\"
directory {folder}/db
maxsize 16777216
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree={OPEN} by * read
access to dn.subtree={PEOPLE} by dn.exact={SEARCHER} read by self read by anonymous auth
access to * by dn.exact={SEARCHER} read by anonymous auth
"
    )
}

fn certificates(folder: &Path) {
    let authority = || {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
    };
    let (own, other) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = parameters.signed_by(&key, &own).unwrap();
    for (name, text) in [
        ("ca.pem", own.pem()),
        ("other.pem", other.pem()),
        ("certificate.pem", certificate.pem()),
        ("key.pem", key.serialize_pem()),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}
