//! Attackers, owners and offices.

use proptest::prelude::*;

use super::*;
use crate::time::DAY_MS;

const START: i64 = 1_700_000_000_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(START + millis)
}

const STRANGER: Attempt = Attempt { device: None };

fn device(number: u8) -> Device {
    Device::new([number; 16])
}

fn from(number: u8) -> Attempt {
    Attempt { device: Some(device(number)) }
}

/// One account, many addresses.
#[derive(Default)]
struct World {
    account: AccountGuard,
    addresses: [AddressGuard; 8],
}

impl World {
    fn attempt(&mut self, attempt: Attempt, address: usize, now: Timestamp) -> Decision {
        let judged = judge(&self.account, &self.addresses[address], attempt, now);
        (self.account, self.addresses[address]) = (judged.account, judged.address);
        judged.decision
    }

    fn success(&mut self, attempt: Attempt, to_be_known: u8, address: usize, now: Timestamp) {
        if !self.account.knows(attempt) {
            self.addresses[address] = self.addresses[address].given_back();
        }
        self.account = self.account.succeeded(attempt, device(to_be_known), now);
    }
}

#[test]
fn a_typing_error_costs_nothing() {
    let mut world = World::default();
    for _ in 0..AddressGuard::POLICY.free {
        assert_eq!(world.attempt(STRANGER, 0, at(0)), Decision::Allow);
    }
}

#[test]
fn one_address_that_never_stops_does_not_delay_a_stranger_elsewhere() {
    let mut world = World::default();
    let mut guesses = 0;
    // Every second for three days.
    for second in 0..3 * 24 * 60 * 60 {
        let now = at(second * 1000);
        guesses += u32::from(world.attempt(STRANGER, 0, now) == Decision::Allow);
        if second % 60 == 0 {
            assert_eq!(world.account.attempt(STRANGER, now).0, Decision::Allow, "after {second} s");
        }
    }
    assert!(guesses > 100, "the attacker was at work: {guesses}");
}

#[test]
fn many_addresses_together_slow_strangers_down_and_never_lock_them_out() {
    let mut world = World::default();
    let mut waits = Vec::new();
    for (second, address) in (0..24 * 60 * 60).zip((0..8).cycle()) {
        if let Decision::Wait { retry_after_ms } = world.attempt(STRANGER, address, at(second * 1000)) {
            waits.push(retry_after_ms);
        }
    }
    assert!(waits.iter().all(|wait| *wait <= MAX_WAIT_MS));
    let (decision, _) = world.account.attempt(STRANGER, at(DAY_MS + MAX_WAIT_MS));
    assert_eq!(decision, Decision::Allow);
}

#[test]
fn a_success_clears_the_device_and_not_what_strangers_have_used_up() {
    let mut account = AccountGuard::default();
    for _ in 0..30 {
        account = account.attempt(STRANGER, at(0)).1;
    }
    // The owner comes in from a new device, again and again.
    for number in 0..5 {
        let now = at(i64::from(number) * 1000 + 1);
        let (decision, after) = account.attempt(STRANGER, now);
        assert_eq!(decision, Decision::Allow);
        account = after.succeeded(STRANGER, device(number), now);
    }
    // Strangers have no more guesses than before; each known device has its own.
    let (_, account) = account.attempt(STRANGER, at(9_000));
    assert_ne!(account.attempt(STRANGER, at(9_000)).0, Decision::Allow);
    assert_eq!(account.attempt(from(3), at(9_000)).0, Decision::Allow);
}

#[test]
fn an_office_that_signs_in_all_day_is_not_delayed() {
    let mut world = World::default();
    for person in 0..200_i64 {
        let now = at(person * 1000);
        let mut account = AccountGuard::default();
        let judged = judge(&account, &world.addresses[0], STRANGER, now);
        assert_eq!(judged.decision, Decision::Allow);
        account = judged.account.succeeded(STRANGER, device(1), now);
        world.addresses[0] = judged.address.given_back();
        assert!(account.knows(from(1)));
    }
}

#[test]
fn a_device_that_is_forgotten_is_a_stranger() {
    let account = AccountGuard::default().succeeded(STRANGER, device(1), at(0));
    assert!(account.knows(from(1)) && !account.knows(from(2)) && !account.knows(STRANGER));
    assert!(!account.without(device(1)).knows(from(1)));
    assert!(account.without(device(1)).is_forgotten(at(0)));
}

