//! Mails: what they say, as plain text and as HTML. Pure; sending is the platform's.

mod billing;
mod category;
mod letter;
mod render;

pub use billing::billing;
pub use category::Category;
pub use letter::Letter;
pub use render::Rendered;
