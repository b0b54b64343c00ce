//! Values that open something, forged and altered: none is taken.
//!
//! `FORGED` is how many are tried of all kinds together; 1,000,000 unless told otherwise.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "support/store.rs"]
mod support;

use std::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daas_core::access::{Access, AccessConfig, By, Client, Passwords, TOKEN_PREFIX, Token};
use daas_core::audit::AuditAction;
use daas_core::model::{Scope, Session, SessionId, Timestamp};
use daas_core::storage::Invitation;
use support::{Fixture, T0, entry, fixture};

const ALL: usize = 1_000_000;
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const CHARACTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn now() -> Timestamp {
    T0.plus_ms(500)
}

/// Numbers that look random and are the same each time (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap() % below
    }

    fn character(&mut self) -> u8 {
        CHARACTERS[self.next(CHARACTERS.len())]
    }

    /// Another text than the real one, in one of the ways in which somebody would try.
    fn forge(&mut self, real: &str) -> String {
        let mut text = real.as_bytes().to_vec();
        let place = self.next(text.len());
        match self.next(9) {
            0 => return Token::random().unwrap().expose(),
            1 => text[place] = self.character(),
            2 => return self.flip(real),
            3 => text.truncate(place),
            4 => text.insert(place, self.character()),
            5 => text[place] ^= 0x20,
            6 => {
                let other = self.next(text.len());
                text.swap(place, other);
            }
            // The bits of the last character that belong to no byte.
            7 => *text.last_mut().unwrap() = self.character(),
            _ => text.extend_from_slice([&b"="[..], b" ", b"\n", b"\0", b"A"][self.next(5)]),
        }
        String::from_utf8(text).unwrap_or_default()
    }

    /// One to three bits are other ones.
    fn flip(&mut self, real: &str) -> String {
        let mut bytes = URL_SAFE_NO_PAD.decode(real).unwrap();
        for _ in 0..=self.next(3) {
            let place = self.next(bytes.len());
            bytes[place] ^= 1 << self.next(8);
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// One real value of each kind.
struct Real {
    fixture: Fixture,
    access: Access,
    session: Session,
    session_token: String,
    ticket: String,
    api_token: String,
    invitation: String,
}

impl Real {
    async fn new() -> Self {
        let fixture = fixture().await;
        let passwords = Passwords::new().unwrap();
        let access = Access::new(fixture.store.clone(), passwords, AccessConfig::default());
        let owner = fixture.store.user(fixture.owner).await.unwrap();
        let token = Token::random().unwrap();
        let session = Session {
            hash: token.hash(),
            id: SessionId::random(),
            expires_at: T0.plus_ms(1_000_000),
            ..support::session(fixture.owner, 1)
        };
        let store = &fixture.store;
        store.add_session(session.clone(), None).await.unwrap();
        let instance = fixture.launch().await;
        let (ticket, _) = access.give_ticket(&session, instance, T0).await.unwrap();
        let by = By::console();
        let scopes = vec![Scope::AppsRead];
        let made = access.make_token(&by, &owner, "x", scopes, 1, T0).await;
        let invited = Token::random().unwrap();
        let invitation = Invitation {
            hash: invited.hash(),
            user: fixture.owner,
            expires_at: T0.plus_ms(1_000_000),
        };
        let entry = entry(AuditAction::UserInvite);
        store.add_invitation(invitation, entry).await.unwrap();
        Self {
            session_token: token.expose(),
            ticket: ticket.expose(),
            api_token: made.unwrap().0.expose(),
            invitation: invited.expose(),
            session,
            access,
            fixture,
        }
    }

    async fn takes_session(&self, text: &str) -> bool {
        let Ok(token) = text.parse() else {
            return false;
        };
        let browser = Client::new(ADDRESS, "a browser");
        let let_in = self.access.authenticate(&token, browser, now()).await;
        let_in.is_ok()
    }

    async fn takes_ticket(&self, text: &str) -> bool {
        let Ok(token) = text.parse() else {
            return false;
        };
        let taken = self.access.take_ticket(&self.session, &token, now()).await;
        taken.is_ok()
    }

    async fn takes_api_token(&self, text: &str) -> bool {
        let access = &self.access;
        access
            .authenticate_token(text, ADDRESS, now())
            .await
            .is_ok()
    }

    async fn takes_invitation(&self, text: &str) -> bool {
        let Ok(token) = text.parse::<Token>() else {
            return false;
        };
        let invited = self.fixture.store.invited(token.hash(), now()).await;
        invited.is_ok()
    }
}

#[tokio::test]
async fn nothing_forged_is_taken() {
    let all = std::env::var("FORGED").map_or(ALL, |text| text.parse().unwrap());
    let real = Real::new().await;
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let mut tried = 0;
    while tried < all {
        let sessions = numbers.forge(&real.session_token);
        if sessions != real.session_token {
            assert!(!real.takes_session(&sessions).await, "{sessions}");
            tried += 1;
        }
        let ticket = numbers.forge(&real.ticket);
        if ticket != real.ticket {
            assert!(!real.takes_ticket(&ticket).await, "{ticket}");
            tried += 1;
        }
        let api_token = format!("{TOKEN_PREFIX}{}", numbers.forge(&real.api_token));
        if api_token != format!("{TOKEN_PREFIX}{}", real.api_token) {
            assert!(!real.takes_api_token(&api_token).await, "{api_token}");
            tried += 1;
        }
        let invitation = numbers.forge(&real.invitation);
        if invitation != real.invitation {
            assert!(!real.takes_invitation(&invitation).await, "{invitation}");
            tried += 1;
        }
    }
    println!("{tried} forged values");
    // Also without what stands before it, or with another.
    for text in [
        real.api_token.clone(),
        format!("DAAS_{}", real.api_token),
        format!(" {TOKEN_PREFIX}{}", real.api_token),
    ] {
        assert!(!real.takes_api_token(&text).await, "{text}");
    }
    // No value of one kind is good as another.
    for other in [&real.ticket, &real.api_token, &real.invitation] {
        assert!(!real.takes_session(other).await);
    }
    for other in [&real.session_token, &real.api_token, &real.invitation] {
        assert!(!real.takes_ticket(other).await);
    }
    // The real ones are still good after all that.
    let api_token = format!("{TOKEN_PREFIX}{}", real.api_token);
    assert!(real.takes_session(&real.session_token).await);
    assert!(real.takes_ticket(&real.ticket).await);
    assert!(real.takes_api_token(&api_token).await);
    assert!(real.takes_invitation(&real.invitation).await);
}
