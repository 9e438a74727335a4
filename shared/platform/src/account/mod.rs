//! What happens to an account, whichever function does it: its sessions end, its user is told, the log notes it.

pub mod ending;
pub mod first_proof;
pub mod mailed;
pub mod noted;
pub mod opening;
