//! A meter with its ledger, as the shell keeps them; the stories behind single rules; random interleavings.

mod answers;
mod interleavings;
mod keys;
mod leaps;
mod nothing_to_do;
mod stories;
mod wire;

use std::collections::HashMap;

use super::*;
use crate::{
    api_key::{Resource, Scope, Scopes},
    catalogue::{Plan, Product, limits},
    id::{ApiKeyId, GrantId, ReservationId, SessionId},
    secret_hash::SecretHash,
    time::Timestamp,
    trial::Trial,
};

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn reservation(number: u64) -> ReservationId {
    let mut entropy = [0; 10];
    entropy[2..].copy_from_slice(&number.to_be_bytes());
    ReservationId::new(START, entropy)
}

fn session(number: u8) -> SessionId {
    SessionId::new(START, [number; 10])
}

fn trial(version: u64) -> Entitlement {
    Entitlement {
        version,
        product: Product::Agent,
        plan: Plan::Trial,
        limits: limits(Product::Agent, Plan::Trial).unwrap(),
        terms: Terms::Trial(Trial::starting(START, 7)),
        pooled: false,
        rate: None,
        confirmed: true,
    }
}

fn pro(version: u64, anchor: Timestamp) -> Entitlement {
    Entitlement {
        version,
        product: Product::Agent,
        plan: Plan::Pro,
        limits: limits(Product::Agent, Plan::Pro).unwrap(),
        terms: Terms::Monthly { anchor },
        pooled: false,
        rate: None,
        confirmed: true,
    }
}

fn chat(number: u64, tokens: u64) -> Reserve {
    Reserve {
        id: reservation(number),
        amounts: Amounts { requests: 1, tokens, emails: 0 },
        answer: None,
        request_id: String::new(),
        needs_confirmed: false,
        ttl_ms: 60_000,
        credential: None,
        session: None,
        key: None,
        fingerprint: String::new(),
    }
}

fn settle(number: u64, tokens: u64) -> Command {
    Command::Settle(Settle {
        id: reservation(number),
        amounts: Amounts { requests: 1, tokens, emails: 0 },
        detail: UsageDetail::default(),
    })
}

/// A meter with its ledger, as the shell keeps them.
#[derive(Default)]
struct Meter {
    state: State,
    entries: Vec<(Timestamp, Event)>,
    keys: HashMap<String, Prior>,
}

impl Meter {
    fn on(entitlement: Entitlement) -> Self {
        let mut meter = Self::default();
        meter.run(&Command::Configure(entitlement), START);
        meter
    }

    fn run(&mut self, command: &Command, clock: Timestamp) -> Decision {
        let key = match command {
            Command::Reserve(reserve) | Command::Refuse(reserve, _) => reserve.key.clone(),
            _ => None,
        };
        let prior = key.as_ref().and_then(|key| self.keys.get(key));
        let at = self.state.instant(command, clock);
        let (decision, events) = self.state.carry_out(command, prior, clock);
        for event in events {
            if let (Some(key), Event::Reserved { .. } | Event::Refused { .. }) = (&key, &event) {
                self.keys.insert(key.clone(), Prior { at, event: event.clone() });
            }
            self.entries.push((at, event));
        }
        decision
    }

    fn replay(&self) -> State {
        let mut state = State::default();
        for (at, event) in &self.entries {
            state.apply(*at, event);
        }
        state
    }

    fn marks(&self) -> Vec<(MeterName, u8)> {
        let marks = self.entries.iter().filter_map(|(_, event)| match event {
            Event::MarkReached { meter, percent, .. } => Some((*meter, *percent)),
            _ => None,
        });
        marks.collect()
    }

    /// Marks told of since the counters started again.
    fn marks_of_this_period(&self) -> Vec<(MeterName, u8)> {
        let start = self.state.period_start;
        let mut state = State::default();
        let mut marks = Vec::new();
        for (at, event) in &self.entries {
            let before = state.period_start;
            state.apply(*at, event);
            if state.period_start != before {
                marks.clear();
            }
            if let Event::MarkReached { meter, percent, .. } = event {
                marks.push((*meter, *percent));
            }
        }
        if state.period_start == start { marks } else { Vec::new() }
    }

    fn standing(&self, meter: MeterName, now: Timestamp) -> Standing {
        self.state.standings(now).into_iter().find(|standing| standing.meter == meter).unwrap()
    }
}

fn grant(number: u8, meter: MeterName, amount: u64, expires_at: Timestamp) -> Grant {
    Grant {
        id: GrantId::new(START, [number; 10]),
        meter,
        amount,
        priority: number % 3,
        expires_at,
        reason: GrantReason::TopUp,
    }
}

fn api_key(number: u8) -> ApiKeyId {
    ApiKeyId::new(START, [number; 10])
}

/// A key that may chat; its secret is its number.
fn meter_key(number: u8) -> MeterKey {
    MeterKey {
        id: api_key(number),
        hash: SecretHash::of("api_key", &[number]),
        scopes: Scopes::parse(["chat"]).unwrap(),
        rate: None,
        expires_at: None,
    }
}

/// A request for a chat with a key and a secret.
fn credential(number: u8, secret: u8) -> Credential {
    Credential { key: api_key(number), hash: SecretHash::of("api_key", &[secret]), scope: Scope::full(Resource::Chat) }
}
