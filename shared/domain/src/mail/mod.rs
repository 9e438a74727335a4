//! Mails: what they say, as plain text and as HTML. Pure; sending is the platform's.

mod billing;
mod category;
mod letter;
mod name;
mod render;
mod unsubscribe;

pub use billing::billing;
pub use category::Category;
pub use letter::{Letter, key_line};
pub use name::shown_name;
pub use render::Rendered;
pub use unsubscribe::{Unproven, Unsubscribe};

/// Whether mails of a kind hold a link that is good for whoever reads it: their text is kept nowhere.
pub fn carries_secret(kind: &str) -> bool {
    matches!(kind, "verify_email" | "reset_password" | "invitation")
}
