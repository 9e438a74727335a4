//! A team on a clock that leaps ahead and comes back.

use super::*;
use crate::clock_leap::LEAP_MS;

const YEAR_MS: i64 = 370 * DAY_MS;

impl Team {
    /// A member asks for so many requests, uses them, and reports.
    fn use_up(&mut self, seat: usize, amount: u64) {
        if matches!(self.reserve(seat, amount), Decision::Short { .. }) {
            let ask = self.seats[seat].ask(seat, amount, self.clock);
            let PoolDecision::Leased(grant) = self.deliver_ask(ask) else { panic!("the pool has that many") };
            let clock = self.clock;
            self.seats[seat].run(&Command::Lease(grant), clock);
            assert!(matches!(self.reserve(seat, amount), Decision::Admitted(_)));
        }
        let (id, amount) = self.seats[seat].open.pop().unwrap();
        let settle = Settle { id, amounts: requests(amount), detail: UsageDetail::default() };
        let clock = self.clock;
        self.seats[seat].run(&Command::Settle(settle), clock);
        self.report(seat);
    }

    fn report(&mut self, seat: usize) {
        let report = self.seats[seat].report(self.clock);
        self.tell_pool(&PoolCommand::Report(user(seat), report));
    }

    fn see_clock(&mut self, clock: Timestamp) {
        self.clock = clock;
        for seat in &mut self.seats {
            seat.run(&Command::SeeClock, clock);
        }
        self.tell_pool(&PoolCommand::SeeClock);
    }

    fn used_in_pool(&self) -> u64 {
        self.pool.standings(self.clock)[0].used
    }

    /// Every member gives back what it holds idle: then nothing is leased any more.
    fn assert_nothing_is_lost(&mut self) {
        let clock = self.clock;
        for seat in 0..SEATS {
            self.seats[seat].run(&Command::ReturnIdle, clock);
            self.report(seat);
        }
        let standing = self.pool.standings(clock)[0];
        assert_eq!((standing.used, standing.reserved), (self.all_in_use().requests, 0));
    }

    fn replayed(&self) -> PoolState {
        let mut state = PoolState::default();
        for (at, event) in &self.entries {
            state.apply(*at, event);
        }
        state
    }
}

#[test]
fn a_team_is_where_it_was_when_the_clock_comes_back_and_what_was_used_meanwhile_counts() {
    let mut team = Team::new(10_000);
    team.use_up(0, 30);
    team.use_up(1, 20);
    team.clock = START.plus_millis(YEAR_MS);
    team.use_up(0, 5);
    team.use_up(2, 400);
    assert_eq!(team.used_in_pool(), 405, "by that clock it is another month");
    team.see_clock(START.plus_millis(600_000));
    let standing = team.pool.standings(team.clock)[0];
    assert_eq!(standing.used, 50, "before anybody has told what was used meanwhile");
    assert!(standing.reserved > 0, "what was leased is leased");
    for seat in 0..SEATS {
        team.report(seat);
    }
    assert_eq!(team.used_in_pool(), 455);
    assert_eq!(team.pool.now(team.clock), team.clock);
    assert_eq!(team.replayed(), team.pool);
    // And it goes on, up to the limit and not beyond it.
    team.use_up(3, 200);
    team.use_up(2, 50);
    let in_use = team.all_in_use().requests;
    assert_eq!(in_use, 705);
    team.assert_nothing_is_lost();
    let ask = team.seats[1].ask(1, 9_400, team.clock);
    assert!(matches!(team.deliver_ask(ask), PoolDecision::Short { .. } | PoolDecision::Refused(_)));
}

#[test]
fn a_member_whose_clock_alone_is_ahead_does_not_take_the_team_along() {
    let mut team = Team::new(1_000);
    team.use_up(0, 30);
    let ask = team.seats[1].ask(1, 5, START.plus_millis(YEAR_MS));
    team.deliver_ask(Ask { at: START.plus_millis(YEAR_MS), ..ask });
    assert!(team.pool.now(START) < START.plus_millis(LEAP_MS));
    assert_eq!(team.used_in_pool(), 30);
}

#[test]
fn an_operator_brings_a_team_back_of_which_nothing_is_kept() {
    let mut team = Team::new(1_000);
    team.use_up(0, 30);
    for day in 0..4 {
        team.clock = START.plus_millis(YEAR_MS).plus_days(day);
        team.use_up(0, 5);
    }
    let back = START.plus_days(5);
    team.see_clock(back);
    assert_ne!(team.pool.now(back), back, "it has lasted");
    for seat in &mut team.seats {
        seat.run(&Command::ReturnToClock, back);
    }
    team.tell_pool(&PoolCommand::ReturnToClock);
    assert_eq!(team.pool.now(back), back);
    assert_eq!(team.used_in_pool(), 20, "what is known to have been used counts");
    assert_eq!(team.replayed(), team.pool);
    team.use_up(0, 100);
    team.use_up(1, 100);
    assert_eq!((team.used_in_pool(), team.all_in_use().requests), (220, 220));
    team.assert_nothing_is_lost();
}

#[test]
fn what_is_kept_of_a_team_may_be_ahead_itself() {
    let mut team = Team::new(1_000);
    team.use_up(0, 30);
    team.clock = START.plus_millis(YEAR_MS);
    for gap_ms in [0, LEAP_MS - 1, 3 * LEAP_MS] {
        team.clock = team.clock.plus_millis(gap_ms);
        for _ in 0..26 {
            team.clock = team.clock.plus_millis(LEAP_MS - 1);
            team.use_up(0, 1);
        }
    }
    let late = team.seats[0].report(team.clock);
    let back = START.plus_days(5);
    team.clock = back;
    for seat in &mut team.seats {
        seat.run(&Command::ReturnToClock, back);
    }
    team.tell_pool(&PoolCommand::ReturnToClock);
    assert_eq!(team.pool.now(back), back);
    assert_eq!(team.used_in_pool(), 78, "what is known to have been used counts");
    assert_eq!(team.replayed(), team.pool);
    // What was told before is older, whatever it says.
    let old = Report { version: late.version - 1, period_start: START, settled: requests(1), returned: Amounts::ZERO };
    team.tell_pool(&PoolCommand::Report(user(0), old));
    assert_eq!(team.used_in_pool(), 78);
}

#[test]
fn the_month_that_began_meanwhile_keeps_what_the_team_used_in_it() {
    let mut team = Team::new(1_000);
    team.clock = START.plus_days(29);
    team.use_up(0, 30);
    team.clock = START.plus_days(32);
    team.use_up(0, 5);
    team.use_up(1, 7);
    let back = team.clock.plus_millis(-2 * LEAP_MS);
    team.see_clock(back);
    assert_eq!(team.used_in_pool(), 12);
    assert_eq!(team.replayed(), team.pool);
    team.use_up(0, 1);
    assert_eq!((team.used_in_pool(), team.all_in_use().requests), (13, 13));
    team.assert_nothing_is_lost();
}
