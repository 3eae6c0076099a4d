//! A clock that goes on while the machine sleeps.

/// Milliseconds since it was started, by a clock that neither stops while the process or the machine is
/// suspended nor follows steps of the wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BootTime {
    origin: u64,
}

impl BootTime {
    pub(crate) fn start() -> Self {
        Self { origin: raw() }
    }

    pub(crate) fn now(self) -> u64 {
        raw() - self.origin
    }
}

/// `CLOCK_BOOTTIME` where there is one; elsewhere the monotonic clock, which may stop during suspend.
fn raw() -> u64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(clock);
    now.tv_sec.cast_unsigned() * 1000 + now.tv_nsec.cast_unsigned() / 1_000_000
}
