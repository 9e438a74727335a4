//! Which mails somebody wants.

use serde::{Deserialize, Serialize};

use crate::input::{FieldError, Validate};

/// `PUT /user/notifications`: what is left out stays as it is.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotificationsIn {
    /// That a trial ends, and that it has ended.
    #[serde(default)]
    pub reminders: Option<bool>,
    /// That 80, 90 or 100 % of a limit are used.
    #[serde(default)]
    pub quota_warnings: Option<bool>,
    /// What a month was used for.
    #[serde(default)]
    pub summary: Option<bool>,
}

impl Validate for NotificationsIn {
    fn validate(&self) -> Result<(), Vec<FieldError>> {
        Ok(())
    }
}

/// `GET /user/notifications`: which mails come. Those about the account's safety and about money always do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct NotificationsOut {
    /// That a trial ends, and that it has ended.
    pub reminders: bool,
    /// That 80, 90 or 100 % of a limit are used.
    pub quota_warnings: bool,
    /// What a month was used for.
    pub summary: bool,
}
