//! Stories of teams, and whatever may happen to one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    account::{Email, Role},
    id::{InvitationId, UserId},
    secret_hash::SecretHash,
    time::Timestamp,
};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 16])
}

fn email(number: u8) -> Email {
    Email::parse(&format!("p{number}@example.com")).unwrap()
}

fn invitation(number: u8) -> InvitationId {
    InvitationId::from_bytes([number; 16])
}

fn token(number: u8) -> SecretHash {
    SecretHash::of("invitation", &[number])
}

fn invite(number: u8, role: Role) -> Command {
    Command::Invite { id: invitation(number), email: email(number), role, token_hash: token(number) }
}

fn accept(number: u8) -> Command {
    Command::Accept { id: invitation(number), token_hash: token(number), email: email(number) }
}

/// Owner 0, admin 1, member 2; ten seats.
fn team() -> Team {
    let mut team = Team::of(user(0), email(0));
    team.set_seats(10);
    for (number, role) in [(1, Role::Admin), (2, Role::Member)] {
        act(&mut team, 0, &invite(number, role)).unwrap();
        act(&mut team, number, &accept(number)).unwrap();
    }
    team
}

fn act(team: &mut Team, actor: u8, command: &Command) -> Result<Vec<Event>, Refusal> {
    act_at(team, actor, command, NOW)
}

fn act_at(team: &mut Team, actor: u8, command: &Command, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    let events = team.decide(user(actor), command, now)?;
    for event in &events {
        team.apply(event);
    }
    Ok(events)
}

fn change(number: u8, role: Role) -> Command {
    Command::ChangeRole { user: user(number), role }
}

fn remove(number: u8) -> Command {
    Command::Remove { user: user(number) }
}

#[test]
fn who_registers_owns_a_team_of_one_without_room() {
    let mut team = Team::of(user(0), email(0));
    assert_eq!(team.role(user(0)), Some(Role::Owner));
    assert_eq!(act(&mut team, 0, &invite(1, Role::Member)), Err(Refusal::NoSeat));
    assert_eq!(act(&mut team, 0, &Command::Leave), Err(Refusal::LastOwner));
}

#[test]
fn a_member_manages_nobody() {
    let mut team = team();
    for command in
        [invite(3, Role::Member), change(1, Role::Member), remove(1), Command::TransferOwnership { to: user(2) }]
    {
        assert_eq!(act(&mut team, 2, &command), Err(Refusal::NotAllowed), "{command:?}");
    }
    assert_eq!(act(&mut team, 2, &change(2, Role::Admin)), Err(Refusal::NotAllowed));
    assert!(act(&mut team, 2, &Command::Leave).is_ok());
}

#[test]
fn an_admin_manages_members_and_nobody_above() {
    let mut team = team();
    assert_eq!(act(&mut team, 1, &remove(0)), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut team, 1, &change(0, Role::Member)), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut team, 1, &change(2, Role::Owner)), Err(Refusal::RoleTooHigh));
    assert_eq!(act(&mut team, 1, &change(1, Role::Owner)), Err(Refusal::RoleTooHigh));
    assert_eq!(act(&mut team, 1, &invite(3, Role::Owner)), Err(Refusal::RoleTooHigh));
    assert!(act(&mut team, 1, &change(2, Role::Admin)).is_ok());
    // Now of the same rank.
    assert_eq!(act(&mut team, 1, &remove(2)), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut team, 1, &change(2, Role::Member)), Err(Refusal::NotAllowed));
    assert!(act(&mut team, 1, &change(1, Role::Member)).is_ok(), "one can step down");
}

#[test]
fn the_last_owner_stays_one() {
    let mut team = team();
    assert_eq!(act(&mut team, 0, &Command::Leave), Err(Refusal::LastOwner));
    assert_eq!(act(&mut team, 0, &change(0, Role::Admin)), Err(Refusal::LastOwner));
    assert_eq!(act(&mut team, 0, &remove(0)), Err(Refusal::Oneself));
    act(&mut team, 0, &change(1, Role::Owner)).unwrap();
    assert!(act(&mut team, 1, &remove(0)).is_ok());
    assert_eq!(act(&mut team, 1, &Command::Leave), Err(Refusal::LastOwner));
}

