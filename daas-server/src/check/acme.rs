//! What is needed for certificates by ACME.

use std::path::Path;

use daas_core::blocking::Gate;
use daas_core::chain;
use daas_core::model::Timestamp;

use super::Report;
use crate::config::{Acme, Config, Origin, Tls};
use crate::tls::{DAY_MS, Loaded, TlsError, make_folder};

const PART: &str = "certificate";
/// Where domains are checked (RFC 8737).
const PORT: u16 = 443;

pub(super) async fn check(acme: &Acme, config: &Config, report: &mut Report) {
    let folder = acme.folder.clone();
    let (made, kept) = match Gate::new(1).run(move || look(&folder)).await {
        Ok(looked) => looked,
        Err(error) => return report.bad(PART, &error.to_string(), "Try again."),
    };
    if let Err(error) = made {
        let advice = "Make it writable for the user that runs the server, and for nobody else, \
                      or set tls.acme_cache to another place.";
        return report.bad(PART, &chain(&error), advice);
    }
    let mut hosts = config.server.public_origins.iter().map(Origin::host);
    if let Some(host) = hosts.find(|host| !acme.domains.iter().any(|name| name == host)) {
        let finding = format!("{host} is in server.public_origins and not in tls.acme_domains");
        let advice = "Name each host there which people type into their browsers.";
        report.bad(PART, &finding, advice);
    }
    let names = acme.domains.join(", ");
    let left = kept
        .ok()
        .and_then(|kept| kept.good_for_ms(Timestamp::now()));
    match left {
        Some(ms) if ms < 0 => {
            let finding = format!("that for {names} has expired, and was not renewed");
            let advice = "The log of the server says what the directory answers.";
            report.bad(PART, &finding, advice);
        }
        Some(ms) => {
            let days = ms / DAY_MS;
            report.good(PART, &format!("for {names}, good for {days} days, by ACME"));
        }
        None => {
            let directory = &acme.directory;
            let text = format!("for {names}, comes from {directory} when the server runs");
            report.good(PART, &text);
        }
    }
    let port = config.server.listen.port();
    if port != PORT {
        let text = format!("domains are checked at port {PORT}, which has to lead to {port} here");
        report.good(PART, &text);
    }
}

fn look(folder: &Path) -> (Result<(), TlsError>, Result<Loaded, TlsError>) {
    let made = make_folder(folder);
    let file = folder.join("certificate.pem");
    let files = Tls {
        certificate: file.clone(),
        key: file,
    };
    (made, Loaded::read(&files))
}
