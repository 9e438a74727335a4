//! Mails: what they say, as plain text and as HTML. Pure; sending is the platform's.

mod letter;
mod render;

pub use letter::Letter;
pub use render::Rendered;