#[test]
fn ownership_is_handed_on_in_one_step() {
    let mut team = team();
    let events = act(&mut team, 0, &Command::TransferOwnership { to: user(2) }).unwrap();
    assert_eq!(events.len(), 2);
    assert_eq!([0, 1, 2].map(|number| team.role(user(number)).unwrap()), [Role::Admin, Role::Admin, Role::Owner]);
    assert_eq!(act(&mut team, 0, &Command::TransferOwnership { to: user(1) }), Err(Refusal::NotAllowed));
    assert_eq!(act(&mut team, 2, &Command::TransferOwnership { to: user(2) }), Err(Refusal::Oneself));
    assert_eq!(act(&mut team, 2, &Command::TransferOwnership { to: user(9) }), Err(Refusal::UnknownMember));
}

#[test]
fn an_invitation_is_for_one_person_once_and_for_seven_days() {
    let mut team = team();
    act(&mut team, 0, &invite(3, Role::Member)).unwrap();
    assert_eq!(act(&mut team, 0, &invite(3, Role::Member)), Err(Refusal::AlreadyInvited));
    assert_eq!(act(&mut team, 0, &invite(2, Role::Member)), Err(Refusal::AlreadyMember));
    let wrong_token = Command::Accept { id: invitation(3), token_hash: token(4), email: email(3) };
    assert_eq!(act(&mut team, 3, &wrong_token), Err(Refusal::UnknownInvitation));
    let forwarded = Command::Accept { id: invitation(3), token_hash: token(3), email: email(4) };
    assert_eq!(act(&mut team, 4, &forwarded), Err(Refusal::OtherAddress));
    let late = NOW.plus_millis(INVITATION_MS);
    assert_eq!(act_at(&mut team, 3, &accept(3), late), Err(Refusal::InvitationClosed));
    assert!(act_at(&mut team, 3, &accept(3), late.plus_millis(-1)).is_ok());
    assert_eq!(act(&mut team, 3, &accept(3)), Err(Refusal::InvitationClosed));
    let closed = team.invitations().find(|found| found.id == invitation(3)).unwrap();
    assert_eq!(closed.status(late), InvitationStatus::Accepted);
}

#[test]
fn an_invitation_can_be_taken_back() {
    let mut team = team();
    act(&mut team, 0, &invite(3, Role::Member)).unwrap();
    let revoke = Command::RevokeInvitation { id: invitation(3) };
    assert_eq!(act(&mut team, 2, &revoke), Err(Refusal::NotAllowed));
    assert!(act(&mut team, 1, &revoke).is_ok());
    assert_eq!(act(&mut team, 1, &revoke), Err(Refusal::InvitationClosed));
    assert_eq!(act(&mut team, 3, &accept(3)), Err(Refusal::InvitationClosed));
    assert!(act(&mut team, 0, &invite(3, Role::Member)).is_ok(), "the address can be invited again");
}

#[test]
fn an_invitation_dies_with_its_inviter_s_right_to_send_it() {
    for goes in [remove(1), change(1, Role::Member)] {
        let mut team = team();
        act(&mut team, 1, &invite(3, Role::Admin)).unwrap();
        let events = act(&mut team, 0, &goes).unwrap();
        assert!(events.contains(&Event::InvitationRevoked { id: invitation(3), at: NOW }), "{events:?}");
        assert_eq!(act(&mut team, 3, &accept(3)), Err(Refusal::InvitationClosed));
    }
    let mut team = team();
    act(&mut team, 0, &invite(3, Role::Admin)).unwrap();
    act(&mut team, 0, &Command::TransferOwnership { to: user(1) }).unwrap();
    assert!(act(&mut team, 3, &accept(3)).is_ok(), "an admin can still give it");
}

#[test]
fn pending_invitations_hold_their_seats() {
    let mut team = team();
    team.set_seats(4);
    act(&mut team, 0, &invite(3, Role::Member)).unwrap();
    assert_eq!(act(&mut team, 0, &invite(4, Role::Member)), Err(Refusal::NoSeat));
    let later = NOW.plus_millis(INVITATION_MS);
    assert!(act_at(&mut team, 0, &invite(4, Role::Member), later).is_ok(), "the first has expired");
    team.set_seats(3);
    assert_eq!(act_at(&mut team, 4, &accept(4), later), Err(Refusal::NoSeat));
    assert_eq!(team.seats_used(), 3);
}

