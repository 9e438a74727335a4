//! The mails there are.

use super::{
    category::Category,
    name::shown_name,
    render::{Rendered, render},
};
use crate::{account::Role, catalogue::Product, currency, meter::MeterName, time::Timestamp};

/// A mail, before it is written out. Texts of somebody else's making are escaped where they must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter<'a> {
    /// Is this address yours?
    VerifyEmail {
        /// Where to say so.
        link: &'a str,
    },
    /// Somebody forgot the password.
    ResetPassword {
        /// Where to set another.
        link: &'a str,
        /// How long the link is good for.
        minutes: i64,
        /// The account's API keys, a line each, as [`key_line`] writes it. They stay good unless they are revoked.
        keys: &'a [String],
    },
    /// The password was changed.
    PasswordChanged,
    /// The second factor was switched on.
    SecondFactorOn,
    /// The second factor was switched off.
    SecondFactorOff,
    /// A recovery code was used up.
    RecoveryCodeUsed {
        /// How many are left.
        left: usize,
    },
    /// Somebody signed in on a device that was not seen before.
    NewDevice {
        /// What it calls itself.
        device: &'a str,
        /// The address it came from, where that is known.
        address: Option<&'a str>,
        /// When.
        at: Timestamp,
    },
    /// An invitation into a team.
    Invitation {
        /// Whose team.
        team: &'a str,
        /// Who invites.
        inviter: &'a str,
        /// As what.
        role: Role,
        /// Where to accept.
        link: &'a str,
    },
    /// The address is confirmed.
    Welcome {
        /// Where to begin.
        link: &'a str,
    },
    /// A trial is about to end.
    TrialEnding {
        /// Of what.
        product: Product,
        /// The first instant at which it is over.
        ends_at: Timestamp,
        /// Begun days that are left.
        days: u64,
        /// Where to choose a plan.
        upgrade_url: &'a str,
    },
    /// A trial has ended.
    TrialEnded {
        /// Of what.
        product: Product,
        /// When.
        ended_at: Timestamp,
        /// Where to choose a plan.
        upgrade_url: &'a str,
    },
    /// A share of a limit was reached.
    QuotaWarning {
        /// Of what.
        product: Product,
        /// Which limit.
        meter: MeterName,
        /// The share in whole percent: 80, 90 or 100.
        percent: u64,
        /// How much was used when it was reached.
        used: u64,
        /// The limit.
        limit: u64,
        /// Whether it is the whole team's.
        is_team: bool,
        /// Where to choose a larger plan.
        upgrade_url: &'a str,
    },
    /// Something was paid.
    Receipt {
        /// For what.
        product: Product,
        /// The plan, as it is called.
        plan: &'a str,
        /// In the smallest unit of the currency.
        amount_cents: i64,
        /// ISO 4217, in any case.
        currency: &'a str,
        /// From when to when it is paid for, where that is known.
        period: Option<(Timestamp, Timestamp)>,
        /// The invoice.
        invoice_url: &'a str,
    },
    /// What a month was used for.
    MonthlySummary {
        /// `2026-01`
        month: &'a str,
        /// Requests.
        requests: u64,
        /// Tokens.
        tokens: u64,
        /// Micro-dollars of what has a known price.
        cost_microusd: u64,
        /// Requests whose price is not known.
        unpriced: u64,
        /// Where the statement is.
        link: &'a str,
    },
}

/// What to do when it was somebody else.
const NOT_YOU: &str = "If it was not you, change your password at once and look at your sessions.";

