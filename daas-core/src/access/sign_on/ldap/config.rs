//! The settings of a directory, as they are written.

use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::secret::Secret;

/// The settings of a directory. Written out, they have no password in them.
///
/// A log-in finds the entry of a user in one of two ways. With `user_dn`, its name is made
/// from what was typed, and the directory is asked with that name and the password alone.
/// Otherwise it is searched: by the account `bind_dn`, or by nobody in particular where that
/// is empty.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LdapConfig {
    /// Where the directory is: `ldaps://host:port`, or `ldap://host:port`. Without TLS,
    /// passwords cross the network readable for everybody: so `ldap://` needs `start_tls`,
    /// unless the host is this machine itself or `allow_plain` is set.
    pub url: String,
    /// Whether TLS begins after the connection does. Where it cannot, no password is sent.
    pub start_tls: bool,
    /// Whether passwords may cross a network without TLS.
    pub allow_plain: bool,
    /// Certificates, in PEM, of those who vouch for the directory, and nobody else then
    /// does. Without it, those count that the operating system trusts.
    pub ca_file: Option<PathBuf>,
    /// The account that searches.
    pub bind_dn: String,
    /// Its password.
    #[serde(deserialize_with = "secret", skip_serializing)]
    pub bind_password: Option<Secret<String>>,
    /// A file with its password, which must not be open to every user of the machine. A line
    /// break at its end is not part of it.
    pub bind_password_file: Option<PathBuf>,
    /// The name of a user's entry, with `{name}` for what was typed, such as
    /// `uid={name},ou=people,dc=example,dc=org`.
    pub user_dn: String,
    /// Where users are searched, such as `ou=people,dc=example,dc=org`.
    pub base_dn: String,
    /// Which entries are users that may log in, with `{name}` for what was typed. It has to
    /// compare something with it for equality, and that is compared once more here, so that
    /// only case may differ. For Active Directory:
    /// `(&(objectClass=user)(sAMAccountName={name}))`.
    pub user_filter: String,
    /// The attribute with the name of a user; for Active Directory `sAMAccountName`.
    pub name_attribute: String,
    /// The attribute that no other user ever has; for Active Directory `objectGUID`, which
    /// is kept in hexadecimal digits.
    pub subject_attribute: String,
    /// The attribute with the address of a user.
    pub email_attribute: String,
    /// Where groups are searched; with `member_of`, where a group has to be to count. Empty
    /// where no group is searched, and where every group counts.
    pub group_base_dn: String,
    /// Which groups a user is in, with `{dn}` for the name of the user's entry, and `{name}`
    /// for that of the user.
    pub group_filter: String,
    /// The attribute with the name of a group.
    pub group_name_attribute: String,
    /// Whether groups are those in the attribute `memberOf` of a user, as in Active
    /// Directory. The name of a group is then the first value of its distinguished name.
    pub member_of: bool,
    /// Seconds for each step: connecting, TLS, and each answer. A log-in may take three
    /// times as long. From 1 to 60.
    pub timeout_s: u64,
}

impl Default for LdapConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            start_tls: false,
            allow_plain: false,
            ca_file: None,
            bind_dn: String::new(),
            bind_password: None,
            bind_password_file: None,
            user_dn: String::new(),
            base_dn: String::new(),
            user_filter: "(uid={name})".to_owned(),
            name_attribute: "uid".to_owned(),
            subject_attribute: "entryUUID".to_owned(),
            email_attribute: "mail".to_owned(),
            group_base_dn: String::new(),
            group_filter: "(member={dn})".to_owned(),
            group_name_attribute: "cn".to_owned(),
            member_of: false,
            timeout_s: 5,
        }
    }
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret<String>>, D::Error> {
    // A message of the deserialiser would hold what was found instead.
    let text = Option::<String>::deserialize(from);
    let text = text.map_err(|_| D::Error::custom("a text in quotes is wanted"))?;
    Ok(text.map(Secret::new))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn what_is_written() {
        let read = |json| serde_json::from_str::<LdapConfig>(json);
        let config = read(r#"{"url": "ldaps://x", "bind_password": "hush"}"#).unwrap();
        assert_eq!(config.user_filter, "(uid={name})");
        assert_eq!(config.timeout_s, 5);
        assert!(!config.allow_plain && !config.start_tls && !config.member_of);
        assert_eq!(config.bind_password, Some(Secret::new("hush".to_owned())));
        assert!(!format!("{config:?}").contains("hush"));
        let error = read(r#"{"verify": false}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field"), "{error}");
    }
}