#[test]
fn the_day_s_most_guesses_are_few() {
    assert_eq!(MAX_GUESSES_PER_DAY, 41 + 145 + 97);
}

/// What can happen at an account.
#[derive(Debug, Clone)]
enum Happening {
    /// An attacker without a cookie of the owner's, from some address; perhaps with an invented one.
    Guess { address: usize, invented: Option<u8> },
    /// The owner at a known device types a wrong password, or the right one.
    Owner { right: bool, address: usize },
    /// The owner signs in at a new device.
    NewDevice { number: u8, address: usize },
}

fn happenings() -> impl Strategy<Value = Vec<(i64, Happening)>> {
    let happening = prop_oneof![
        20 => (0_usize..8, proptest::option::of(100_u8..110)).prop_map(|(address, invented)| Happening::Guess { address, invented }),
        1 => (any::<bool>(), 0_usize..8).prop_map(|(right, address)| Happening::Owner { right, address }),
        1 => (1_u8..100, 0_usize..8).prop_map(|(number, address)| Happening::NewDevice { number, address }),
    ];
    // Bursts and pauses; about a day and a half in all.
    proptest::collection::vec(
        (prop_oneof![5 => 0_i64..1_000, 3 => 0_i64..300_000, 1 => 0_i64..2_000_000], happening),
        1..600,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_happens_guesses_are_few_and_the_owner_s_device_is_never_kept_waiting(story in happenings()) {
        let mut world = World::default();
        world.success(STRANGER, 0, 7, at(0));
        let (mut now, mut guesses, mut owner_failures) = (0, Vec::new(), 0);
        for (gap, happening) in story {
            now += gap;
            match happening {
                Happening::Guess { address, invented } => {
                    let attempt = Attempt { device: invented.map(device) };
                    if world.attempt(attempt, address, at(now)) == Decision::Allow {
                        guesses.push(now);
                    }
                }
                Happening::Owner { right, address } => {
                    // Own failures in a row may cost time; nobody else's.
                    if owner_failures < AccountGuard::KNOWN.free {
                        prop_assert_eq!(world.attempt(from(0), address, at(now)), Decision::Allow);
                        if right {
                            world.success(from(0), 0, address, at(now));
                            owner_failures = 0;
                        } else {
                            owner_failures += 1;
                        }
                    }
                }
                Happening::NewDevice { number, address } => {
                    if world.attempt(STRANGER, address, at(now)) == Decision::Allow {
                        world.success(STRANGER, number, address, at(now));
                        // The owner's first device stays in use: it is not the one forgotten.
                        prop_assert_eq!(world.attempt(from(0), 7, at(now)), Decision::Allow);
                        world.success(from(0), 0, 7, at(now));
                        owner_failures = 0;
                    }
                }
            }
            let stored = serde_json::to_string(&world.account).unwrap();
            prop_assert!(stored.len() < 4_000, "bounded: {}", stored.len());
        }
        for (index, start) in guesses.iter().enumerate() {
            let within = guesses[index..].iter().take_while(|guess| **guess < start + DAY_MS).count() as u64;
            prop_assert!(within <= MAX_GUESSES_PER_DAY, "{within} guesses in a day");
        }
    }

    #[test]
    fn a_thousand_at_once_get_no_more_than_one_after_the_other(addresses in proptest::collection::vec(0_usize..8, 1_000)) {
        let mut world = World::default();
        let admitted = addresses.into_iter().filter(|address| world.attempt(STRANGER, *address, at(0)) == Decision::Allow).count();
        prop_assert!(admitted as u64 <= u64::from(AccountGuard::STRANGERS.free) + 1, "{admitted}");
    }

    #[test]
    fn what_is_stored_comes_back(story in proptest::collection::vec((0_i64..100_000, 0_u8..40, any::<bool>()), 0..60)) {
        let (mut account, mut now) = (AccountGuard::default(), 0);
        for (gap, number, right) in story {
            now += gap;
            let (decision, after) = account.attempt(from(number), at(now));
            account = after;
            if right && decision == Decision::Allow {
                account = account.succeeded(from(number), device(number), at(now));
            }
        }
        let stored = serde_json::to_string(&account).unwrap();
        prop_assert_eq!(serde_json::from_str::<AccountGuard>(&stored).unwrap(), account);
    }
}
