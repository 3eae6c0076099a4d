//! A secret that a request has to bring.

use std::fmt;

use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq;

/// Fewer characters can be guessed: 16 of 64 kinds are 96 bits.
const MIN_LEN: usize = 16;

/// Long enough for anything, and bounds what is compared.
const MAX_LEN: usize = 512;

/// A bearer token ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)): the header
/// `Authorization: Bearer …` of a request has to carry it.
///
/// It is compared in a time that tells its length at most, and printed nowhere.
#[derive(Clone)]
pub struct Token(Box<str>);

impl Token {
    /// Takes a secret of 16 to 512 characters, such as `openssl rand -hex 32` makes.
    ///
    /// # Errors
    ///
    /// If it is shorter or longer, or has characters that a token cannot have: letters, digits and
    /// `- . _ ~ + / =` are allowed.
    pub fn new(secret: impl Into<Box<str>>) -> Result<Self, TokenError> {
        let secret = secret.into();
        let legal = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
        if let Some(at) = secret.chars().position(|c| !legal(c)) {
            return Err(TokenError::Character { at });
        }
        // All are ASCII, so these are characters.
        if !(MIN_LEN..=MAX_LEN).contains(&secret.len()) {
            return Err(TokenError::Length { characters: secret.len() });
        }
        Ok(Self(secret))
    }

    /// Whether both are the same secret.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }

    /// Whether `headers` bring it.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return false;
        };
        let Some((scheme, secret)) = value.to_str().ok().and_then(|text| text.split_once(' '))
        else {
            return false;
        };
        scheme.eq_ignore_ascii_case("bearer")
            && bool::from(secret.as_bytes().ct_eq(self.0.as_bytes()))
    }
}

/// By hand, so that no log has the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Why a text cannot be a token. Does not repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Too short to be a secret, or too long.
    #[error(
        "token: {characters} characters are out of range, expected {MIN_LEN} to {MAX_LEN}; \
         `openssl rand -hex 32` makes one"
    )]
    Length {
        /// How long it is.
        characters: usize,
    },
    /// A character that the header cannot carry.
    #[error("token: character {at} is not allowed, expected letters, digits and - . _ ~ + / =")]
    Character {
        /// Its position, from 0.
        at: usize,
    },
}
