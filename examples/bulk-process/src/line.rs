//! What is done with one line: a few microseconds of pure computation.

use std::{fmt, io, str};

use sha2::{Digest, Sha256};

/// How often an order is hashed, so that computing takes longer than reading and writing.
const ROUNDS: usize = 32;

/// What a line results in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    id: u64,
    cents: u64,
    digest: u64,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{:016x}", self.id, self.cents, self.digest)
    }
}

/// Why a line has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    #[error("the file cannot be read")]
    Read(#[from] io::Error),
    #[error("not UTF-8")]
    NotUtf8(#[from] str::Utf8Error),
    #[error("no field `{0}`")]
    Missing(&'static str),
    #[error("`{0}` is not a number")]
    NotANumber(&'static str),
}

pub(crate) fn process(line: io::Result<Vec<u8>>) -> Result<Row, LineError> {
    let line = line?;
    let mut fields = str::from_utf8(&line)?.splitn(4, ',');
    let mut number = |name| {
        let field = fields.next().ok_or(LineError::Missing(name))?;
        field.parse::<u64>().map_err(|_| LineError::NotANumber(name))
    };
    let (id, _customer, cents) = (number("id")?, number("customer")?, number("cents")?);
    let mut hash = Sha256::digest(&line);
    for _ in 1..ROUNDS {
        hash = Sha256::digest(hash);
    }
    let digest = hash.iter().take(8).fold(0, |digest, byte| digest << 8 | u64::from(*byte));
    Ok(Row { id, cents, digest })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(line: &[u8]) -> String {
        process(Ok(line.to_vec())).expect_err("malformed").to_string()
    }

    #[test]
    fn malformed_lines_say_what_is_wrong() {
        assert_eq!(error(b"1,2,n/a,text"), "`cents` is not a number");
        assert_eq!(error(b"1"), "no field `customer`");
        assert_eq!(error(b"\xFF,2,3,text"), "not UTF-8");
        assert!(process(Ok(b"1,2,3,text".to_vec())).is_ok());
    }
}
