//! What a plan that nobody pays for takes before a model that costs money is asked: a confirmed address, and room in what all
//! trials together may cost today.

use std::cell::Cell;

use tollgate_platform::{
    Problem, Scope, log,
    meter::{TrialHold, hold_of_trials},
    settings,
};
use tollgate_providers::{ModelRef, Provider, Usage, price};

/// What all trials may cost in a day where nothing is set: a hundred dollars. A busy day of honest trials is far below it, and
/// a founder can lose it once.
const DEFAULT_MICROUSD_PER_DAY: u64 = 100_000_000;

/// What a token of a model without a known price counts as, in micro-dollars: ten dollars a million, more than most cost.
const UNKNOWN_MICROUSD_PER_TOKEN: u64 = 10;

thread_local! {
    /// What [`need_confirmed`] found: settings stay as they are for as long as an instance lives, and reading one crosses to
    /// JavaScript, which no request of somebody who pays should do for this.
    static NEED_CONFIRMED: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Whether the model costs money.
pub const fn costs(model: &ModelRef) -> bool {
    !matches!(model.provider, Provider::Tollgate)
}

/// Whether an address has to be confirmed before such a model is asked. `TRIALS_NEED_CONFIRMED_EMAIL` says so; where it is not
/// set, it is so wherever mails leave, which is where `MAIL_FROM` is set: nobody can confirm what is never sent. On a
/// developer's machine it is off.
pub fn need_confirmed(scope: &Scope) -> bool {
    NEED_CONFIRMED.get().unwrap_or_else(|| {
        let needed = look_whether_confirmed(scope);
        NEED_CONFIRMED.set(Some(needed));
        needed
    })
}

/// Looks at the settings; where nobody can confirm an address, the log says so.
fn look_whether_confirmed(scope: &Scope) -> bool {
    let set = settings::text(scope.env(), "TRIALS_NEED_CONFIRMED_EMAIL");
    match set.as_deref() {
        Some("true") => true,
        Some("false") => false,
        _ if scope.settings().is_local() => false,
        _ if settings::text(scope.env(), "MAIL_FROM").is_some() => true,
        _ => {
            log::warn(
                "trials",
                "MAIL_FROM is not set, so nobody can confirm an address: trials may use models that cost money without",
                Some(scope),
            );
            false
        }
    }
}

/// What all trials may cost today; `None` on a developer's machine where nothing is set.
fn ceiling(scope: &Scope) -> Option<u64> {
    let set = settings::text(scope.env(), "TRIALS_MICROUSD_PER_DAY").and_then(|text| text.parse().ok());
    set.or_else(|| (!scope.settings().is_local()).then_some(DEFAULT_MICROUSD_PER_DAY))
}

/// Holds what a trial's request may cost at most, of what all trials may cost today; `None` where there is no ceiling.
///
/// # Errors
/// 429 `trial_budget_spent`; 503.
pub async fn hold(
    scope: &Scope,
    model: &ModelRef,
    prompt_tokens: u64,
    answer_tokens: u64,
) -> Result<Option<TrialHold>, Problem> {
    let Some(ceiling) = ceiling(scope) else { return Ok(None) };
    let usage = Usage { prompt_tokens, completion_tokens: answer_tokens, ..Usage::default() };
    let cost = price::cost_microusd(model, &usage, scope.now().as_seconds());
    let unknown = || prompt_tokens.saturating_add(answer_tokens).saturating_mul(UNKNOWN_MICROUSD_PER_TOKEN);
    hold_of_trials(scope, cost.unwrap_or_else(unknown), ceiling).await.map(Some)
}
