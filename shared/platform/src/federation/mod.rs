//! Signing in through other parties: what every function that does so shares. The rules are in `domain::federation`.

mod browser;
mod finish;
mod flow;
mod link;
pub mod openid;
mod provider;
pub mod team_provider;

pub use browser::Browser;
pub use finish::{code_hash, finish, tokens};
pub use flow::{Answer, Asking, begin, taken};
pub use link::{Admitted, known, link, new_identity, note_link};
pub use provider::{Identified, Provider, reach, refused};