impl Letter<'_> {
    /// What it counts as where somebody wants fewer mails; `None` for those that are sent whatever somebody wants: they are
    /// about the account's safety, or about money.
    pub const fn category(&self) -> Option<Category> {
        match self {
            Self::TrialEnding { .. } | Self::TrialEnded { .. } => Some(Category::Reminders),
            Self::QuotaWarning { .. } => Some(Category::QuotaWarnings),
            Self::MonthlySummary { .. } => Some(Category::Summary),
            Self::VerifyEmail { .. }
            | Self::ResetPassword { .. }
            | Self::PasswordChanged
            | Self::SecondFactorOn
            | Self::SecondFactorOff
            | Self::RecoveryCodeUsed { .. }
            | Self::NewDevice { .. }
            | Self::Invitation { .. }
            | Self::Welcome { .. }
            | Self::Receipt { .. } => None,
        }
    }

    /// The name of its kind: in the outbox, in preferences.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "verify_email",
            Self::ResetPassword { .. } => "reset_password",
            Self::PasswordChanged => "password_changed",
            Self::SecondFactorOn => "totp_on",
            Self::SecondFactorOff => "totp_off",
            Self::RecoveryCodeUsed { .. } => "recovery_code_used",
            Self::NewDevice { .. } => "new_device",
            Self::Invitation { .. } => "invitation",
            Self::Welcome { .. } => "welcome",
            Self::TrialEnding { .. } => "trial_ending",
            Self::TrialEnded { .. } => "trial_ended",
            Self::QuotaWarning { .. } => "quota_warning",
            Self::Receipt { .. } => "receipt",
            Self::MonthlySummary { .. } => "monthly_summary",
        }
    }

    /// Writes it out.
    #[expect(clippy::too_many_lines, reason = "one arm a letter, each of a few lines")]
    pub fn rendered(&self) -> Rendered {
        match self {
            Self::VerifyEmail { link } => render(
                "Confirm your e-mail address",
                &["Please confirm that this address is yours."],
                Some(("Confirm", link)),
                &["If you did not register, somebody mistyped an address: do nothing, and nothing happens."],
            ),
            Self::ResetPassword { link, minutes, keys } => {
                let good_for = format!("The link is good for {minutes} minutes, and once.");
                let mut after = vec![good_for.as_str(), "If it was not you, do nothing: your password stays as it is."];
                if !keys.is_empty() {
                    after.push(
                        "These API keys of the account stay good unless you choose to revoke them with the new password \
                         (revoke_api_keys), or one by one when you have signed in:",
                    );
                    after.extend(keys.iter().map(String::as_str));
                }
                render(
                    "Set a new password",
                    &["Somebody, probably you, asked for a new password for this account."],
                    Some(("Set a new password", link)),
                    &after,
                )
            }
            Self::PasswordChanged => render(
                "Your password was changed",
                &["The password of your account was changed, and other devices were signed out."],
                None,
                &["If it was not you, ask for a new password at once: whoever has your mailbox has your account."],
            ),
            Self::SecondFactorOn => render(
                "Two-step sign-in is on",
                &["Signing in to your account with its password takes a code of your authenticator app from now on."],
                None,
                &["Keep the recovery codes where you find them without your telephone.", NOT_YOU],
            ),
            Self::SecondFactorOff => render(
                "Two-step sign-in is off",
                &["Signing in to your account takes its password alone from now on."],
                None,
                &[NOT_YOU],
            ),
            Self::RecoveryCodeUsed { left } => render(
                "A recovery code was used",
                &[&format!("A recovery code of your account was used up. There are {left} left.")],
                None,
                &[NOT_YOU],
            ),
            Self::NewDevice { device, address, at } => {
                let from = address.map(|address| format!(" from {address}")).unwrap_or_default();
                render(
                    "A new device signed in",
                    &[&format!("{} signed in to your account{from} at {at}.", shown_name(device, "A device"))],
                    None,
                    &["If it was you, there is nothing to do. If not, end that session and change your password."],
                )
            }
            Self::Invitation { team, inviter, role, link } => {
                let (team, inviter) = (shown_name(team, "a team"), shown_name(inviter, "Somebody"));
                render(
                    &format!("You are invited to a team: {team}"),
                    &[&format!("{inviter} invites you to join the team {team} as {}.", role.as_str())],
                    Some(("Accept", link)),
                    &[
                        "The invitation is good for seven days and for this address only. The names were chosen by whoever \
                         invites; if you do not know them, do nothing, and nothing happens.",
                    ],
                )
            }
            Self::Welcome { link } => render(
                "Welcome",
                &["Your address is confirmed: everything is ready."],
                Some(("Begin here", link)),
                &["Answer to this mail when something is not as you expect it."],
            ),
            Self::TrialEnding { product, ends_at, days, upgrade_url } => {
                let left = if *days == 1 { "one day".to_owned() } else { format!("{days} days") };
                render(
                    &format!("{left} of your trial left"),
                    &[&format!("Your trial of {product} ends at {ends_at}: there is {left} left.")],
                    Some(("Choose a plan", upgrade_url)),
                    &["Nothing is charged by itself. When the trial ends nothing is deleted."],
                )
            }
            Self::TrialEnded { product, ended_at, upgrade_url } => render(
                "Your trial has ended",
                &[&format!("Your trial of {product} ended at {ended_at}. Nothing was deleted.")],
                Some(("Choose a plan", upgrade_url)),
                &["With a plan everything goes on where it stopped."],
            ),
            Self::QuotaWarning { product, meter, percent, used, limit, is_team, upgrade_url } => {
                let whose = if *is_team { "your team" } else { "you" };
                let meter = meter.as_str();
                let after = if *percent >= 100 {
                    "Until the period is over, or the plan is a larger one, what needs more is refused."
                } else {
                    "Nothing is refused yet."
                };
                render(
                    &format!("{percent}% of your {meter} are used"),
                    &[&format!("Of {limit} {meter} of {product} in this period {whose} used {used}: {percent}%.")],
                    Some(("See the plans", upgrade_url)),
                    &[after],
                )
            }
            Self::Receipt { product, plan, amount_cents, currency, period, invoice_url } => {
                let amount = currency::written(*amount_cents, currency);
                let span = period.map(|(from, to)| format!(", from {from} to {to}")).unwrap_or_default();
                render(
                    &format!("Your receipt: {amount}"),
                    &[&format!("Thank you: {amount} was paid for the plan {plan} of {product}{span}.")],
                    Some(("See the invoice", invoice_url)),
                    &[],
                )
            }
            Self::MonthlySummary { month, requests, tokens, cost_microusd, unpriced, link } => {
                let cost = currency::written(i64::try_from(cost_microusd / 10_000).unwrap_or(i64::MAX), "usd");
                let known = match unpriced {
                    0 => format!("What the models took cost {cost}."),
                    1 => format!("What the models took cost {cost}; the price of one request is not known."),
                    _ => format!("What the models took cost {cost}; the price of {unpriced} requests is not known."),
                };
                render(
                    &format!("Your usage in {month}"),
                    &[&format!("In {month} you used {requests} requests and {tokens} tokens."), &known],
                    Some(("See the statement", link)),
                    &[],
                )
            }
        }
    }
}

