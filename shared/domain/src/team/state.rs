//! The state of a team.

use std::collections::BTreeMap;

use super::{
    command::Event,
    invitation::{Invitation, InvitationStatus},
};
use crate::{
    account::{Email, Role},
    id::{InvitationId, UserId},
    time::Timestamp,
};

/// What a role may do; a handler's signature names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Sees members and uses the product.
    Use,
    /// Invites, revokes invitations, removes and promotes.
    ManageMembers,
    /// Plans, checkout, invoices, seats.
    ManageBilling,
    /// Hands the team on, deletes it.
    OwnTeam,
}

impl Role {
    /// Whether this role may do that.
    pub const fn may(self, permission: Permission) -> bool {
        match permission {
            Permission::Use => true,
            Permission::ManageMembers => matches!(self, Self::Admin | Self::Owner),
            Permission::ManageBilling | Permission::OwnTeam => matches!(self, Self::Owner),
        }
    }
}

/// Somebody in a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Their address.
    pub email: Email,
    /// What they are.
    pub role: Role,
}

/// A team: its members, its invitations, its seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    members: BTreeMap<UserId, Member>,
    invitations: BTreeMap<InvitationId, Invitation>,
    seats: u32,
}

impl Team {
    /// A team of one: who registers owns it.
    pub fn of(owner: UserId, email: Email) -> Self {
        let members = BTreeMap::from([(owner, Member { email, role: Role::Owner })]);
        Self { members, invitations: BTreeMap::new(), seats: 1 }
    }

    /// A team as it is stored.
    pub fn stored(members: BTreeMap<UserId, Member>, invitations: Vec<Invitation>, seats: u32) -> Self {
        let invitations = invitations.into_iter().map(|invitation| (invitation.id, invitation)).collect();
        Self { members, invitations, seats }
    }

    /// Another number of seats is paid for. Fewer than there are members: they stay, nobody can join.
    pub const fn set_seats(&mut self, seats: u32) {
        self.seats = seats;
    }

    /// The members.
    pub const fn members(&self) -> &BTreeMap<UserId, Member> {
        &self.members
    }

    /// The invitations, also those that are closed.
    pub fn invitations(&self) -> impl Iterator<Item = &Invitation> {
        self.invitations.values()
    }

    /// What somebody is; `None` for who is not in the team.
    pub fn role(&self, user: UserId) -> Option<Role> {
        self.members.get(&user).map(|member| member.role)
    }

    /// How many seats are occupied: what billing charges for.
    pub fn seats_used(&self) -> usize {
        self.members.len()
    }

    /// Seats that are neither occupied nor held by a pending invitation.
    pub fn seats_free(&self, now: Timestamp) -> usize {
        let pending = self.invitations().filter(|invitation| invitation.status(now) == InvitationStatus::Pending);
        usize::try_from(self.seats).unwrap_or(usize::MAX).saturating_sub(self.members.len() + pending.count())
    }

    pub(super) const fn seats(&self) -> u32 {
        self.seats
    }

    pub(super) fn invitation(&self, id: InvitationId) -> Option<&Invitation> {
        self.invitations.get(&id)
    }

    /// Whether somebody is an owner and nobody else is.
    pub fn is_last_owner(&self, user: UserId) -> bool {
        let mut owners = self.members.iter().filter(|(_, member)| member.role == Role::Owner);
        owners.next().is_some_and(|(owner, _)| *owner == user) && owners.next().is_none()
    }

    /// Takes in what happened.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Invited(invitation) => {
                self.invitations.insert(invitation.id, invitation.clone());
            }
            Event::InvitationRevoked { id, at } => {
                if let Some(invitation) = self.invitations.get_mut(id) {
                    invitation.revoked_at = Some(*at);
                }
            }
            Event::Joined { user, email, role, invitation } => {
                self.members.insert(*user, Member { email: email.clone(), role: *role });
                if let Some(invitation) = self.invitations.get_mut(invitation) {
                    invitation.accepted_by = Some(*user);
                }
            }
            Event::RoleChanged { user, to, .. } => {
                if let Some(member) = self.members.get_mut(user) {
                    member.role = *to;
                }
            }
            Event::Removed { user } | Event::Left { user } => {
                self.members.remove(user);
            }
        }
    }
}
