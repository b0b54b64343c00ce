//! A directory for tests of other programs: OpenLDAP's slapd, with people in it.
//!
//! ```text
//! directory '{"people": [{"name": "ada", "password": "…", "groups": ["staff"]}]}'
//! ```
//!
//! It prints one line of JSON once it can be asked: what the settings `[ldap]` of the server
//! have to be. It ends when its standard input does: whoever started it cannot leave it behind.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Read as _, Write as _};

use serde::Deserialize;
use serde_json::json;

#[path = "../tests/support/slapd.rs"]
mod slapd;

use slapd::Slapd;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    people: Vec<Person>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    name: String,
    password: String,
    #[serde(default)]
    groups: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args().nth(1).ok_or("usage: directory JSON")?;
    let wanted: Wanted = serde_json::from_str(&argument)?;
    let slapd = Slapd::start().ok_or("there is no slapd")?;
    fill(&slapd, &wanted.people);
    let settings = json!({
        "url": slapd.tls_url(),
        "ca_file": slapd.ca_file(),
        "bind_dn": slapd::SEARCHER,
        "bind_password": slapd::SEARCHER_PASSWORD,
        "base_dn": slapd::PEOPLE,
        "group_base_dn": slapd::GROUPS,
    });
    writeln!(io::stdout(), "{settings}")?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn fill(slapd: &Slapd, people: &[Person]) {
    let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for person in people {
        let dn = slapd.add_person(&person.name, &person.password);
        for group in &person.groups {
            groups.entry(group).or_default().push(dn.clone());
        }
    }
    for (name, members) in groups {
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        slapd.add_group(name, &members);
    }
}
