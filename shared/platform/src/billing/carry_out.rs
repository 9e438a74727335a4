//! Others are told what was decided. Each effect may be carried out twice: a meter ignores a version that it knows, a mail of
//! the same key is sent once.

use tollgate_api::Problem;
use tollgate_domain::{
    catalogue::Product,
    meter::{Entitlement, Limits},
    subscription::{Effect, Notice, NoticeKind},
};

use super::{claims::claim, converge::converge_on, held::Held, renewal};
use crate::{
    Scope, log, mail,
    meter::{MeterClient, PoolClient, PoolReply, PoolRequest},
    store,
};

/// Carries out what waits. What fails is tried again by the clock. A trial is claimed before anybody is told of it: where
/// there was one before, they are told what is then. Whoever pays is told first.
///
/// # Errors
/// When somebody could not be told.
pub async fn carry_out(scope: &Scope, held: &Held) -> Result<(), Problem> {
    let is_trial = held.subscription.card_trial().is_some();
    if !is_trial {
        effects(scope, held, false).await?;
    }
    let refused = claim_all(scope, held).await?;
    match &refused {
        Some(now) => effects(scope, now, true).await?,
        None if is_trial => effects(scope, held, false).await?,
        None => {}
    }
    carried_out(scope, refused.as_ref().unwrap_or(held)).await
}

/// Tells the meters, for who is waited for; mails and claims follow when Stripe tells of the change, or by the clock. A trial
/// that is not claimed yet waits with them.
///
/// # Errors
/// When a meter could not be told.
pub async fn tell(scope: &Scope, held: &Held) -> Result<(), Problem> {
    let (mut changed, mut claims, mut mails) = (false, false, false);
    for effect in &held.pending {
        changed |= matches!(effect, Effect::Push(_));
        claims |= matches!(effect, Effect::ClaimTrial { .. });
        mails |= matches!(effect, Effect::Mail(_) | Effect::Renewal { .. });
    }
    if changed && !(claims && held.subscription.card_trial().is_some()) {
        push(scope, held, held.subscription.product).await?;
    }
    if claims || mails { Ok(()) } else { carried_out(scope, held).await }
}

/// Answers the state that follows where a trial was refused.
async fn claim_all(scope: &Scope, held: &Held) -> Result<Option<Held>, Problem> {
    let mut refused = None;
    for effect in &held.pending {
        if let Effect::ClaimTrial { subscription } = effect
            && !claim(scope, held, subscription).await?
        {
            refused = Some(converge_on(scope, held.tenant, subscription, "billing").await?.held);
        }
    }
    Ok(refused)
}

async fn carried_out(scope: &Scope, held: &Held) -> Result<(), Problem> {
    if held.revision > 0 {
        let due_at = held.subscription.due_at(scope.now());
        let product = held.subscription.product;
        store::billing::carried_out(scope, held.tenant, product, held.revision, due_at).await?;
    }
    Ok(())
}

async fn effects(scope: &Scope, held: &Held, refused: bool) -> Result<(), Problem> {
    let product = held.subscription.product;
    for effect in &held.pending {
        match effect {
            Effect::Push(_) => push(scope, held, product).await?,
            // It has not begun.
            Effect::Mail(Notice { kind: NoticeKind::TrialStarted { .. }, .. }) if refused => {}
            Effect::Mail(notice) => {
                let Some(owner) = store::billing::owner(scope, held.tenant).await? else { continue };
                let portal = format!("{}/subscription", scope.settings().public_url);
                mail::notice(scope, held.tenant, &owner, product, notice, &portal).await?;
            }
            Effect::Renewal { subscription, is_wanted } => renewal::set(scope, subscription, *is_wanted).await?,
            Effect::Seats(_)
            | Effect::Audit(_)
            | Effect::Operator { .. }
            | Effect::Duplicate { .. }
            | Effect::ClaimTrial { .. } => {}
        }
    }
    Ok(())
}

/// Tells every meter of the tenant, and the pool of a team. What is told is the row of this moment with the contract that may
/// stand in it, not what was decided then: the newest wins either way.
async fn push(scope: &Scope, held: &Held, product: Product) -> Result<(), Problem> {
    let row = store::subscription(scope, held.tenant, held.user, product, None).await?;
    let Some(entitlement) = row.and_then(|row| row.entitlement(product)) else {
        log::error("billing", &format!("{} has no plan that can be pushed", held.tenant), Some(scope));
        return Ok(());
    };
    if entitlement.pooled {
        let pool = PoolClient::named(held.tenant, product);
        let request = PoolRequest::Configure { owner: pool.owner(), entitlement };
        if pool.ask(scope, &request).await? != PoolReply::Done {
            return Err(Problem::dependency("meter"));
        }
    }
    for user in store::billing::members(scope, held.tenant).await? {
        let told = if user == held.user || entitlement.pooled {
            entitlement
        } else {
            // The plan is for one: the others of a team that was have nothing of it.
            Entitlement { limits: Limits::default(), ..entitlement }
        };
        MeterClient::named(held.tenant, user, product).configure(scope, told).await?;
    }
    Ok(())
}
