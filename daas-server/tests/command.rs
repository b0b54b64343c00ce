//! The command line of the program itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

#[allow(dead_code, unreachable_pub, reason = "it is made for more tests")]
#[path = "../../daas-core/tests/support/docker.rs"]
mod docker;
#[path = "support/program.rs"]
mod program;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use program::{plain_program, program};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs `config` with a file and variables.
fn config(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("daas.toml"), file).unwrap();
    let mut command = plain_program(folder.path());
    command
        .args(["config", "--config", "daas.toml"])
        .args(flags);
    command.envs(variables.iter().copied());
    command.output().unwrap()
}

#[test]
fn each_source_goes_over_the_one_before() {
    let file = "[server]\nthreads = 3\nlisten = \"127.0.0.1:1000\"\n[log]\nfilter = \"warn\"\n";
    let shown = config(
        file,
        &[
            ("DAAS_SERVER__LISTEN", "127.0.0.1:2000"),
            ("DAAS_LIMITS__TICKET_S", "7"),
            ("DAAS_GATEWAY__GUACD", "one:1, two:2"),
            ("DAAS_SERVER__PUBLIC_ORIGINS", "[\"https://example.org\"]"),
            ("DAAS_ADMIN_PASSWORD", "very secret"),
            ("OTHER", "x"),
        ],
        &["--port", "3000", "--data-dir", "/elsewhere"],
    );
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    let shown = text(&shown.stdout);
    for line in [
        "threads = 3\n",
        "listen = \"127.0.0.1:3000\"\n",
        "filter = \"warn\"\n",
        "ticket_s = 7\n",
        "guacd = [\n    \"one:1\",\n    \"two:2\",\n]\n",
        "https://example.org",
        "path = \"/elsewhere/daas.sqlite3\"\n",
        "slug = \"desktop\"\n",
        "image = \"daas/browser\"\n",
    ] {
        assert!(shown.contains(line), "{line:?} is not in {shown}");
    }
    assert!(!shown.contains("very secret"));
    // What is shown can be read again, and says the same.
    let again = config(&shown, &[], &[]);
    assert_eq!(text(&again.stdout), shown);
}

#[test]
fn hosts_are_checked() {
    let lab = |more: &str| format!("[[docker.hosts]]\nname = \"lab\"\n{more}\n");
    for (file, expected) in [
        (
            lab("endpoint = \"tcp://lab:2376\""),
            "docker.hosts.endpoint: tcp://lab:2376 needs ca_file, cert_file and key_file",
        ),
        (
            lab("endpoint = \"lab:2376\""),
            "docker.hosts.endpoint: `lab:2376`: expected unix:///run/docker.sock",
        ),
        (
            lab("endpoint = \"ssh://-oProxyCommand=x@lab\""),
            "docker.hosts.endpoint: ",
        ),
        (
            lab("endpoint = \"ssh://daas@lab\"\nkey_file = \"x\""),
            "ssh://daas@lab takes no ca_file",
        ),
        (
            lab("endpoint = \"/run/lab.sock\"\nssh_key_file = \"x\""),
            "/run/lab.sock takes no ssh_key_file",
        ),
        (
            lab("endpoint = \"/run/lab.sock\""),
            "`docker` and `lab` have the same addresses for desktops",
        ),
        (
            lab("endpoint = \"/run/lab.sock\"\nguacd = [\"lab\"]"),
            "docker.hosts.guacd: `lab` is not a host and port",
        ),
        (
            lab("endpoint = \"/run/lab.sock\"\nlabels = [\"GPU\"]"),
            "docker.hosts.labels: `GPU`: expected up to 32",
        ),
        (
            lab("endpoint = \"/run/lab.sock\"\nrange = \"10.214.0.0/16\"")
                .replace("name = \"lab\"", "name = \"docker\""),
            "docker.hosts.name: `docker` is the name of two hosts",
        ),
        (
            "[docker]\nenabled = false\n".to_owned(),
            "docker.hosts: needs 1 to 256 hosts",
        ),
        (
            "[placement]\ncpu_overcommit = 0.0\n".to_owned(),
            "placement.cpu_overcommit: 0 is not between 0.1 and 1000",
        ),
        (
            "[placement]\nstrategy = \"spred\"\n".to_owned(),
            "unknown value `spred`; did you mean `spread`?",
        ),
        (
            "[[catalogue.apps]]\nslug = \"a\"\nname = \"A\"\nimage = \"a\"\nhosts = [\"gpu\"]\n"
                .to_owned(),
            "catalogue.apps: `a`: no host has all labels",
        ),
    ] {
        let refused = config(&file, &[], &[]);
        let told = text(&refused.stderr);
        assert!(!refused.status.success(), "{file}");
        assert!(told.contains(expected), "{expected:?} is not in {told}");
    }
    let good = lab(
        "endpoint = \"ssh://daas@lab\"\nlabels = [\"gpu\"]\nguacd = [\"lab:4822\"]\nprobe = \"engine\"",
    );
    let shown = config(&good, &[], &[]);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    let shown = text(&shown.stdout);
    let again = config(&shown, &[], &[]);
    assert_eq!(text(&again.stdout), shown);
}

