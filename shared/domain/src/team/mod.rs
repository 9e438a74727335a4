//! Teams: who is in, as what, and who may change that.
//!
//! A tenant of one is a team with one owner. [`Team::decide`] is `(team, actor, command, now) -> events or a refusal` and
//! changes nothing; [`Team::apply`] takes an event that has been made durable.
//!
//! | | member | admin | owner |
//! |---|---|---|---|
//! | uses the product, leaves | yes | yes | yes, unless the last one |
//! | invites, revokes invitations | | members, admins | members, admins |
//! | changes roles | | of members, up to admin | of everybody |
//! | removes | | members | everybody else |
//! | hands the team on, pays | | | yes |
//!
//! What always holds, each a property of `tests.rs` over any interleaving:
//! 1. A team has an owner.
//! 2. Nobody gets a role above that of who invited or promoted them, as it is at the moment they get it: an invitation dies
//!    when its inviter leaves or is demoted.
//! 3. No more people join than there are seats.
//! 4. An invitation is accepted once, within seven days, by whom it was sent to.
//!
//! An event that takes somebody out ([`Event::Left`], [`Event::Removed`]) is to end that user's sessions and keys; a role is
//! to be read when it is asked for, so that a changed one acts at once; an event that changes the number of members is to be
//! told to billing ([`Team::seats_used`]).

mod command;
mod decide;
mod invitation;
mod state;
#[cfg(test)]
mod tests;

pub use command::{Command, Event, Refusal};
pub use invitation::{INVITATION_MS, Invitation, InvitationStatus, InvitationToken};
pub use state::{Member, Permission, Team};
