//! Stories, and a team of real meters whose messages are lost, doubled and late.

use proptest::prelude::*;

use super::*;
use crate::{
    catalogue::{Plan, Product},
    clock_leap::Leaping as _,
    id::{GrantId, ReservationId, UserId},
    meter::{
        Amounts, AnswerRoom, Command, Decision, Entitlement, Event, Grant, GrantReason, LeaseGrant, Limit, Limits,
        MeterName, Refusal, Reserve, Settle, State, Terms, UsageDetail,
    },
    time::{DAY_MS, Timestamp},
    trial::Trial,
};

mod answers;
mod leaps;

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn user(number: usize) -> UserId {
    UserId::new(START, [u8::try_from(number).unwrap(); 10])
}

fn team(version: u64, requests: u64) -> Entitlement {
    Entitlement {
        version,
        product: Product::Agent,
        plan: Plan::Teams,
        limits: Limits { requests: Limit::Hard(requests), tokens: Limit::Unlimited, ..Limits::default() },
        terms: Terms::Monthly { anchor: START },
        pooled: true,
        rate: None,
        confirmed: true,
    }
}

fn requests(requests: u64) -> Amounts {
    Amounts { requests, ..Amounts::ZERO }
}

fn ask(member: usize, version: u64, settled: u64, reserved: u64, needed: u64) -> PoolCommand {
    PoolCommand::Ask(Ask {
        member: user(member),
        report: report(version, settled, 0),
        reserved: requests(reserved),
        needed: requests(needed),
        waiting: Amounts::ZERO,
        at: START,
    })
}

fn report(version: u64, settled: u64, returned: u64) -> Report {
    Report { version, period_start: START, settled: requests(settled), returned: requests(returned) }
}

fn pool(limit: u64) -> PoolState {
    let mut pool = PoolState::default();
    pool.carry_out(&PoolCommand::Configure(team(1, limit)), START);
    pool
}

