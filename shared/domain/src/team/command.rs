//! What can be asked of a team, what happens then, and why not.

use crate::{
    account::{Email, Role},
    id::{InvitationId, UserId},
    secret_hash::SecretHash,
    team::Invitation,
};

/// What somebody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Invites an address.
    Invite {
        /// The invitation's id.
        id: InvitationId,
        /// Whom.
        email: Email,
        /// As what: member or admin.
        role: Role,
        /// The hash of the token in the link.
        token_hash: SecretHash,
    },
    /// Takes an invitation back.
    RevokeInvitation {
        /// Which.
        id: InvitationId,
    },
    /// Joins with an invitation; the actor is who joins.
    Accept {
        /// Which.
        id: InvitationId,
        /// The hash of the token that was brought.
        token_hash: SecretHash,
        /// The actor's address, which must have been verified.
        email: Email,
    },
    /// Gives a member another role.
    ChangeRole {
        /// Whom; may be the actor, who can step down.
        user: UserId,
        /// Which.
        role: Role,
    },
    /// Puts a member out.
    Remove {
        /// Whom.
        user: UserId,
    },
    /// Leaves.
    Leave,
    /// Makes another member an owner and the actor an admin.
    TransferOwnership {
        /// Whom.
        to: UserId,
    },
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An invitation is to be sent.
    Invited(Invitation),
    /// An invitation is dead.
    InvitationRevoked {
        /// Which.
        id: InvitationId,
        /// When.
        at: crate::time::Timestamp,
    },
    /// Somebody joined.
    Joined {
        /// Who.
        user: UserId,
        /// Their address.
        email: Email,
        /// As what.
        role: Role,
        /// With which invitation.
        invitation: InvitationId,
    },
    /// A member has another role.
    RoleChanged {
        /// Who.
        user: UserId,
        /// Was.
        from: Role,
        /// Is.
        to: Role,
    },
    /// A member was put out.
    Removed {
        /// Who.
        user: UserId,
    },
    /// A member left.
    Left {
        /// Who.
        user: UserId,
    },
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The actor is not in the team: to them it does not exist.
    #[error("there is no such team")]
    NotAMember,
    /// The actor's role does not allow it.
    #[error("your role does not allow this")]
    NotAllowed,
    /// The role is above what the actor can give: their own, or ownership by invitation.
    #[error("you cannot give this role")]
    RoleTooHigh,
    /// The team would be without an owner.
    #[error("a team needs an owner: make somebody else one first")]
    LastOwner,
    /// Nobody of that id is in the team.
    #[error("there is no such member")]
    UnknownMember,
    /// No invitation of that id, or with another token: which of both is not told.
    #[error("there is no such invitation")]
    UnknownInvitation,
    /// It was accepted, revoked, or its time is over.
    #[error("the invitation is no longer good")]
    InvitationClosed,
    /// It was sent to another address.
    #[error("the invitation was sent to another address")]
    OtherAddress,
    /// They are in the team.
    #[error("is a member already")]
    AlreadyMember,
    /// An invitation to this address is pending.
    #[error("is invited already")]
    AlreadyInvited,
    /// Members and pending invitations fill the seats that are paid for.
    #[error("all seats are taken: add seats or remove somebody")]
    NoSeat,
    /// Oneself is not removed; one leaves.
    #[error("to go yourself, leave the team")]
    Oneself,
}
