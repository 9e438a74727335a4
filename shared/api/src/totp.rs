//! The second factor.

use serde::{Deserialize, Serialize};
use tollgate_domain::time::Timestamp;

use crate::input::Validate;

/// `POST /auth/totp/enroll`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct EnrollIn {
    /// The account's password; left out where the account has none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub password: Option<String>,
}

impl Validate for EnrollIn {}

/// A code: what the app shows, or, where the call takes them, a recovery code.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct CodeIn {
    /// Six digits; or a recovery code as `8F3K-XXXX-XXXX-XXXX`.
    #[schema(example = "287082")]
    pub code: String,
}

impl Validate for CodeIn {}

/// What the app is told. It is shown once.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct EnrolledOut {
    /// The address behind the QR code.
    #[schema(
        example = "otpauth://totp/Tollgate:ada%40example.com?secret=…&issuer=Tollgate&algorithm=SHA1&digits=6&period=30"
    )]
    pub otpauth_uri: String,
    /// The secret in base 32, to be typed where no camera is.
    pub secret: String,
}

/// New recovery codes. They are shown once; earlier ones are worthless from now on.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RecoveryCodesOut {
    /// Ten, each good for one sign-in.
    pub recovery_codes: Vec<String>,
}

/// `GET /auth/totp`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TotpOut {
    /// Whether a sign-in with the password wants a code.
    pub enabled: bool,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub enabled_at: Option<Timestamp>,
    /// How many recovery codes are left.
    pub recovery_codes_left: usize,
}
