//! Sessions: a random id in a cookie, kept in memory, and the token that ties a form to it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::forge::PersonId;
use crate::forge::local::Identified;

/// How long a session lasts: a shift.
pub(super) const SESSION_HOURS: i64 = 12;
/// The most sessions at once: 100 bytes each, so 1 MB; only those who signed in have one.
const SESSIONS_MAX: usize = 10_000;

/// The id of a session as its cookie carries it: 256 random bits in hex. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SessionId(String);

/// Who a session belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    pub(super) person: PersonId,
    pub(super) identified: Identified,
    pub(super) expires_at: Timestamp,
}

/// All sessions. They are found by the hash of their id, so that the search tells nothing about the ids.
pub(super) struct Sessions {
    key: [u8; 64],
    by_hash: Mutex<BTreeMap<[u8; 32], Session>>,
}

impl SessionId {
    pub(super) fn random() -> Self {
        Self(hex::encode(rand::random::<[u8; 32]>()))
    }

    /// The id in a cookie; none if it has not the form of one of ours.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 64 && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    pub(super) fn cookie(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SessionId(hidden)")
    }
}

impl Sessions {
    pub(super) fn new() -> Self {
        let (mut key, half) = ([0; 64], rand::random::<[u8; 32]>());
        key.iter_mut().zip(half.iter().chain(&rand::random::<[u8; 32]>())).for_each(|(to, from)| *to = *from);
        Self { key, by_hash: Mutex::default() }
    }

    /// Begins a session under a new id, so that an id somebody planted before is worth nothing.
    pub(super) fn begin(&self, person: PersonId, identified: Identified, now: Timestamp) -> SessionId {
        let expires_at = now + SignedDuration::from_hours(SESSION_HOURS);
        let (id, session) = (SessionId::random(), Session { person, identified, expires_at });
        let mut sessions = self.by_hash.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= SESSIONS_MAX {
            sessions.retain(|_, session| session.expires_at > now);
        }
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.expires_at).map(|(hash, _)| *hash);
            oldest.and_then(|hash| sessions.remove(&hash));
        }
        sessions.insert(id.hash(), session);
        id
    }

    pub(super) fn find(&self, id: &SessionId, now: Timestamp) -> Option<Session> {
        let sessions = self.by_hash.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(&id.hash()).filter(|session| session.expires_at > now).copied()
    }

    pub(super) fn end(&self, id: &SessionId) {
        self.by_hash.lock().unwrap_or_else(PoisonError::into_inner).remove(&id.hash());
    }

    /// The token that a form of this session carries.
    pub(super) fn form_token(&self, id: &SessionId) -> String {
        hex::encode(self.mac(id).finalize().into_bytes())
    }

    /// Whether a form's token is that of the session, in constant time.
    pub(super) fn is_form_token(&self, id: &SessionId, token: &str) -> bool {
        let mut bytes = [0; 32];
        hex::decode_to_slice(token, &mut bytes).is_ok() && self.mac(id).verify_slice(&bytes).is_ok()
    }

    fn mac(&self, id: &SessionId) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&self.key.into());
        mac.update(id.0.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_with_its_time_and_ties_forms_to_itself() {
        let (sessions, now) = (Sessions::new(), Timestamp::UNIX_EPOCH);
        let id = sessions.begin(4711, Identified::Token, now);
        let at = |seconds: i64| now + SignedDuration::from_secs(seconds);
        assert!(sessions.find(&id, at(SESSION_HOURS * 3600 - 1)).is_some());
        assert!(sessions.find(&id, at(SESSION_HOURS * 3600)).is_none());
        let other = SessionId::random();
        assert!(sessions.is_form_token(&id, &sessions.form_token(&id)));
        assert!(!sessions.is_form_token(&id, &sessions.form_token(&other)));
        assert!(!sessions.is_form_token(&id, ""));
        assert!(!Sessions::new().is_form_token(&id, &sessions.form_token(&id)));
        assert_eq!(SessionId::parse(id.cookie()), Some(id.clone()));
        assert_eq!(SessionId::parse(&id.cookie().to_uppercase()), None);
        sessions.end(&id);
        assert!(sessions.find(&id, now).is_none());
    }

    #[test]
    fn holds_10_000_sessions_and_lets_the_oldest_go() {
        let (sessions, now) = (Sessions::new(), Timestamp::UNIX_EPOCH);
        let first = sessions.begin(1, Identified::Token, now);
        let later = now + SignedDuration::from_secs(1);
        let second = sessions.begin(2, Identified::Token, later);
        for _ in 2..SESSIONS_MAX {
            sessions.begin(3, Identified::Token, later + SignedDuration::from_secs(1));
        }
        assert!(sessions.find(&first, later).is_some());
        sessions.begin(3, Identified::Token, later);
        assert!(sessions.find(&first, later).is_none());
        assert!(sessions.find(&second, later).is_some());
    }
}
