//! How somebody is found, and shown to be who they say they are.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::answer::{Entry, Outcome};
use super::connection::{Connection, Taken};
use super::dn::Dn;
use super::fault::Fault;
use super::filter::{Filter, Known};
use super::request::{Scope, Search};
use super::settings::{Account, Find, Groups, Settings};
use crate::access::sign_on::Identity;
use crate::secret::Secret;

/// What a directory is called where there is more than one place.
const PROVIDER: &str = "ldap";
/// Longest name that is looked for, in bytes.
const NAME_MAX: usize = 256;
/// Longest password that is tried, in bytes.
const PASSWORD_MAX: usize = 1024;
/// Longest subject in bytes.
const SUBJECT_MAX: usize = 256;
/// Longest address in bytes (RFC 5321, section 4.5.3.1).
const EMAIL_MAX: usize = 254;
/// Longest name of a group in bytes; others do not count.
const GROUP_MAX: usize = 256;
/// Most groups; those beyond do not count.
const GROUPS_MAX: u32 = 1000;
/// The attribute with the groups of an entry.
const MEMBER_OF: &str = "memberOf";
/// Attributes that are bytes and no text.
const BINARY: [&str; 3] = ["objectGUID", "objectSid", "GUID"];

/// Whether somebody may have this name at all.
pub(super) fn may_be_name(name: &str) -> bool {
    !name.trim().is_empty() && name.len() <= NAME_MAX && !name.chars().any(char::is_control)
}

/// Whether somebody may have this password. An empty one is never tried: a server would take
/// it as a wish to be nobody, and grant that (RFC 4513, section 5.1.2). Some stop reading at
/// NUL, so that one beginning with it would be empty.
pub(super) fn may_be_password(password: &Secret<String>) -> bool {
    let password = password.expose();
    !password.is_empty() && password.len() <= PASSWORD_MAX && !password.contains('\0')
}

/// Who has this name and this password.
pub(super) async fn identity(
    settings: &Settings,
    name: &str,
    password: &Secret<String>,
) -> Result<Option<Identity>, Fault> {
    let mut connection = Connection::open(&settings.server, settings.step).await?;
    let found = match &settings.find {
        Find::Direct(template) => {
            let dn = template.fill(name);
            match proves(&mut connection, &dn, password).await? {
                true => find(settings, &mut connection, &dn, Scope::Base, name).await?,
                false => None,
            }
        }
        Find::Search { account, base } => {
            begin(&mut connection, account.as_ref()).await?;
            match find(settings, &mut connection, base, Scope::Subtree, name).await? {
                Some(entry) if proves(&mut connection, &entry.dn, password).await? => Some(entry),
                _ => None,
            }
        }
    };
    let identity = match found {
        Some(entry) => Some(describe(settings, &mut connection, &entry, name).await?),
        None => None,
    };
    connection.close().await;
    Ok(identity)
}

/// Whether the places to search in can be searched.
pub(super) async fn check(settings: &Settings) -> Result<(), Fault> {
    let mut connection = Connection::open(&settings.server, settings.step).await?;
    let Find::Search { account, base } = &settings.find else {
        // Whatever it says, it speaks LDAP.
        connection.who_am_i().await?;
        connection.close().await;
        return Ok(());
    };
    begin(&mut connection, account.as_ref()).await?;
    let groups = match &settings.groups {
        Groups::Search { base, .. } => Some(("group_base_dn", base)),
        _ => None,
    };
    for (field, base) in [("base_dn", base)].into_iter().chain(groups) {
        let search = Search {
            base,
            scope: Scope::Base,
            filter: Filter::any().encode(Known { name: "", dn: "" }),
            attributes: &["1.1"],
            entries_max: 1,
            seconds_max: seconds(settings),
        };
        let is_there = match connection.search(&search).await {
            Ok(found) => !found.entries.is_empty(),
            Err(Fault::Refused { outcome, .. }) if outcome.code == Outcome::NO_SUCH_OBJECT => false,
            Err(fault) => return Err(fault),
        };
        if !is_there {
            return Err(Fault::setting(field, "cannot be seen in the directory"));
        }
    }
    connection.close().await;
    Ok(())
}