#[test]
fn outside_there_is_no_team() {
    let mut team = team();
    for command in [invite(3, Role::Member), remove(2), Command::Leave, change(9, Role::Admin)] {
        assert_eq!(act(&mut team, 9, &command), Err(Refusal::NotAMember));
    }
    assert_eq!(act(&mut team, 9, &accept(9)), Err(Refusal::UnknownInvitation));
}

#[test]
fn what_is_stored_comes_back() {
    let team = team();
    let again = Team::stored(team.members().clone(), team.invitations().cloned().collect(), 10);
    assert_eq!(again, team);
}

const PEOPLE: u8 = 6;

fn commands() -> impl Strategy<Value = Command> {
    let number = || 0..PEOPLE;
    let role = || prop_oneof![Just(Role::Member), Just(Role::Admin), Just(Role::Owner)];
    prop_oneof![
        3 => (number(), role()).prop_map(|(number, role)| invite(number, role)),
        3 => number().prop_map(accept),
        1 => (number(), number()).prop_map(|(which, whose)| Command::Accept { id: invitation(which), token_hash: token(which), email: email(whose) }),
        1 => number().prop_map(|number| Command::RevokeInvitation { id: invitation(number) }),
        3 => (number(), role()).prop_map(|(number, role)| change(number, role)),
        1 => number().prop_map(remove),
        1 => Just(Command::Leave),
        1 => number().prop_map(|number| Command::TransferOwnership { to: user(number) }),
    ]
}

/// Mostly minutes, now and then longer than an invitation lives.
fn gaps() -> impl Strategy<Value = i64> {
    prop_oneof![15 => 0_i64..600_000, 1 => 0..2 * INVITATION_MS]
}

/// The role of who gave somebody theirs, at this moment.
fn giver_s_role(team: &Team, actor: u8, command: &Command) -> Option<Role> {
    match command {
        Command::Accept { id, .. } => {
            let invited_by = team.invitations().find(|found| found.id == *id)?.invited_by;
            team.role(invited_by)
        }
        _ => team.role(user(actor)),
    }
}

fn owners(team: &Team) -> usize {
    team.members().values().filter(|member| member.role == Role::Owner).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_team_has_an_owner_and_nobody_rises_above_who_lifted_them(
        story in proptest::collection::vec((0..PEOPLE, commands(), gaps(), proptest::option::weighted(0.05, 0_u32..8)), 1..80),
    ) {
        let mut team = Team::of(user(0), email(0));
        team.set_seats(5);
        let (mut now, mut accepted) = (NOW, BTreeMap::<InvitationId, usize>::new());
        for (actor, command, gap, seats) in story {
            now = now.plus_millis(gap);
            if let Some(seats) = seats {
                team.set_seats(seats);
            }
            let before = team.clone();
            let Ok(events) = act_at(&mut team, actor, &command, now) else {
                prop_assert_eq!(&team, &before);
                continue;
            };
            prop_assert!(owners(&team) >= 1, "no owner after {:?}", command);
            let giver = giver_s_role(&before, actor, &command);
            for (who, member) in team.members() {
                let was = before.role(*who);
                if was.is_none_or(|was| member.role > was) {
                    prop_assert!(giver.is_some_and(|giver| giver >= member.role), "{who} is {:?} by {giver:?}, {command:?}", member.role);
                }
            }
            for event in &events {
                if let Event::Joined { invitation, user: who, .. } = event {
                    *accepted.entry(*invitation).or_default() += 1;
                    prop_assert!(team.seats_used() <= team.seats() as usize);
                    prop_assert_eq!(*who, user(actor));
                }
                if let Event::Invited(invitation) = event {
                    // The tests use an id again for the same address; a new invitation is another one.
                    accepted.remove(&invitation.id);
                }
            }
            prop_assert!(accepted.values().all(|times| *times == 1));
            // Nobody but oneself, an owner, or somebody above takes a member out or down.
            for (who, was) in before.members() {
                let lost = team.role(*who).is_none_or(|is| is < was.role);
                let by = before.role(user(actor));
                prop_assert!(!lost || *who == user(actor) || by == Some(Role::Owner) || by > Some(was.role));
            }
        }
    }
}