#[cfg(feature = "proxmox")]
#[test]
fn clusters_are_checked() {
    let cluster = "[[proxmox]]\nname = \"pve\"\nurls = [\"https://pve1:8006\"]\n\
                   token_id = \"daas@pve!main\"\ntoken_secret_file = \"/nowhere/secret\"\n\
                   vmids = [5000, 5999]\nnetworks = [\"10.20.0.0/16\"]\n";
    let shown = config(cluster, &[], &[]);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    let shown = text(&shown.stdout);
    assert!(shown.contains("token_secret_file = \"/nowhere/secret\""));
    assert_eq!(text(&config(&shown, &[], &[]).stdout), shown);
    for (from, to, expected) in [
        ("[5000, 5999]", "[5000]", "proxmox.vmids: takes two numbers"),
        ("https://", "http://", "proxmox.urls: `http://pve1:8006`: "),
        (
            "\"10.20.0.0/16\"",
            "",
            "proxmox.networks: needs one at least",
        ),
        (
            "token_secret_file",
            "password_file",
            "proxmox.token_id: needs token_id with",
        ),
        (
            "vmids",
            "fingerprints = [\"AB\"]\nvmids",
            "proxmox.fingerprints: `AB`: expected 32 bytes",
        ),
        (
            "vmids",
            "ca_file = \"x\"\nfingerprints = [\"AB\"]\nvmids",
            "proxmox.fingerprints: cannot be set together",
        ),
        (
            "vmids",
            "storage = \"ssd\"\nvmids",
            "proxmox.storage: is for cloning",
        ),
        ("name = \"pve\"", "name = \"docker\"", "is the name of two"),
    ] {
        let told = text(&config(&cluster.replace(from, to), &[], &[]).stderr);
        assert!(told.contains(expected), "{expected:?} is not in {told}");
    }
}