fn seconds(settings: &Settings) -> u32 {
    u32::try_from(settings.step.as_secs()).unwrap_or(u32::MAX)
}

/// Becomes the account that searches.
async fn begin(connection: &mut Connection, account: Option<&Account>) -> Result<(), Fault> {
    let Some(Account { dn, password }) = account else {
        return Ok(());
    };
    let outcome = connection.bind(dn, password.expose()).await?;
    match outcome.is_success() {
        true => Ok(()),
        false => Err(Fault::Refused {
            operation: "the bind of the account that searches",
            outcome,
        }),
    }
}

/// Whether a password is that of an entry.
async fn proves(
    connection: &mut Connection,
    dn: &str,
    password: &Secret<String>,
) -> Result<bool, Fault> {
    if dn.is_empty() {
        return Err(Fault::Answer("an entry has no name"));
    }
    let outcome = connection.bind(dn, password.expose()).await?;
    if outcome.is_success() {
        // It may be a success of nobody in particular.
        return Ok(connection.who_am_i().await? != Taken::ForNobody);
    }
    if outcome.means_wrong() {
        return Ok(false);
    }
    // What a server says about a password is not for the log.
    let diagnostic = String::new();
    Err(Fault::Refused {
        operation: "the bind of a user",
        outcome: Outcome {
            diagnostic,
            ..outcome
        },
    })
}

/// The one entry that the user filter fits.
async fn find(
    settings: &Settings,
    connection: &mut Connection,
    base: &str,
    scope: Scope,
    name: &str,
) -> Result<Option<Entry>, Fault> {
    let known = Known { name, dn: "" };
    let compared = settings.filter.name_comparisons(known);
    let mut attributes = vec![&*settings.name, &*settings.subject, &*settings.email];
    attributes.extend(compared.iter().map(|(attribute, _)| *attribute));
    if matches!(settings.groups, Groups::MemberOf { .. }) {
        attributes.push(MEMBER_OF);
    }
    attributes.sort_unstable();
    attributes.dedup();
    let search = Search {
        base,
        scope,
        filter: settings.filter.encode(known),
        attributes: &attributes,
        // One more than may be, to notice it.
        entries_max: 2,
        seconds_max: seconds(settings),
    };
    let mut found = connection.search(&search).await?;
    if found.entries.len() > 1 || found.is_cut {
        return Err(Fault::Ambiguous);
    }
    match found.entries.pop() {
        Some(entry) if is_meant(&entry, &compared)? => Ok(Some(entry)),
        _ => Ok(None),
    }
}

/// Whether an entry is meant by what was typed: but for case, one of what the filter compares
/// with is there letter by letter. To a directory many more spellings are the same name, and
/// each would be a name of its own to whatever counts attempts.
fn is_meant(entry: &Entry, compared: &[(&str, Vec<u8>)]) -> Result<bool, Fault> {
    let mut names = compared.iter().map(|(attribute, _)| *attribute);
    let first = names.clone().next().unwrap_or_default();
    // It was found by one of them, which then cannot be seen.
    if names.all(|attribute| entry.values(attribute).next().is_none()) {
        return Err(Fault::Attribute(first.to_owned()));
    }
    Ok(compared.iter().any(|(attribute, typed)| {
        let typed = String::from_utf8_lossy(typed).to_lowercase();
        let mut values = entry.texts(attribute);
        values.any(|value| value.to_lowercase() == typed)
    }))
}

async fn describe(
    settings: &Settings,
    connection: &mut Connection,
    entry: &Entry,
    typed: &str,
) -> Result<Identity, Fault> {
    let name = name_of(entry, &settings.name, typed)?;
    let groups = groups_of(settings, connection, entry, &name).await?;
    Ok(Identity {
        provider: PROVIDER.to_owned(),
        subject: subject_of(entry, &settings.subject)?,
        name,
        email: email_of(entry, &settings.email),
        groups: groups.into_iter().collect(),
    })
}

