//! `daas-server check`: whether all is there that the server needs, and what to do where
//! it is not.

#[cfg(feature = "acme")]
mod acme;
mod hosts;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use daas_core::blocking::Gate;
use daas_core::chain;
use daas_core::gateway::probe_guacd;
use daas_core::model::Timestamp;
use daas_core::storage::{Sqlite, Store as _};

pub use hosts::Opened;

use crate::config::{Config, Origin, Tls};
use crate::page;
use crate::run::app_password;
#[cfg(any(feature = "ldap", feature = "oidc"))]
use crate::sign_on;
use crate::tls::{DAY_MS, Loaded, SOON_MS};

/// Time for each part to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Findings, one a line, and whether all is well.
struct Report {
    text: String,
    good: bool,
}

impl Report {
    fn good(&mut self, part: &str, finding: &str) {
        self.line("ok", part, finding);
    }

    fn bad(&mut self, part: &str, finding: &str, advice: &str) {
        self.good = false;
        self.line("MISSING", part, finding);
        self.line("", "", &format!("→ {advice}"));
    }

    fn line(&mut self, mark: &str, part: &str, finding: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{mark:<8} {part:<14} {finding}");
    }
}

/// Looks at all that a server with this configuration needs. Answers what was found, in
/// plain words and with what to do, and whether all is well.
pub async fn check(config: &Config, hosts: &[Opened]) -> (String, bool) {
    let mut report = Report {
        text: String::new(),
        good: true,
    };
    report.good("configuration", "can be used");
    if let Some(files) = &config.tls {
        check_certificate(files, config, &mut report).await;
    }
    #[cfg(feature = "acme")]
    if let Some(acme) = &config.acme {
        acme::check(acme, config, &mut report).await;
    }
    check_database(config, &mut report).await;
    hosts::check(config, hosts, &mut report).await;
    for (slug, path) in &config.passwords {
        check_password(slug, path, &mut report).await;
    }
    let own = config.hosts.iter().flat_map(|host| &host.guacd);
    for address in config.guacd.iter().chain(own) {
        check_guacd(address, &mut report).await;
    }
    #[cfg(feature = "ldap")]
    check_directory(config, &mut report).await;
    #[cfg(feature = "oidc")]
    check_providers(config, &mut report).await;
    check_page(&mut report);
    (report.text, report.good)
}

async fn check_certificate(files: &Tls, config: &Config, report: &mut Report) {
    let part = "certificate";
    let path = files.certificate.display().to_string();
    let reading = files.clone();
    let loaded = match Gate::new(1).run(move || Loaded::read(&reading)).await {
        Ok(Ok(loaded)) => loaded,
        Ok(Err(error)) => {
            let advice = "Set tls.certificate and tls.key to two files in PEM that belong \
                          together: the certificate with those that vouch for it, and its \
                          private key, which only the user that runs the server can read.";
            return report.bad(part, &chain(&error), advice);
        }
        Err(error) => return report.bad(part, &error.to_string(), "Try again."),
    };
    let mut hosts = config.server.public_origins.iter().map(Origin::host);
    if let Some(host) = hosts.find(|host| !loaded.is_for(host)) {
        let finding = format!("{path} is not for {host}, which is in server.public_origins");
        let advice = "Get one that names each host which people type into their browsers.";
        report.bad(part, &finding, advice);
    }
    match loaded.good_for_ms(Timestamp::now()) {
        Some(ms) if ms < SOON_MS => {
            let finding = if ms < 0 {
                format!("{path} has expired")
            } else {
                format!("{path} expires in {} days", ms / DAY_MS)
            };
            let advice = "Renew it; the server takes the new files without a restart.";
            report.bad(part, &finding, advice);
        }
        Some(ms) => report.good(part, &format!("{path} is good for {} days", ms / DAY_MS)),
        None => report.good(part, &format!("{path} can be used")),
    }
}

async fn check_database(config: &Config, report: &mut Report) {
    let path = config.database.display().to_string();
    match open(config).await {
        Ok(()) => report.good("database", &format!("{path} can be written")),
        Err(error) => {
            let advice = "Make its folder writable for the user that runs the server, see that \
                          the disk has room, or set storage.path to another place.";
            report.bad("database", &format!("{path}: {error}"), advice);
        }
    }
}

async fn open(config: &Config) -> Result<(), String> {
    if let Some(folder) = config.database.parent() {
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    }
    let store = Sqlite::open(&config.database, &config.key_file).await;
    let store = store.map_err(|error| chain(&error))?;
    store.check().await.map_err(|error| chain(&error))
}

async fn check_password(slug: &str, path: &Path, report: &mut Report) {
    let part = format!("app {slug}");
    match app_password(path).await {
        Ok(_) => report.good(&part, &format!("its password is in {}", path.display())),
        Err(error) => {
            let advice = "Set password_file to a file that holds it and that only the user that \
                          runs the server can read.";
            report.bad(&part, &error.to_string(), advice);
        }
    }
}

async fn check_guacd(address: &str, report: &mut Report) {
    match probe_guacd(address, TIMEOUT).await {
        Ok(()) => report.good("guacd", &format!("{address} answers and can do VNC")),
        Err(error) => {
            let advice = "Start guacd (deploy/ has a Dockerfile; or guacd -b 127.0.0.1 -f) with its \
                          VNC plugin, or set gateway.guacd.";
            report.bad("guacd", &format!("{address}: {}", chain(&error)), advice);
        }
    }
}

#[cfg(feature = "ldap")]
async fn check_directory(config: &Config, report: &mut Report) {
    let part = "directory";
    let advice = "See that the directory runs and can be reached from here, and compare [ldap] \
                  with what its administrator says.";
    let directory = match sign_on::directory(config).await {
        Ok(Some(directory)) => directory,
        Ok(None) => return,
        Err(error) => return report.bad(part, &chain(&error), advice),
    };
    let address = directory.address();
    match directory.check().await {
        Ok(()) => report.good(part, &format!("{address} can be searched")),
        Err(error) => report.bad(part, &format!("{address}: {}", chain(&error)), advice),
    }
}

#[cfg(feature = "oidc")]
async fn check_providers(config: &Config, report: &mut Report) {
    let part = "provider";
    let advice = "See that the provider can be reached from here, and compare [[oidc]] with what \
                  it says of itself at its issuer followed by /.well-known/openid-configuration.";
    let providers = match sign_on::providers(config).await {
        Ok(providers) => providers,
        Err(error) => return report.bad(part, &chain(&error), advice),
    };
    for provider in providers {
        let id = provider.id();
        match provider.check().await {
            Ok(()) => report.good(part, &format!("{id} answers and has keys")),
            Err(error) => report.bad(part, &format!("{id}: {}", chain(&error)), advice),
        }
    }
}

fn check_page(report: &mut Report) {
    if page::is_built() {
        report.good("page", "is part of this program");
    } else {
        let advice = "npm --prefix daas-server/web ci && npm --prefix daas-server/web run build, \
                      and then build the server again.";
        report.bad("page", "this program was built without it", advice);
    }
}
