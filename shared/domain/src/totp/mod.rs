//! The second factor: one-time passwords from an authenticator app (TOTP, RFC 6238), and recovery codes for the day the
//! telephone is gone.
//!
//! | file | its job |
//! |---|---|
//! | `code` | the number of an instant; which one is taken, and once only |
//! | `uri` | the address behind the QR code |
//! | `recovery` | recovery codes |
//!
//! SHA-1, six digits and thirty seconds are what every app takes; several ignore other values in the address. SHA-1's
//! collisions do not touch HMAC (RFC 6238, section 1.2; RFC 4226, appendix B.2).

mod code;
mod recovery;
mod uri;

pub use code::{Code, InvalidCode, PERIOD_SECONDS, Refusal, Secret, WINDOW_STEPS, verify};
pub use recovery::{RECOVERY_CODES, RecoveryCode, RecoveryCodes};
pub use uri::otpauth_uri;