async fn groups_of(
    settings: &Settings,
    connection: &mut Connection,
    entry: &Entry,
    name: &str,
) -> Result<BTreeSet<String>, Fault> {
    let (base, filter, attribute) = match &settings.groups {
        Groups::Ignored => return Ok(BTreeSet::new()),
        Groups::MemberOf { within } => return Ok(listed_groups(entry, within.as_ref())),
        Groups::Search { base, filter, name } => (base, filter, name),
    };
    // Users may not see what the account that searches sees.
    if let Find::Search { account, .. } = &settings.find {
        begin(connection, account.as_ref()).await?;
    }
    let dn = &entry.dn;
    let search = Search {
        base,
        scope: Scope::Subtree,
        filter: filter.encode(Known { name, dn }),
        attributes: &[attribute],
        entries_max: GROUPS_MAX,
        seconds_max: seconds(settings),
    };
    found_groups(connection, &search).await
}

/// The name as the directory writes it: of several the one that was typed.
fn name_of(entry: &Entry, attribute: &str, typed: &str) -> Result<String, Fault> {
    let typed = typed.to_lowercase();
    let names: Vec<_> = entry
        .texts(attribute)
        .filter(|name| may_be_name(name))
        .collect();
    let same = names.iter().find(|name| name.to_lowercase() == typed);
    let name = same.or(names.first()).copied();
    let name = name.ok_or_else(|| Fault::Attribute(attribute.to_owned()))?;
    Ok(name.to_owned())
}

/// What the directory calls an entry for ever: one value, and no other.
fn subject_of(entry: &Entry, attribute: &str) -> Result<String, Fault> {
    let values: Vec<_> = entry.values(attribute).collect();
    let subject = match values.as_slice() {
        [value] if value.is_empty() || value.len() > SUBJECT_MAX => None,
        [value] if is_binary(attribute) => Some(hex(value)),
        [value] => str::from_utf8(value).ok().map(str::to_owned),
        _ => None,
    };
    let subject = subject.filter(|subject| !subject.chars().any(char::is_control));
    subject.ok_or_else(|| Fault::Attribute(attribute.to_owned()))
}

fn is_binary(attribute: &str) -> bool {
    let is_known = BINARY
        .iter()
        .any(|known| known.eq_ignore_ascii_case(attribute));
    is_known || attribute.to_ascii_lowercase().ends_with(";binary")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn email_of(entry: &Entry, attribute: &str) -> Option<String> {
    let mut addresses = entry.texts(attribute);
    let is_good = |address: &&str| {
        let is_visible = address
            .chars()
            .all(|c| !c.is_control() && !c.is_whitespace());
        is_visible && address.contains('@') && address.len() <= EMAIL_MAX
    };
    addresses.find(is_good).map(str::to_owned)
}

fn may_be_group(name: &str) -> bool {
    !name.trim().is_empty() && name.len() <= GROUP_MAX && !name.chars().any(char::is_control)
}

/// The first name of each group that a search finds.
async fn found_groups(
    connection: &mut Connection,
    search: &Search<'_>,
) -> Result<BTreeSet<String>, Fault> {
    let found = connection.search(search).await?;
    warn_of_more(found.is_cut);
    let names = found.entries.iter().filter_map(|group| {
        let attribute = search.attributes.first()?;
        group.texts(attribute).next()
    });
    Ok(names
        .filter(|name| may_be_group(name))
        .map(str::to_owned)
        .collect())
}

/// Groups that an entry itself lists.
fn listed_groups(entry: &Entry, within: Option<&Dn>) -> BTreeSet<String> {
    let most = usize::try_from(GROUPS_MAX).unwrap_or(usize::MAX);
    let mut listed = entry.texts(MEMBER_OF);
    let groups = listed.by_ref().take(most).filter_map(|dn| {
        let dn = Dn::parse(dn).ok()?;
        let counts = within.is_none_or(|base| dn.is_within(base));
        let name = dn.first_value().filter(|name| counts && may_be_group(name));
        name.map(str::to_owned)
    });
    let groups = groups.collect();
    warn_of_more(listed.next().is_some());
    groups
}

fn warn_of_more(is_more: bool) {
    if is_more {
        tracing::warn!("somebody is in more groups of the directory than are looked at");
    }
}
