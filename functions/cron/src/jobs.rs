//! Which job runs when.

use serde::Serialize;
use tollgate_platform::{Problem, Scope, log};

use crate::{billing, rewrap_data_keys, roll_up};

/// A job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Adds up usage by the hour.
    RollUpUsage,
    /// Events that were lost on their way, and what the clock brings to subscriptions.
    SweepBilling,
    /// Subscriptions against Stripe.
    ReconcileBilling,
    /// Usage from scratch: by hand only, after rows were changed by hand.
    RebuildUsage,
    /// Brings data keys under the newest master key.
    RewrapDataKeys,
}

/// What a run did.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Run {
    /// Which job.
    pub job: &'static str,
    /// Whether it did what it had to.
    pub ok: bool,
    /// How many things it did.
    pub done: u32,
    /// Whether there is more for the next run.
    pub more: bool,
}

impl Job {
    /// The job of a cron expression, or of a name.
    pub fn of(cron: &str) -> Option<Self> {
        match cron {
            "5 * * * *" | "roll_up_usage" => Some(Self::RollUpUsage),
            "* * * * *" | "sweep_billing" => Some(Self::SweepBilling),
            "*/10 * * * *" | "reconcile_billing" => Some(Self::ReconcileBilling),
            "rebuild_usage" => Some(Self::RebuildUsage),
            "35 * * * *" | "rewrap_data_keys" => Some(Self::RewrapDataKeys),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::RollUpUsage => "roll_up_usage",
            Self::SweepBilling => "sweep_billing",
            Self::ReconcileBilling => "reconcile_billing",
            Self::RebuildUsage => "rebuild_usage",
            Self::RewrapDataKeys => "rewrap_data_keys",
        }
    }

    /// Runs it and says what it did.
    pub async fn run(self, scope: &Scope) -> Run {
        let outcome = match self {
            Self::RollUpUsage => roll_up::run(scope).await.map_err(Problem::from),
            Self::SweepBilling => billing::sweep(scope).await.map_err(Problem::from),
            Self::ReconcileBilling => billing::reconcile(scope).await.map_err(Problem::from),
            Self::RebuildUsage => match roll_up::forget(scope).await {
                Ok(()) => roll_up::run(scope).await.map_err(Problem::from),
                Err(error) => Err(error.into()),
            },
            Self::RewrapDataKeys => rewrap_data_keys::run(scope).await,
        };
        let run = match outcome {
            Ok((done, more)) => Run { job: self.name(), ok: true, done, more },
            Err(_) => Run { job: self.name(), ok: false, done: 0, more: true },
        };
        if !run.ok {
            log::error("cron", &format!("{} failed and comes again", run.job), Some(scope));
        }
        run
    }
}

#[cfg(test)]
mod tests {
    use super::Job;

    /// Every expression that the runtime is told has its job.
    #[test]
    fn the_schedule_and_the_jobs_agree() {
        let config = include_str!("../wrangler.toml");
        let line = config.lines().find(|line| line.starts_with("crons = ")).unwrap();
        let crons: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
        assert!(!crons.is_empty());
        for cron in crons {
            assert!(Job::of(cron).is_some(), "{cron}");
        }
        assert_eq!(Job::of("1 2 3 4 5"), None);
    }
}