#[test]
fn mistakes_are_told_with_place_and_advice() {
    for (file, variables, expected) in [
        (
            "# x\n[server]\nlisen = \"127.0.0.1:1\"\n",
            &[][..],
            "daas.toml:3: unknown key `lisen`; did you mean `listen`?",
        ),
        (
            "[sever]\n",
            &[],
            "daas.toml:1: unknown key `sever`; did you mean `server`?",
        ),
        (
            "[log]\nformat = \"jsn\"\n",
            &[],
            "daas.toml:2: unknown value `jsn`; did you mean `json`?",
        ),
        ("[tunnel]\nzebra = 1\n", &[], "known here: threads"),
        ("[server]\n\nthreads = \"x\"\n", &[], "daas.toml:3: "),
        ("[server\n", &[], "daas.toml:1: "),
        (
            "",
            &[("DAAS_SERVER__THREDS", "1")],
            "DAAS_SERVER__THREDS: unknown key `threds`; did you mean `threads`?",
        ),
        (
            "",
            &[("DAAS_SERVER__THREADS", "many")],
            "DAAS_SERVER__THREADS: invalid type",
        ),
        (
            "",
            &[("DAAS_SERVER", "127.0.0.1:1")],
            "DAAS_SERVER: invalid type: expected named fields; a variable sets one of them, as ",
        ),
        (
            "",
            &[("DAAS_LDAP", "hush")],
            "DAAS_LDAP: invalid type: expected named fields",
        ),
        (
            "",
            &[("DAAS_LOG", "[\"json\", \"info\"]")],
            "DAAS_LOG: invalid type",
        ),
        (
            "",
            &[("DAAS_CATALOGUE__APPS", "[[\"a\", \"A\"]]")],
            "expected named fields",
        ),
        (
            "server = [\"127.0.0.1:1\"]\n",
            &[],
            "daas.toml:1: invalid type: expected named fields",
        ),
        (
            "\n[catalogue]\napps = [[\"a\", \"A\", \"\", \"a\", \"desktop\", \"a\"]]\n",
            &[],
            "daas.toml:3: invalid type: expected named fields",
        ),
        (
            "[log]\nformat = { json = {} }\n",
            &[],
            "daas.toml:2: invalid type: expected a string",
        ),
        (
            "[server]\nlisten = \"0.0.0.0:80\"\n",
            &[],
            "server.listen: 0.0.0.0:80 can be reached from other machines",
        ),
        (
            "[server]\nlisten = \"0.0.0.0:80\"\ninsecure_http = true\n",
            &[],
            "server.public_origins: is needed",
        ),
        (
            "[server]\npublic_origins = [\"https://a/b\"]\n",
            &[],
            "server.public_origins: `https://a/b` is not an origin",
        ),
        (
            "[server]\npublic_origins = [\"https://a\", \"http://b\"]\n",
            &[],
            "cannot be mixed",
        ),
        (
            "[gateway]\nguacd = [\"4822\"]\n",
            &[],
            "gateway.guacd: `4822`",
        ),
        ("[gateway]\nguacd = []\n", &[], "gateway.guacd: needs one"),
        (
            "[limits]\nticket_s = 0\n",
            &[],
            "limits.ticket_s: 0 is not between",
        ),
        (
            "[docker]\ninstallation = \"A b\"\n",
            &[],
            "docker.installation: ",
        ),
        (
            "[docker]\nrange = \"10.0.0.1/8\"\n",
            &[],
            "docker.range: `10.0.0.1/8`",
        ),
        (
            "[log]\nfilter = \"info,daas_core=loud\"\n",
            &[],
            "log.filter: ",
        ),
        (
            "[limits]\nextend_s = 86401\n",
            &[],
            "limits.extend_s: 86401 is not between 0 and 86400",
        ),
        (
            "[policies]\non_idle = \"stop\"\n",
            &[],
            "policies.on_idle: `stop` is not `keep`, nor suspend, stop or delete after some time",
        ),
        (
            "[policies]\non_lifetime = \"stop after 30s\"\n",
            &[],
            "policies.on_lifetime: `stop after 30s` must leave a minute at least",
        ),
        (
            "[policies]\non_disconect = \"keep\"\n",
            &[],
            "daas.toml:2: unknown key `on_disconect`; did you mean `on_disconnect`?",
        ),
        (
            "[[catalogue.apps]]\nslug = \"a\"\nname = \"A\"\nimage = \"a\"\non_idle = \"halt after 1h\"\n",
            &[],
            "catalogue.apps: `a`: on_idle = `halt after 1h` is not `keep`",
        ),
        (
            "[[catalogue.apps]]\nslug = \"a\"\nname = \"A\"\nimage = \"a\"\nimag = \"a\"\n",
            &[],
            "daas.toml:5: unknown key `imag`; did you mean `image`?",
        ),
        (
            "[[catalogue.apps]]\nslug = \"A\"\nname = \"A\"\nimage = \"a\"\n",
            &[],
            "catalogue.apps: `A`: a slug",
        ),
    ] {
        let refused = config(file, variables, &[]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(78), "{file}: {said}");
        assert!(said.contains(expected), "{expected:?} is not in {said:?}");
    }
}

#[test]
fn ways_to_log_in_are_checked() {
    for (lines, expected) in [
        (
            "protocol = \"console\"",
            "no host shows consoles; Proxmox VE does",
        ),
        (
            "domain = \"LAB\"",
            "domain, rdp_security and rdp_certificate_unchecked are for",
        ),
        (
            "rdp_certificate_unchecked = true",
            "are for protocol = \"rdp\"",
        ),
        (
            "protocol = \"rdp\"\nrdp_security = \"nlaa\"",
            "unknown value `nlaa`; did you mean `nla`?",
        ),
        ("protocol = \"console\"\nuser = \"a\"", "it takes no user"),
        ("user = \"a\"", "a user of VNC needs a password_file"),
        (
            "protocol = \"ssh\"\nuser = \"a\\u0007\"",
            "none for control",
        ),
    ] {
        let file =
            format!("[[catalogue.apps]]\nslug = \"a\"\nname = \"A\"\nimage = \"a\"\n{lines}\n");
        let refused = config(&file, &[], &[]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(78), "{file}: {said}");
        assert!(said.contains(expected), "{expected:?} is not in {said:?}");
    }
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(folder.path());
    let refused = command
        .args(["serve", "--config", "no.toml"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(78));
    assert!(text(&refused.stderr).contains("no.toml: cannot be read"));
}

#[test]
fn the_commented_example_is_the_default() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let example = std::fs::read_to_string(root.join("deploy/daas.toml")).unwrap();
    let (example, default) = (config(&example, &[], &[]), config("", &[], &[]));
    assert_eq!(text(&example.stdout), text(&default.stdout));
    // Also with all that is commented out there, as long as it is a setting.
    let file = std::fs::read_to_string(root.join("deploy/daas.toml")).unwrap();
    let file: String = file
        .lines()
        .map(|line| line.strip_prefix("#: ").unwrap_or(line).to_owned() + "\n")
        .collect();
    let all = config(&file, &[], &[]);
    assert_eq!(
        text(&all.stdout),
        text(&default.stdout),
        "{}",
        text(&all.stderr)
    );
}

