//! The jobs: what each is called, when it runs, what it does.

use tollgate_platform::{
    Problem, Scope,
    billing::{self, Worked},
};

use crate::{
    clean_up, delete_users, remind_trials, report_overage, return_to_clock, rewrap_data_keys, roll_up, settle_arrivals,
    usage_statements,
};

/// A job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Adds up usage by the hour.
    RollUpUsage,
    /// The same from scratch: by hand only, after rows were changed by hand.
    RebuildUsage,
    /// Events that were lost on their way, and what the clock brings to subscriptions: the end of a grace, a reminder to pay.
    SweepBilling,
    /// Subscriptions against Stripe.
    ReconcileBilling,
    /// What goes beyond soft limits, to Stripe.
    ReportOverage,
    /// Brings meters back to the clock: by hand only, after it ran far ahead for more than a day.
    ReturnToClock,
    /// Brings data keys under the newest master key.
    RewrapDataKeys,
    /// Tells that trials end, and that they have ended.
    RemindTrials,
    /// What tenants used in the month that is over.
    UsageStatements,
    /// Clears what is old.
    CleanUp,
    /// Goes on with deletions of users that are not done.
    DeleteUsers,
    /// Settles changes of two databases that broke off.
    SettleArrivals,
}

/// A job's name, and the expression at which it runs; without one only when somebody says so.
struct Entry(Job, &'static str, Option<&'static str>);

/// Every job. Each expression stands in `wrangler.toml`, too, and belongs to one job.
#[rustfmt::skip] // one line a job: whoever adds one changes no other line
const JOBS: &[Entry] = &[
    Entry(Job::RollUpUsage, "roll_up_usage", Some("5 * * * *")),
    Entry(Job::RebuildUsage, "rebuild_usage", None),
    Entry(Job::SweepBilling, "sweep_billing", Some("* * * * *")),
    Entry(Job::ReconcileBilling, "reconcile_billing", Some("*/10 * * * *")),
    Entry(Job::ReportOverage, "report_overage", Some("40 * * * *")),
    Entry(Job::ReturnToClock, "return_to_clock", None),
    Entry(Job::RewrapDataKeys, "rewrap_data_keys", Some("35 * * * *")),
    Entry(Job::RemindTrials, "remind_trials", Some("10 * * * *")),
    Entry(Job::UsageStatements, "usage_statements", Some("20 * * * *")),
    Entry(Job::CleanUp, "clean_up", Some("50 * * * *")),
    Entry(Job::DeleteUsers, "delete_users", Some("*/5 * * * *")),
    Entry(Job::SettleArrivals, "settle_arrivals", Some("*/3 * * * *")),
];

/// What one step of a job did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How many things.
    pub done: u32,
    /// What follows.
    pub next: Next,
}

/// What follows a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing until the next run, which begins here.
    Rest(Option<String>),
    /// There is more, for the next run.
    Later,
    /// There is more, from here.
    From(String),
    /// Nothing until the next run, which begins anew; what went wrong on the way.
    Failed(String),
}

impl Step {
    /// For those that `stripe-webhook` does.
    fn of_billing(Worked { done, more }: Worked) -> Self {
        Self::of((done, more))
    }

    /// For jobs whose rows say where they stand.
    fn of((done, more): (u32, bool)) -> Self {
        Self { done, next: if more { Next::Later } else { Next::Rest(None) } }
    }
}

impl Job {
    /// The job of a cron expression, or of a name.
    pub fn of(text: &str) -> Option<Self> {
        let found = JOBS.iter().find(|Entry(_, name, cron)| *name == text || *cron == Some(text));
        found.map(|Entry(job, ..)| *job)
    }

    /// The job of a name.
    pub fn named(text: &str) -> Option<Self> {
        JOBS.iter().find(|Entry(_, name, _)| *name == text).map(|Entry(job, ..)| *job)
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        JOBS.iter().find(|Entry(job, ..)| *job == self).map_or("", |Entry(_, name, _)| name)
    }

    /// Does a bounded piece of the work. It can stop anywhere, be done again, and be done by two at once.
    ///
    /// # Errors
    /// What stands in the way. What was done until then stays, and the next run begins where this step did.
    pub async fn step(self, scope: &Scope, cursor: Option<&str>) -> Result<Step, Problem> {
        match self {
            Self::RollUpUsage => Ok(Step::of(roll_up::run(scope).await?)),
            Self::RebuildUsage => {
                roll_up::forget(scope).await?;
                Ok(Step::of(roll_up::run(scope).await?))
            }
            Self::SweepBilling => billing::have_done(scope, &billing::Job::Sweep).await.map(Step::of_billing),
            Self::ReconcileBilling => billing::have_done(scope, &billing::Job::Reconcile).await.map(Step::of_billing),
            Self::ReportOverage => report_overage::step(scope, cursor).await,
            Self::ReturnToClock => return_to_clock::step(scope, cursor).await,
            Self::RewrapDataKeys => rewrap_data_keys::run(scope).await.map(Step::of),
            Self::RemindTrials => remind_trials::step(scope, cursor).await,
            Self::UsageStatements => usage_statements::step(scope, cursor).await,
            Self::CleanUp => clean_up::step(scope, cursor).await,
            Self::DeleteUsers => Ok(Step::of(delete_users::run(scope).await?)),
            Self::SettleArrivals => Ok(Step::of(settle_arrivals::run(scope).await?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every expression that the runtime is told has its job, and every job with one is told.
    #[test]
    fn the_schedule_and_the_jobs_agree() {
        let config = include_str!("../wrangler.toml");
        let line = config.lines().find(|line| line.starts_with("crons = ")).unwrap();
        let told: BTreeSet<&str> = line.split('"').skip(1).step_by(2).collect();
        let ours: BTreeSet<&str> = JOBS.iter().filter_map(|Entry(.., cron)| *cron).collect();
        assert_eq!(told, ours);
        assert_eq!(Job::of("1 2 3 4 5"), None);
    }

    #[test]
    fn each_is_found_by_its_name_and_by_its_expression_and_nothing_is_two() {
        let mut texts = BTreeSet::new();
        for Entry(job, name, cron) in JOBS {
            assert_eq!((Job::named(name), Job::of(name), job.name()), (Some(*job), Some(*job), *name));
            assert!(texts.insert(*name));
            if let Some(cron) = cron {
                assert_eq!((Job::of(cron), Job::named(cron)), (Some(*job), None));
                assert!(texts.insert(*cron));
            }
        }
    }
}
