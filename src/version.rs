//! The version of this program and the build that it comes from, as the build script found them.

/// The version, such as `1.0.0`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The line that `-version` prints:
/// `confd 1.0.0 (x86_64-unknown-linux-musl, commit 463af26f1a2b, 2026-11-25)`.
pub const LINE: &str = concat!(
    "confd ",
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("CONFD_BUILD_TARGET"),
    ", commit ",
    env!("CONFD_BUILD_COMMIT"),
    ", ",
    env!("CONFD_BUILD_DATE"),
    ")"
);