#[test]
fn check_says_what_is_missing_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing answers at these.
    let mut command = program(folder.path());
    command.env("DAAS_GATEWAY__GUACD", "127.0.0.1:1");
    std::fs::write(
        folder.path().join("daas.toml"),
        "[[catalogue.apps]]\nslug = \"win\"\nname = \"W\"\nimage = \"w\"\npassword_file = \"none\"\n",
    )
    .unwrap();
    let checked = command
        .args(["check", "--config", "daas.toml"])
        .output()
        .unwrap();
    assert_eq!(checked.status.code(), Some(1));
    let said = text(&checked.stdout);
    for expected in [
        "ok       configuration",
        "ok       database       data/daas.sqlite3 can be written",
        "MISSING  docker",
        "MISSING  app win        none: ",
        "→ Set password_file",
        "MISSING  guacd          127.0.0.1:1: ",
        "→ Start guacd",
        "→ Install Docker",
    ] {
        assert!(said.contains(expected), "{expected:?} is not in {said}");
    }
    // A file where the folder of the database should be.
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut command = program(folder.path());
    let checked = command
        .arg("check")
        .arg("--data-dir")
        .arg(file)
        .output()
        .unwrap();
    assert!(text(&checked.stdout).contains("MISSING  database"));
}

/// Each image by itself, and nothing is made on the engine.
#[test]
fn check_looks_at_an_engine_and_leaves_it_as_it_is() {
    if !docker::is_ready(&["guard"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let installation = format!("check-{}", std::process::id());
    let said = |guard: &str| {
        let mut command = plain_program(folder.path());
        command.env("DAAS_DOCKER__INSTALLATION", &installation);
        command.env("DAAS_DOCKER__GUARD", guard);
        text(&command.arg("check").output().unwrap().stdout)
    };
    for (guard, expected) in [
        (
            "daas/guard",
            "ok       network guard  image daas/guard is there",
        ),
        (
            "no/guard",
            "MISSING  network guard  image no/guard is not there",
        ),
    ] {
        let said = said(guard);
        assert!(said.contains("ok       docker"), "{said}");
        assert!(said.contains(expected), "{expected:?} is not in {said}");
    }
    let label = format!("label=daas.installation={installation}");
    let left = docker::docker(&["ps", "-aq", "--filter", &label]);
    assert_eq!(left, "");
}

/// Starts the server and answers its output up to the address.
fn serve(folder: &Path, password: Option<&str>) -> (std::process::Child, String, String) {
    let mut command = program(folder);
    command.args(["serve", "--port", "0"]);
    command.envs(password.map(|password| ("DAAS_ADMIN_PASSWORD", password)));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut log = String::new();
    let address = lines.find_map(|line| {
        let line = line.unwrap();
        log += &line;
        let (_, address) = line.split_once("listening on http://")?;
        Some(address.split(' ').next().unwrap().to_owned())
    });
    // The rest is read so that the program never waits to write.
    std::thread::spawn(move || lines.for_each(drop));
    (child, address.expect(&log), log)
}

fn end(mut child: std::process::Child) -> String {
    let pid = child.id().to_string();
    let start = Instant::now();
    assert!(Command::new("kill").arg(pid).status().unwrap().success());
    while child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < Duration::from_secs(10), "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(child.wait().unwrap().success());
    let mut printed = String::new();
    child.stdout.unwrap().read_to_string(&mut printed).unwrap();
    printed
}

#[test]
fn the_first_password_is_shown_once() {
    let folder = tempfile::tempdir().unwrap();
    let (child, _, log) = serve(folder.path(), None);
    let printed = end(child);
    assert!(printed.contains("The first user is admin, with the password "));
    let password = printed.split("password ").nth(1).unwrap();
    let password = password.split_whitespace().next().unwrap();
    assert_eq!(password.len(), 20);
    assert!(!log.contains(password));
    let (child, _, _) = serve(folder.path(), None);
    assert_eq!(end(child), "");
    use std::os::unix::fs::PermissionsExt;
    let mode = folder
        .path()
        .join("data")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_password_that_is_given_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (child, address, log) = serve(folder.path(), Some("given horse"));
    let body = r#"{"username":"admin","password":"given horse"}"#;
    let request = format!(
        "POST /api/v1/session HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\n\
         Content-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = std::net::TcpStream::connect(&address).unwrap();
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains(r#""role":"admin""#));
    assert!(!end(child).contains("given horse") && !log.contains("given horse"));
    let refused = {
        let other = tempfile::tempdir().unwrap();
        let mut command = program(other.path());
        command.env("DAAS_ADMIN_PASSWORD", "short");
        command.args(["serve", "--port", "0"]).output().unwrap()
    };
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("8 to 1024 characters"));
}