/// A line about an API key: its name, how its text begins and ends, when it was last used. Whoever made the key chose the name,
/// and may be a stranger to whoever reads the mail.
pub fn key_line(name: &str, last_four: &str, last_used: Option<Timestamp>) -> String {
    let used = last_used.map_or_else(|| "never used".to_owned(), |at| format!("last used {at}"));
    format!("- {} (tg_live_…{last_four}), {used}", shown_name(name, "a key without a name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_write_is_text_and_never_markup() {
        let letter = Letter::Invitation {
            team: "<script>alert(1)</script>\r\nBcc: x@example.com",
            inviter: "Eve & \"Co\"",
            role: Role::Admin,
            link: "https://example.com/?a=1&b=2",
        };
        let mail = letter.rendered();
        assert!(!mail.html.contains("script>") && mail.html.contains("the team script alert(1) script Bcc x ex"));
        assert!(mail.html.contains("Eve &amp; Co") && mail.html.contains("href=\"https://example.com/?a=1&amp;b=2\""));
        assert!(mail.text.contains("https://example.com/?a=1&b=2"));
        assert!(!mail.subject.contains(['\r', '\n']), "a subject is one line: {:?}", mail.subject);
        assert_eq!(mail.links, ["https://example.com/?a=1&b=2"]);
    }

    #[test]
    fn the_mail_to_reset_a_password_lists_the_keys_and_a_key_s_name_is_no_link() {
        let named = key_line("Visit https://evil.example/x or mail a@evil.example now\r\n", "Ab1Z", None);
        assert_eq!(named, "- Visit https evil example x or mail a evi (tg_live_…Ab1Z), never used");
        let used = key_line("ci", "0000", Some(Timestamp::from_millis(0)));
        assert_eq!(used, "- ci (tg_live_…0000), last used 1970-01-01T00:00:00Z");
        let mail =
            Letter::ResetPassword { link: "https://x.example/r", minutes: 30, keys: &[named.clone(), used] }.rendered();
        assert!(mail.text.contains(&named) && mail.text.contains("revoke_api_keys"), "{}", mail.text);
        assert_eq!(mail.links, ["https://x.example/r"]);
    }

    fn one_of_each<'a>(text: &'a str, link: &'a str) -> Vec<Letter<'a>> {
        let at = Timestamp::from_millis(0);
        let product = Product::Agent;
        vec![
            Letter::VerifyEmail { link },
            Letter::ResetPassword { link, minutes: 30, keys: &[] },
            Letter::PasswordChanged,
            Letter::SecondFactorOn,
            Letter::SecondFactorOff,
            Letter::RecoveryCodeUsed { left: 9 },
            Letter::NewDevice { device: text, address: Some(text), at },
            Letter::Invitation { team: text, inviter: text, role: Role::Member, link },
            Letter::Welcome { link },
            Letter::TrialEnding { product, ends_at: at, days: 3, upgrade_url: link },
            Letter::TrialEnded { product, ended_at: at, upgrade_url: link },
            Letter::QuotaWarning {
                product,
                meter: MeterName::Tokens,
                percent: 80,
                used: 8,
                limit: 10,
                is_team: true,
                upgrade_url: link,
            },
            Letter::Receipt {
                product,
                plan: text,
                amount_cents: 1_999,
                currency: text,
                period: Some((at, at)),
                invoice_url: link,
            },
            Letter::MonthlySummary { month: text, requests: 1, tokens: 2, cost_microusd: 30_000, unpriced: 1, link },
        ]
    }

    #[test]
    fn each_has_a_subject_and_both_bodies_say_the_same() {
        let mut kinds = std::collections::HashSet::new();
        for letter in one_of_each("T", "https://x/") {
            let mail = letter.rendered();
            assert!(kinds.insert(letter.kind()));
            assert!(!mail.subject.is_empty() && mail.subject.len() < 100);
            for line in mail.text.lines().filter(|line| !line.is_empty() && !line.contains("https://")) {
                assert!(mail.html.contains(line), "{line} is missing in {}", mail.html);
            }
        }
    }

    #[test]
    fn what_is_about_safety_or_money_is_not_to_be_switched_off() {
        for letter in one_of_each("T", "https://x/") {
            let may = letter.category().is_some();
            let expected =
                matches!(letter.kind(), "trial_ending" | "trial_ended" | "quota_warning" | "monthly_summary");
            assert_eq!(may, expected, "{}", letter.kind());
        }
    }

    #[test]
    fn a_receipt_has_the_parts_that_its_currency_has() {
        for (currency, subject) in [("usd", "10.00 USD"), ("jpy", "1000 JPY"), ("kwd", "1.000 KWD")] {
            let letter = Letter::Receipt {
                product: Product::Agent,
                plan: "pro",
                amount_cents: 1_000,
                currency,
                period: None,
                invoice_url: "https://x/",
            };
            assert_eq!(letter.rendered().subject, format!("Your receipt: {subject}"));
        }
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        let ending = |days| {
            let at = Timestamp::from_millis(0);
            Letter::TrialEnding { product: Product::Agent, ends_at: at, days, upgrade_url: "https://x/" }.rendered()
        };
        assert_eq!(ending(1).subject, "one day of your trial left");
        assert_eq!(ending(3).subject, "3 days of your trial left");
    }

    /// The tags of a document, and whether everything between them is text: no quote ends an attribute early.
    fn tags(html: &str) -> Vec<String> {
        let mut tags = Vec::new();
        for piece in html.split('<').skip(1) {
            let (tag, text) = piece.split_once('>').unwrap();
            assert!(!text.contains(['"', '\'']), "a quote outside of a tag: {text}");
            match tag.split_once(" href=") {
                None => tags.push(tag.to_owned()),
                Some((name, address)) => {
                    let inner = address.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
                    assert!(!inner.contains(['"', '<', '>']), "{inner}");
                    tags.push(name.to_owned());
                }
            }
        }
        tags
    }

    proptest::proptest! {
        /// Whatever somebody is called: the elements of the mail are those it has anyway, and its subject is one line.
        #[test]
        fn nothing_breaks_out_of_its_element(
            text in "(\\PC|[<>&\"'\r\n\0])*|[^a]*</p><script>alert\\(1\\)</script>.*|\" onclick=.*",
            link in "https://x/(\\PC|[<>&\"'])*",
        ) {
            for (plain, odd) in one_of_each("T", "https://x/").iter().zip(one_of_each(&text, &link)) {
                let (plain, odd) = (plain.rendered(), odd.rendered().with_unsubscribe(&link));
                let plain = plain.with_unsubscribe("https://x/");
                proptest::prop_assert_eq!(tags(&odd.html), tags(&plain.html));
                proptest::prop_assert!(!odd.subject.contains(|c: char| c.is_control()));
                proptest::prop_assert!(odd.subject.chars().count() <= 90);
            }
        }
    }
}
