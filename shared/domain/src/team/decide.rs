//! What follows from a command.

use super::{
    command::{Command, Event, Refusal},
    invitation::{INVITATION_MS, Invitation},
    state::{Permission, Team},
};
use crate::{
    account::{Email, Role},
    id::{InvitationId, UserId},
    secret_hash::SecretHash,
    time::Timestamp,
};

impl Team {
    /// Decides a command; the events are to be stored together or not at all.
    ///
    /// # Errors
    /// [`Refusal`]: then nothing happens.
    pub fn decide(&self, actor: UserId, command: &Command, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        if let Command::Accept { id, token_hash, email } = command {
            return self.accept(actor, *id, token_hash, email, now).map(|event| vec![event]);
        }
        let role = self.role(actor).ok_or(Refusal::NotAMember)?;
        match command {
            Command::Accept { .. } => Err(Refusal::UnknownInvitation),
            Command::Invite { id, email, role: wanted, token_hash } => {
                self.invite(actor, role, (*id, email, *wanted, *token_hash), now).map(|event| vec![event])
            }
            Command::RevokeInvitation { id } => {
                allowed(role.may(Permission::ManageMembers))?;
                let invitation = self.invitation(*id).ok_or(Refusal::UnknownInvitation)?;
                if !invitation.is_pending(now) {
                    return Err(Refusal::InvitationClosed);
                }
                Ok(vec![Event::InvitationRevoked { id: *id, at: now }])
            }
            Command::ChangeRole { user, role: wanted } => self.change_role(actor, role, *user, *wanted, now),
            Command::Remove { user } => {
                allowed(role.may(Permission::ManageMembers))?;
                if *user == actor {
                    return Err(Refusal::Oneself);
                }
                let theirs = self.role(*user).ok_or(Refusal::UnknownMember)?;
                allowed(outranks(role, theirs))?;
                self.goes(*user, Event::Removed { user: *user }, now)
            }
            Command::Leave => self.goes(actor, Event::Left { user: actor }, now),
            Command::TransferOwnership { to } => {
                allowed(role.may(Permission::OwnTeam))?;
                if *to == actor {
                    return Err(Refusal::Oneself);
                }
                let theirs = self.role(*to).ok_or(Refusal::UnknownMember)?;
                let mut events = Vec::new();
                if theirs != Role::Owner {
                    events.push(Event::RoleChanged { user: *to, from: theirs, to: Role::Owner });
                }
                events.push(Event::RoleChanged { user: actor, from: Role::Owner, to: Role::Admin });
                Ok(events)
            }
        }
    }

    fn invite(
        &self,
        actor: UserId,
        role: Role,
        (id, email, wanted, token_hash): (InvitationId, &Email, Role, SecretHash),
        now: Timestamp,
    ) -> Result<Event, Refusal> {
        allowed(role.may(Permission::ManageMembers))?;
        // Owners are made of members that are known, not of addresses.
        if wanted > role || wanted == Role::Owner {
            return Err(Refusal::RoleTooHigh);
        }
        if self.members().values().any(|member| member.email == *email) {
            return Err(Refusal::AlreadyMember);
        }
        if self.invitations().any(|invitation| invitation.email == *email && invitation.is_pending(now)) {
            return Err(Refusal::AlreadyInvited);
        }
        if self.seats_free(now) == 0 {
            return Err(Refusal::NoSeat);
        }
        Ok(Event::Invited(Invitation {
            id,
            email: email.clone(),
            role: wanted,
            invited_by: actor,
            token_hash,
            expires_at: now.plus_millis(INVITATION_MS),
            accepted_by: None,
            revoked_at: None,
        }))
    }

    fn accept(
        &self,
        actor: UserId,
        id: InvitationId,
        token_hash: &SecretHash,
        email: &Email,
        now: Timestamp,
    ) -> Result<Event, Refusal> {
        let invitation = self.invitation(id).ok_or(Refusal::UnknownInvitation)?;
        if invitation.token_hash != *token_hash {
            return Err(Refusal::UnknownInvitation);
        }
        if !invitation.is_pending(now) {
            return Err(Refusal::InvitationClosed);
        }
        if invitation.email != *email {
            return Err(Refusal::OtherAddress);
        }
        if self.role(actor).is_some() {
            return Err(Refusal::AlreadyMember);
        }
        // The invitation holds a seat; but there may be fewer than when it was sent.
        if self.seats_used() >= usize::try_from(self.seats()).unwrap_or(usize::MAX) {
            return Err(Refusal::NoSeat);
        }
        Ok(Event::Joined { user: actor, email: email.clone(), role: invitation.role, invitation: id })
    }

    /// Whether somebody may come in as a member because the team's single sign-on vouches for their address; with which
    /// pending invitation, if one was sent to it. It takes a seat: a free one, or the one that the invitation holds.
    ///
    /// # Errors
    /// `AlreadyMember` and `NoSeat`.
    pub fn provision(&self, user: UserId, email: &Email, now: Timestamp) -> Result<Option<InvitationId>, Refusal> {
        if self.role(user).is_some() || self.members().values().any(|member| member.email == *email) {
            return Err(Refusal::AlreadyMember);
        }
        let invited = self.invitations().find(|one| one.email == *email && one.is_pending(now)).map(|one| one.id);
        let is_full = self.seats_used() >= usize::try_from(self.seats()).unwrap_or(usize::MAX);
        if is_full || (invited.is_none() && self.seats_free(now) == 0) {
            return Err(Refusal::NoSeat);
        }
        Ok(invited)
    }

    fn change_role(
        &self,
        actor: UserId,
        role: Role,
        user: UserId,
        wanted: Role,
        now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        let steps_down = user == actor && wanted <= role;
        allowed(steps_down || role.may(Permission::ManageMembers))?;
        let theirs = self.role(user).ok_or(Refusal::UnknownMember)?;
        if wanted > role {
            return Err(Refusal::RoleTooHigh);
        }
        allowed(steps_down || outranks(role, theirs))?;
        if wanted == theirs {
            return Ok(Vec::new());
        }
        if wanted < Role::Owner && self.is_last_owner(user) {
            return Err(Refusal::LastOwner);
        }
        let mut events = vec![Event::RoleChanged { user, from: theirs, to: wanted }];
        events.extend(self.invitations_lost(user, Some(wanted), now));
        Ok(events)
    }

    fn goes(&self, user: UserId, event: Event, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        if self.is_last_owner(user) {
            return Err(Refusal::LastOwner);
        }
        Ok(core::iter::once(event).chain(self.invitations_lost(user, None, now)).collect())
    }

    /// The pending invitations that somebody could no longer send in the role that is left to them.
    fn invitations_lost(
        &self,
        inviter: UserId,
        left: Option<Role>,
        now: Timestamp,
    ) -> impl Iterator<Item = Event> + '_ {
        self.invitations()
            .filter(move |invitation| invitation.invited_by == inviter && invitation.is_pending(now))
            .filter(move |invitation| {
                !left.is_some_and(|role| role.may(Permission::ManageMembers) && invitation.role <= role)
            })
            .map(move |invitation| Event::InvitationRevoked { id: invitation.id, at: now })
    }
}

/// An owner stands above everybody, other owners too; an admin above members.
fn outranks(role: Role, theirs: Role) -> bool {
    role == Role::Owner || role > theirs
}

const fn allowed(allowed: bool) -> Result<(), Refusal> {
    if allowed { Ok(()) } else { Err(Refusal::NotAllowed) }
}
