//! Names that nobody else has.

/// Of a job or a consumer: 64 random bits.
pub(crate) fn id() -> String {
    format!("{:016x}", fastrand::u64(..))
}