fn granted(pool: &mut PoolState, command: &PoolCommand) -> u64 {
    match pool.carry_out(command, START).0 {
        PoolDecision::Leased(grant) => grant.granted.requests,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_member_s_impossible_total_can_be_taken_back() {
    let mut pool = pool(1_000);
    granted(&mut pool, &ask(1, 1, 0, 0, 100));
    pool.carry_out(&PoolCommand::Report(user(1), report(2, 7, 0)), START);
    for member in 2..60 {
        pool.carry_out(&PoolCommand::Report(user(member), report(1, u64::MAX, u64::MAX)), START);
    }
    for member in 2..60 {
        pool.carry_out(&PoolCommand::Report(user(member), report(2, 1, 0)), START);
    }
    assert_eq!(pool.standings(START)[0].used, 7 + 58, "the others' use was not lost in a saturated sum");
}

#[test]
fn a_lease_is_what_is_needed_and_a_share_that_shrinks() {
    let mut pool = pool(1_000);
    assert_eq!(granted(&mut pool, &ask(1, 1, 0, 0, 1)), 1 + 250);
    assert_eq!(granted(&mut pool, &ask(2, 1, 0, 0, 1)), 1 + 187);
    assert_eq!(granted(&mut pool, &ask(3, 1, 0, 0, 1)), 1 + 93);
    let standing = pool.standings(START)[0];
    assert_eq!((standing.used, standing.reserved, standing.remaining()), (0, 533, Some(467)));
}

#[test]
fn the_answer_to_a_question_asked_twice_is_the_same_lease() {
    let mut pool = pool(1_000);
    let first = pool.carry_out(&ask(1, 1, 0, 0, 5), START);
    let (second, events) = pool.carry_out(&ask(1, 1, 0, 0, 5), START);
    let (PoolDecision::Leased(first), PoolDecision::Leased(second)) = (first.0, second) else { panic!() };
    assert_eq!((first.granted, events), (second.granted, vec![]));
}

#[test]
fn those_who_wait_behind_get_what_there_is() {
    let mut pool = pool(5);
    let PoolCommand::Ask(question) = ask(1, 1, 0, 0, 2) else { panic!() };
    let crowded = PoolCommand::Ask(Ask { waiting: requests(9), ..question });
    assert_eq!(granted(&mut pool, &crowded), 5);
}

#[test]
fn the_last_one_goes_to_whoever_asks_and_then_there_are_none() {
    let mut pool = pool(3);
    for member in 1..=3 {
        assert_eq!(granted(&mut pool, &ask(member, 1, 0, 0, 1)), 1);
    }
    let (decision, _) = pool.carry_out(&ask(4, 1, 0, 0, 1), START);
    let PoolDecision::Short { refusal: Refusal::QuotaExceeded { standing, requested, plan }, holders } = decision
    else {
        panic!("{decision:?}")
    };
    assert_eq!((standing.reserved, requested, plan), (3, 1, Plan::Teams));
    assert_eq!(holders, [user(3), user(2), user(1)]);
    // One of them gives back.
    pool.carry_out(&PoolCommand::Report(user(2), report(2, 0, 1)), START);
    assert_eq!(granted(&mut pool, &ask(4, 1, 0, 0, 1)), 1);
    // All is settled: nobody is left to ask.
    for (member, version) in [(1, 2), (3, 2), (4, 2)] {
        pool.carry_out(&PoolCommand::Report(user(member), report(version, 1, 0)), START);
    }
    assert!(matches!(
        pool.carry_out(&ask(5, 1, 0, 0, 1), START).0,
        PoolDecision::Refused(Refusal::QuotaExceeded { .. })
    ));
}

#[test]
fn more_than_the_whole_is_refused_while_a_part_is_leased() {
    let mut pool = pool(10);
    assert!(matches!(pool.carry_out(&ask(1, 1, 0, 0, 11), START).0, PoolDecision::Refused(_)));
    assert_eq!(granted(&mut pool, &ask(1, 1, 0, 0, 10)), 10);
}

#[test]
fn an_overrun_is_paid_back_before_the_next_lease() {
    let mut pool = pool(100);
    assert_eq!(granted(&mut pool, &ask(1, 1, 0, 0, 10)), 35);
    // It settled 50 of its 35.
    assert_eq!(granted(&mut pool, &ask(1, 2, 50, 0, 1)), 50 + 1 + 12);
    let standing = pool.standings(START)[0];
    assert_eq!((standing.used, standing.reserved), (50, 13));
}

#[test]
fn an_older_report_changes_nothing_and_another_period_s_neither() {
    let mut pool = pool(100);
    pool.carry_out(&ask(1, 5, 0, 0, 10), START);
    pool.carry_out(&PoolCommand::Report(user(1), report(7, 6, 2)), START);
    let after = pool.clone();
    for late in [report(6, 3, 1), report(7, 6, 2), Report { period_start: START.plus_days(-31), ..report(9, 1, 1) }] {
        pool.carry_out(&PoolCommand::Report(user(1), late), START);
        assert_eq!(pool, after);
    }
    // A late correction may lower what was settled.
    pool.carry_out(&PoolCommand::Report(user(1), report(8, 4, 2)), START);
    assert_eq!(pool.standings(START)[0].used, 4);
}

#[test]
fn a_new_period_starts_from_nothing() {
    let mut pool = pool(10);
    pool.carry_out(&ask(1, 1, 0, 0, 10), START);
    let next = team(1, 10).terms.period(START).end;
    assert_eq!(pool.standings(next)[0].reserved, 0);
    // The member is there first; both take the later instant.
    let PoolCommand::Ask(question) = ask(2, 1, 0, 0, 10) else { panic!() };
    let early = PoolCommand::Ask(Ask { at: next, ..question });
    let (decision, _) = pool.carry_out(&early, next.plus_millis(-5));
    let PoolDecision::Leased(LeaseGrant { period, granted, .. }) = decision else { panic!("{decision:?}") };
    assert_eq!((period.start, granted.requests), (next, 10));
}

#[test]
fn grants_and_marks_are_the_team_s() {
    let mut pool = pool(10);
    let grant = Grant {
        id: GrantId::new(START, [1; 10]),
        meter: MeterName::Requests,
        amount: 10,
        priority: 0,
        expires_at: START.plus_days(90),
        reason: GrantReason::TopUp,
    };
    pool.carry_out(&PoolCommand::Grant(grant), START);
    let (_, again) = pool.carry_out(&PoolCommand::Grant(grant), START);
    assert_eq!(again, []);
    pool.carry_out(&ask(1, 1, 0, 0, 16), START);
    let (_, events) = pool.carry_out(&PoolCommand::Report(user(1), report(2, 16, 0)), START);
    assert!(
        matches!(
            events[..],
            [PoolEvent::Reported { .. }, PoolEvent::MarkReached { percent: 80, used: 16, limit: 20, .. }]
        ),
        "{events:?}"
    );
    let (_, events) = pool.carry_out(&PoolCommand::Report(user(1), report(3, 17, 0)), START);
    assert_eq!(events.len(), 1);
    let next = team(1, 10).terms.period(START).end;
    assert_eq!(pool.standings(next)[0].limit, Some(10 + 3), "7 of the grant were used");
}

#[test]
fn without_a_plan_or_for_what_the_plan_lacks_nothing_is_leased() {
    let mut empty = PoolState::default();
    assert_eq!(empty.carry_out(&ask(1, 1, 0, 0, 1), START).0, PoolDecision::Refused(Refusal::NotConfigured));
    let mut pool = pool(10);
    let PoolCommand::Ask(question) = ask(1, 1, 0, 0, 1) else { panic!() };
    let emails = Ask { needed: Amounts { emails: 1, ..Amounts::ZERO }, ..question };
    assert!(matches!(
        pool.carry_out(&PoolCommand::Ask(emails), START).0,
        PoolDecision::Refused(Refusal::NotIncluded { meter: MeterName::Emails, .. })
    ));
    pool.carry_out(&PoolCommand::Configure(team(1, 99)), START);
    assert_eq!(pool.entitlement(), Some(&team(1, 10)), "an older push");
}

fn events(pool: &mut PoolState, command: &PoolCommand) -> usize {
    pool.carry_out(command, START).1.len()
}

#[test]
fn what_says_nothing_new_is_not_written() {
    let mut pool = pool(100);
    pool.carry_out(&ask(1, 5, 0, 0, 10), START);
    assert_eq!(events(&mut pool, &PoolCommand::Report(user(1), report(7, 6, 2))), 1);
    let other_period = Report { period_start: START.plus_days(-31), ..report(9, 9, 9) };
    for stale in [report(7, 7, 3), report(6, 7, 3), report(8, 6, 2), report(8, 6, 1), other_period] {
        assert_eq!(events(&mut pool, &PoolCommand::Report(user(1), stale)), 0, "{stale:?}");
    }
    for news in [report(9, 6, 3), report(10, 7, 3), report(11, 6, 3)] {
        assert_eq!(events(&mut pool, &PoolCommand::Report(user(1), news)), 1, "{news:?}");
    }
    let grant = |number, amount, lasts_ms| {
        PoolCommand::Grant(Grant {
            id: GrantId::new(START, [number; 10]),
            meter: MeterName::Requests,
            amount,
            priority: 0,
            expires_at: START.plus_millis(lasts_ms),
            reason: GrantReason::Goodwill,
        })
    };
    assert_eq!(events(&mut pool, &grant(1, 0, 1_000)), 0, "empty");
    assert_eq!(events(&mut pool, &grant(2, 5, 0)), 0, "over");
    assert_eq!(events(&mut pool, &grant(3, 5, 1)), 1);
    assert_eq!(events(&mut pool, &grant(3, 5, 1)), 0, "known");
}

#[test]
fn an_event_that_does_not_fit_changes_nothing() {
    let mut pool = pool(100);
    pool.carry_out(&ask(1, 5, 0, 0, 10), START);
    pool.carry_out(&PoolCommand::Report(user(1), report(7, 6, 2)), START);
    let member = user(1);
    for event in [
        PoolEvent::Reported { member, report: report(7, 9, 9) },
        PoolEvent::Reported { member, report: report(6, 9, 9) },
        PoolEvent::Reported { member, report: Report { period_start: START.plus_days(-31), ..report(9, 9, 9) } },
        PoolEvent::Leased { member, granted: requests(1) },
    ] {
        let mut state = pool.clone();
        state.apply(START, &event);
        assert_eq!(state, pool, "{event:?}");
    }
}

#[test]
fn only_others_who_hold_something_are_asked_to_give_it_back() {
    let mut pool = pool(3);
    for member in 1..=3 {
        pool.carry_out(&ask(member, 1, 0, 0, 1), START);
    }
    pool.carry_out(&PoolCommand::Report(user(2), report(2, 1, 0)), START);
    let (decision, _) = pool.carry_out(&ask(1, 1, 0, 1, 1), START);
    let PoolDecision::Short { holders, .. } = decision else { panic!("{decision:?}") };
    assert_eq!(holders, [user(3)], "not the one that asks, and not the one that used it up");
}

#[test]
fn what_the_plan_lacks_is_refused_before_anybody_is_asked_to_give_back() {
    let mut pool = pool(10);
    pool.carry_out(&ask(1, 1, 0, 0, 5), START);
    let PoolCommand::Ask(question) = ask(2, 1, 0, 0, 9) else { panic!() };
    let both = PoolCommand::Ask(Ask { needed: Amounts { requests: 9, emails: 1, tokens: 0 }, ..question });
    assert_eq!(
        pool.carry_out(&both, START).0,
        PoolDecision::Refused(Refusal::NotIncluded { meter: MeterName::Emails, plan: Plan::Teams })
    );
}

#[test]
fn a_lease_tells_what_is_left_for_others() {
    let mut pool = pool(1_000);
    let (decision, _) = pool.carry_out(&ask(1, 1, 0, 0, 1), START);
    let PoolDecision::Leased(grant) = decision else { panic!("{decision:?}") };
    assert_eq!((grant.granted.requests, grant.free.requests), (251, 749));
    assert_eq!((grant.granted.tokens, grant.free.tokens), (0, 0), "without a limit nothing is leased");
}

#[test]
fn what_was_held_in_an_older_period_is_not_leased_in_the_new_one() {
    let mut pool = pool(100);
    let next = team(1, 100).terms.period(START).end;
    let PoolCommand::Ask(question) = ask(1, 1, 0, 40, 10) else { panic!() };
    let (decision, _) = pool.carry_out(&PoolCommand::Ask(Ask { at: next, ..question }), next);
    let PoolDecision::Leased(grant) = decision else { panic!("{decision:?}") };
    assert_eq!(grant.granted.requests, 10 + 25);
    let current = Report { period_start: next, ..report(2, 0, 0) };
    let (decision, _) = pool.carry_out(&PoolCommand::Ask(Ask { at: next, report: current, ..question }), next);
    let PoolDecision::Leased(grant) = decision else { panic!("{decision:?}") };
    assert_eq!(grant.granted.requests, 40 + 10 + 16, "now it counts");
}

#[test]
fn a_team_s_trial_ends_at_the_instant() {
    let trial = Trial::starting(START, 7);
    let mut pool = PoolState::default();
    pool.carry_out(&PoolCommand::Configure(Entitlement { terms: Terms::Trial(trial), ..team(1, 10) }), START);
    let (decision, _) = pool.carry_out(&ask(1, 1, 0, 0, 1), trial.ends_at.plus_millis(-1));
    assert!(matches!(decision, PoolDecision::Leased(_)), "{decision:?}");
    let (decision, _) = pool.carry_out(&ask(2, 1, 0, 0, 1), trial.ends_at);
    assert_eq!(decision, PoolDecision::Refused(Refusal::TrialExpired { ended_at: trial.ends_at }));
}

#[test]
fn a_team_stands_where_its_plan_s_meters_stand() {
    let pool = pool(10);
    let meters: Vec<_> = pool.standings(START).iter().map(|standing| (standing.meter, standing.limit)).collect();
    assert_eq!(meters, [(MeterName::Requests, Some(10)), (MeterName::Tokens, None)]);
}

#[test]
fn the_kind_of_a_row_is_the_tag_of_its_event() {
    let (member, meter) = (user(1), MeterName::Requests);
    let grant = Grant {
        id: GrantId::new(START, [1; 10]),
        meter,
        amount: 1,
        priority: 0,
        expires_at: START,
        reason: GrantReason::TopUp,
    };
    for event in [
        PoolEvent::Configured(team(1, 1)),
        PoolEvent::Granted(grant),
        PoolEvent::Reported { member, report: report(1, 1, 1) },
        PoolEvent::Leased { member, granted: requests(1) },
        PoolEvent::MarkReached { meter, percent: 80, used: 8, limit: 10 },
        PoolEvent::ClockLeapt { from: START },
        PoolEvent::ClockReturned { from: START },
    ] {
        let stored = serde_json::to_value(&event).unwrap();
        assert_eq!(stored["kind"], event.kind());
    }
}

/// A member's meter with its ledger.
#[derive(Default)]
struct Seat {
    state: State,
    entries: Vec<(Timestamp, Event)>,
    open: Vec<(ReservationId, u64)>,
}

impl Seat {
    fn run(&mut self, command: &Command, clock: Timestamp) -> Decision {
        let at = self.state.instant(command, clock);
        let (decision, events) = self.state.carry_out(command, None, clock);
        self.entries.extend(events.into_iter().map(|event| (at, event)));
        decision
    }

    fn report(&self, clock: Timestamp) -> Report {
        let (settled, _) = self.state.in_use(clock);
        let returned = self.state.lease(clock).map_or(Amounts::ZERO, |lease| lease.returned);
        let period_start = self.state.entitlement().unwrap().terms.period(self.state.now(clock)).start;
        Report { version: self.entries.len() as u64, period_start, settled, returned }
    }

    fn ask(&self, member: usize, needed: u64, clock: Timestamp) -> Ask {
        // Whoever asks for much has others waiting behind it.
        self.ask_for(member, requests(needed), requests(needed / 3), clock)
    }

    fn ask_for(&self, member: usize, needed: Amounts, waiting: Amounts, clock: Timestamp) -> Ask {
        let (_, reserved) = self.state.in_use(clock);
        Ask { member: user(member), report: self.report(clock), reserved, needed, waiting, at: self.state.now(clock) }
    }
}

const SEATS: usize = 4;

struct Team {
    pool: PoolState,
    entries: Vec<(Timestamp, PoolEvent)>,
    seats: Vec<Seat>,
    clock: Timestamp,
    next_id: u64,
    /// Messages that are on their way.
    asks: Vec<Ask>,
    reports: Vec<(UserId, Report)>,
    leases: Vec<(usize, LeaseGrant)>,
}

impl Team {
    fn new(limit: u64) -> Self {
        Self::on(&team(1, limit))
    }

    fn on(entitlement: &Entitlement) -> Self {
        let mut team_of = Self {
            pool: PoolState::default(),
            entries: Vec::new(),
            seats: (0..SEATS).map(|_| Seat::default()).collect(),
            clock: START,
            next_id: 0,
            asks: Vec::new(),
            reports: Vec::new(),
            leases: Vec::new(),
        };
        team_of.tell_pool(&PoolCommand::Configure(*entitlement));
        for seat in &mut team_of.seats {
            seat.run(&Command::Configure(*entitlement), START);
        }
        team_of
    }

    fn tell_pool(&mut self, command: &PoolCommand) -> PoolDecision {
        let at = self.pool.instant(command, self.clock);
        let (decision, events) = self.pool.carry_out(command, self.clock);
        self.entries.extend(events.into_iter().map(|event| (at, event)));
        decision
    }

    fn reserve(&mut self, seat: usize, amount: u64) -> Decision {
        let (id, decision) = self.reserve_with_room(seat, requests(amount), None);
        if matches!(decision, Decision::Admitted(_)) {
            self.seats[seat].open.push((id, amount));
        }
        decision
    }

    fn reserve_with_room(
        &mut self,
        seat: usize,
        amounts: Amounts,
        answer: Option<AnswerRoom>,
    ) -> (ReservationId, Decision) {
        self.next_id += 1;
        let mut entropy = [0; 10];
        entropy[2..].copy_from_slice(&self.next_id.to_be_bytes());
        let id = ReservationId::new(START, entropy);
        let reserve = Reserve {
            id,
            amounts,
            answer,
            request_id: String::new(),
            needs_confirmed: false,
            ttl_ms: 600_000,
            credential: None,
            session: None,
            key: None,
            fingerprint: String::new(),
        };
        (id, self.seats[seat].run(&Command::Reserve(reserve), self.clock))
    }

    fn deliver_ask(&mut self, ask: Ask) -> PoolDecision {
        let seat = (0..SEATS).find(|number| user(*number) == ask.member).unwrap();
        let decision = self.tell_pool(&PoolCommand::Ask(ask));
        if let PoolDecision::Leased(grant) = &decision {
            self.leases.push((seat, *grant));
        }
        decision
    }

    fn pass(&mut self, traffic: &Traffic) {
        let clock = self.clock;
        match *traffic {
            Traffic::SendReport { seat } => self.reports.push((user(seat), self.seats[seat].report(clock))),
            Traffic::DeliverAsk { which, keep } => {
                if let Some(ask) = pick(&mut self.asks, which, keep) {
                    self.deliver_ask(ask);
                }
            }
            Traffic::DeliverReport { which, keep } => {
                if let Some((member, report)) = pick(&mut self.reports, which, keep) {
                    self.tell_pool(&PoolCommand::Report(member, report));
                }
            }
            Traffic::DeliverLease { which, keep } => {
                if let Some((seat, grant)) = pick(&mut self.leases, which, keep) {
                    self.seats[seat].run(&Command::Lease(grant), clock);
                }
            }
            Traffic::Lose { which } => {
                pick(&mut self.asks, which, false);
                pick(&mut self.leases, which, false);
            }
            Traffic::ReturnIdle { seat } => {
                self.seats[seat].run(&Command::ReturnIdle, clock);
            }
            Traffic::Wait { millis } => {
                self.clock = clock.plus_millis(millis);
                for seat in &mut self.seats {
                    seat.run(&Command::Expire, self.clock);
                }
            }
        }
    }

    /// Everything in use anywhere in this period.
    fn all_in_use(&self) -> Amounts {
        let of_seats = self.seats.iter().map(|seat| seat.state.in_use(self.clock));
        of_seats.fold(Amounts::ZERO, |sum, (settled, reserved)| sum.plus(settled).plus(reserved))
    }

    fn in_use(&self) -> u64 {
        self.all_in_use().requests
    }
}

#[derive(Debug, Clone)]
enum Step {
    Reserve { seat: usize, amount: u64 },
    End { seat: usize, which: prop::sample::Index, part: u64 },
    SendAsk { seat: usize, needed: u64 },
    Traffic(Traffic),
    Crash { seat: usize },
}

/// What happens between members and their pool, whatever is counted: messages are sent, arrive late, twice or never, and time
/// passes.
#[derive(Debug, Clone)]
enum Traffic {
    SendReport { seat: usize },
    DeliverAsk { which: prop::sample::Index, keep: bool },
    DeliverReport { which: prop::sample::Index, keep: bool },
    DeliverLease { which: prop::sample::Index, keep: bool },
    Lose { which: prop::sample::Index },
    ReturnIdle { seat: usize },
    Wait { millis: i64 },
}

/// How often it is drawn, beside what members do.
const TRAFFIC_WEIGHT: u32 = 21;

fn traffic(wait: impl Strategy<Value = i64>) -> impl Strategy<Value = Traffic> {
    let (seat, which) = (0..SEATS, any::<prop::sample::Index>());
    prop_oneof![
        2 => seat.clone().prop_map(|seat| Traffic::SendReport { seat }),
        6 => (which.clone(), any::<bool>()).prop_map(|(which, keep)| Traffic::DeliverAsk { which, keep }),
        3 => (which.clone(), any::<bool>()).prop_map(|(which, keep)| Traffic::DeliverReport { which, keep }),
        6 => (which.clone(), any::<bool>()).prop_map(|(which, keep)| Traffic::DeliverLease { which, keep }),
        1 => which.prop_map(|which| Traffic::Lose { which }),
        2 => seat.prop_map(|seat| Traffic::ReturnIdle { seat }),
        1 => wait.prop_map(|millis| Traffic::Wait { millis }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let (seat, which) = (0..SEATS, any::<prop::sample::Index>());
    prop_oneof![
        6 => (seat.clone(), 1_u64..6).prop_map(|(seat, amount)| Step::Reserve { seat, amount }),
        4 => (seat.clone(), which.clone(), 0_u64..4).prop_map(|(seat, which, part)| Step::End { seat, which, part }),
        4 => (seat.clone(), 1_u64..6).prop_map(|(seat, needed)| Step::SendAsk { seat, needed }),
        TRAFFIC_WEIGHT => traffic(prop_oneof![0_i64..700_000, 0_i64..(20 * DAY_MS), -5_000_i64..0]).prop_map(Step::Traffic),
        1 => seat.prop_map(|seat| Step::Crash { seat }),
    ]
}

fn pick<T: Clone>(list: &mut Vec<T>, which: prop::sample::Index, keep: bool) -> Option<T> {
    if list.is_empty() {
        return None;
    }
    let at = which.index(list.len());
    Some(if keep { list[at].clone() } else { list.swap_remove(at) })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("METER_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_000)
    ))]

    #[test]
    fn a_team_never_uses_more_than_its_limit(limit in 1_u64..60, steps in proptest::collection::vec(step(), 1..150)) {
        let mut team = Team::new(limit);
        for step in steps {
            match step {
                Step::Reserve { seat, amount } => { team.reserve(seat, amount); }
                Step::End { seat, which, part } => {
                    let clock = team.clock;
                    let seat = &mut team.seats[seat];
                    if let Some((id, amount)) = pick(&mut seat.open, which, false) {
                        let command = if part == 0 { Command::Release(id) } else {
                            Command::Settle(Settle { id, amounts: requests(amount.min(part)), detail: UsageDetail::default() })
                        };
                        seat.run(&command, clock);
                    }
                }
                Step::SendAsk { seat, needed } => {
                    let ask = team.seats[seat].ask(seat, needed, team.clock);
                    team.asks.push(ask);
                }
                Step::Traffic(traffic) => team.pass(&traffic),
                Step::Crash { seat } => {
                    let seat = &mut team.seats[seat];
                    let mut state = State::default();
                    for (at, event) in &seat.entries { state.apply(*at, event); }
                    prop_assert_eq!(&state, &seat.state, "replay of a member's ledger is its state");
                    let mut pool = PoolState::default();
                    for (at, event) in &team.entries { pool.apply(*at, event); }
                    prop_assert_eq!(&pool, &team.pool, "replay of the pool's ledger is its state");
                    let stored: PoolState = serde_json::from_str(&serde_json::to_string(&pool).unwrap()).unwrap();
                    prop_assert_eq!(&stored, &team.pool, "the checkpoint is lossless");
                }
            }
            // Those who are in the same period as the team's clock.
            prop_assert!(team.in_use() <= limit, "{} of {limit} in use", team.in_use());
            let standing = team.pool.standings(team.clock)[0];
            prop_assert!(standing.used + standing.reserved <= limit, "{standing:?}");
            let sums = team.pool.members().fold((Amounts::ZERO, Amounts::ZERO), |(settled, leased), (_, member)| {
                (settled.plus(member.settled), leased.plus(member.leased()))
            });
            prop_assert_eq!(sums, (team.pool.settled, team.pool.leased), "the sums");
        }

        // Nobody is refused while anybody holds something idle: after one round of recalls all that is left can be had.
        let clock = team.pool.now(team.seats.iter().map(|seat| seat.state.now(team.clock)).max().unwrap_or(team.clock));
        team.clock = clock;
        // A correction downwards (a late settle, a late release) is reported by itself; all else is found by recall.
        for seat in 0..SEATS {
            let report = team.seats[seat].report(clock);
            if report.settled.requests < team.pool.member(user(seat), clock).settled.requests {
                team.tell_pool(&PoolCommand::Report(user(seat), report));
            }
        }
        let left = limit - team.in_use();
        if left > 0 {
            let question = team.seats[0].ask(0, left, clock);
            let mut decision = team.deliver_ask(question);
            if let PoolDecision::Short { holders, .. } = &decision {
                for holder in holders.clone() {
                    let number = (0..SEATS).find(|number| user(*number) == holder).unwrap();
                    // A recall tells the holder what it was granted: it may not have heard.
                    let known = team.pool.member(holder, clock).granted;
                    let period = team.pool.entitlement().unwrap().terms.period(clock);
                    let seat = &mut team.seats[number];
                    seat.run(&Command::Lease(LeaseGrant { period, granted: known, free: Amounts::ZERO }), clock);
                    seat.run(&Command::ReturnIdle, clock);
                    let report = seat.report(clock);
                    team.tell_pool(&PoolCommand::Report(holder, report));
                }
                let question = team.seats[0].ask(0, left, clock);
                decision = team.deliver_ask(question);
            }
            let PoolDecision::Leased(grant) = decision else {
                return Err(TestCaseError::fail(format!("{left} are left and refused: {decision:?}")));
            };
            team.seats[0].run(&Command::Lease(grant), clock);
            prop_assert!(matches!(team.reserve(0, left), Decision::Admitted(_)), "the lease is enough");
            prop_assert_eq!(team.in_use(), limit);
        }
    }
}
