//! What each problem code means and what a caller can do: the member `x-problems` of the document, and from it the
//! section "Problems" of the page `/api/docs`.

use tollgate_api::{Code, Problem};

/// The codes and their explanation from one list. `explain` is a `match` without a wildcard: a code that is not explained
/// here does not compile, so that the `type` of every problem leads somewhere.
macro_rules! explained {
    ($($code:ident: $meaning:literal, $action:literal;)*) => {
        /// Every code.
        pub const CODES: &[Code] = &[$(Code::$code),*];

        const fn explain(code: Code) -> (&'static str, &'static str) {
            match code {
                $(Code::$code => ($meaning, $action),)*
            }
        }
    };
}

explained! {
    BadRequest:
        "The body is not JSON or broke off, or a header or a query parameter is malformed.",
        "Correct what `detail` names; the same request fails again.";
    InvalidInput:
        "The body is JSON, and a field of it is missing, unknown, of the wrong type or has a value that is not taken.",
        "Correct the fields that `errors` lists.";
    Unauthorized:
        "There is no access token or API key, it is not a good one of this installation, or a refresh token is not valid.",
        "Send `Authorization: Bearer <access token or API key>`, once. `POST /auth/login` answers new tokens; `detail` says when a key is mistyped.";
    TokenExpired:
        "The access token has expired; it lives 15 minutes.",
        "Get a new pair with `POST /auth/refresh` and send the request again.";
    SessionRevoked:
        "The session was ended: by a logout, from another device, by a new password, or because a refresh token was used twice.",
        "Sign in again with `POST /auth/login`.";
    InvalidCredentials:
        "E-mail or password is wrong; which of them is not told. Or the code is, once the password was right: `detail` says so.",
        "Ask the person again.";
    TotpRequired:
        "The password is right, and the account has a second factor.",
        "Ask for the code that the app shows, or a recovery code, and send the same sign-in again with it as `totp`.";
    TrialExpired:
        "The trial is over. Nothing was deleted.",
        "Choose a plan at `upgrade_url`: `POST /subscription/checkout` answers where to pay.";
    PaymentRequired:
        "The plan that was held is over, a payment is missing, or the card was declined. Nothing was deleted.",
        "Pay what is open with `POST /subscription/portal`, use another card, or choose a plan at `upgrade_url`.";
    PlanLacksFeature:
        "The plan does not include this; `meter` names what is missing, when it is a meter.",
        "Choose a plan that includes it at `upgrade_url`, or do without it. Waiting does not help.";
    Forbidden:
        "The caller is known, and the role does not allow this; or the API key lacks the scope that `detail` names; or only a person may do this.",
        "Ask an admin or the owner of the tenant; use a key with that scope; or sign in.";
    NotFound:
        "There is nothing at this address, or nothing of yours.",
        "Look at the address and the ids in it; `GET /openapi.json` lists every address.";
    ModelNotFound:
        "There is no such model, or its provider is not configured here. Models are named `provider/model`.",
        "Choose one of `GET /v1/models`.";
    MethodNotAllowed:
        "The address exists, and not with this method.",
        "Use a method that the header `Allow` names.";
    Conflict:
        "What is there does not allow it: a limit is reached, or it was done already. `detail` says which.",
        "Look at what is there; the same request fails again until that has changed.";
    EmailNotVerified:
        "Models that cost money take a confirmed address on a plan that nobody pays for.",
        "Open the link in the mail that was sent to the address; `POST /auth/verify-email/resend` sends another.";
    TrialBudgetSpent:
        "What all trials of this installation together may cost in a day is spent.",
        "Choose a plan, or come back after `Retry-After`: it begins anew with the UTC day.";
    EmailTaken:
        "The e-mail address is already registered.",
        "Sign in with `POST /auth/login`, or register with another address.";
    LastOwner:
        "The team would be without an owner.",
        "Make another member an owner first: `PATCH /team/members/{user_id}` with `{\"role\":\"owner\"}`.";
    NoSeat:
        "Members and pending invitations fill the seats that are paid for.",
        "Add seats, take an invitation back, or remove somebody.";
    AlreadyInvited:
        "Whoever has this address is in the team, or has a pending invitation.",
        "Nothing has to be done; to invite again, take the pending invitation back first.";
    LeaveTeamFirst:
        "The caller belongs to a tenant that has other members, and one belongs to one tenant.",
        "Leave it with `DELETE /team/members/{user_id}`, sign in again, and accept then.";
    InvitationClosed:
        "The invitation was accepted or taken back, or its seven days are over.",
        "Ask for a new one.";
    PreconditionFailed:
        "What was to be replaced has another version than the `ETag` in `If-Match`, or is there although `If-None-Match: *` was sent.",
        "Read it again, put your change into what is there now, and send that with its `ETag`.";
    ProviderNotConfigured:
        "The provider that the address names is not configured on this installation, or there is no single sign-on for the domain.",
        "Choose another way to sign in. Whoever runs the installation sets `GOOGLE_CLIENT_ID`, `GITHUB_CLIENT_ID` or `OIDC_CLIENT_ID` with what belongs to them.";
    SignInRefused:
        "A sign-in through another party is not good: it was not begun in this browser, took longer than ten minutes, was used before, was refused at the provider, or what the provider answered is not sound. `detail` says which.",
        "Begin again at `/auth/oauth/{provider}/start`.";
    EmailNotVouchedFor:
        "There is an account with this address, and the provider does not say that the address belongs to whoever signs in.",
        "Confirm the address at the provider, or sign in with the password; `POST /auth/forgot-password` sets one.";
    LastSignIn:
        "Without it nobody could sign in to the account any more.",
        "Set a password first with `POST /auth/forgot-password`, or sign in through another provider once.";
    DomainTaken:
        "Another team has proven that this domain is its own.",
        "Ask that team to give the domain up with `DELETE /team/sso/domains/{domain}`.";
    DomainNotProven:
        "The TXT record that proves the domain was not found.",
        "Set the record that `detail` names, wait until the name servers answer it, and try again.";
    PayloadTooLarge:
        "The body is larger than this address takes.",
        "Send less; `detail` tells the limit.";
    UnsupportedMediaType:
        "The body is not declared to be JSON.",
        "Send it with `Content-Type: application/json`.";
    NotAnUpgrade:
        "From the plan that is held there is no such move, it is the plan that is held, or it is a move down.",
        "`GET /subscription/plans` tells which moves there are; those down are made with `PATCH /subscription` and wait for the end of the paid period.";
    IdempotencyKeyReused:
        "The same `Idempotency-Key` was sent before with another body.",
        "Use a new key for a new request, and the very same body for a retry.";
    TooBusy:
        "Too many large bodies are read and sent on at this moment. Nothing was charged.",
        "Send the same request again after `Retry-After` seconds.";
    IdempotencyKeyInProgress:
        "The first request under this `Idempotency-Key` is still running.",
        "Send the same request with the same key again after `Retry-After` seconds: you get the answer of the first.";
    IdempotencyAnswerGone:
        "The request was carried out and charged once, but its answer was too large to keep.",
        "Use a new key to have it done again; it is then charged again.";
    QuotaExceeded:
        "The plan has less left than the request may need: `meter`, `remaining` and `requested` say how much. Nothing was charged.",
        "Ask for less (a smaller `max_tokens`), wait `Retry-After` seconds, or choose a larger plan at `upgrade_url`.";
    RateLimited:
        "Too many requests came in a short time.",
        "Wait `Retry-After` seconds, and send fewer at once.";
    ProviderRejected:
        "The model provider refused the request; `detail` says why. Nothing was charged.",
        "Correct the request; the same one fails again.";
    ContentPolicyViolation:
        "The model provider refused what the request says; `detail` is its reason. Nothing was charged.",
        "Change the messages; the same request fails again.";
    ContextLengthExceeded:
        "The messages, or the messages and the answer asked for, are longer than the model's context. Nothing was charged.",
        "Send fewer or shorter messages, ask for a smaller `max_tokens`, or choose a model with a larger context.";
    ProviderError:
        "The model provider could not be reached, failed, or does not accept this installation's key. Nothing was charged, \
            except for what a stream had delivered before it broke off.",
        "Try again later, with the same `Idempotency-Key` if you like. If it stays, tell the operator the `request_id`.";
    ProviderUnavailable:
        "The model provider is overloaded, or limits this installation. Nothing was charged.",
        "Try again after `Retry-After` seconds, or later if the header is absent; or use another model.";
    ProviderTimeout:
        "The model provider did not answer within the time that this installation gives it. Nothing was charged.",
        "Ask for a shorter answer or as a stream, try another model, or try again later; `Idempotency-Key` is free again.";
    DependencyUnavailable:
        "A part of the platform cannot be reached; `dependency` names it.",
        "Try again after `Retry-After` seconds. `GET /health/ready` tells the operator what does not answer.";
    BillingNotConfigured:
        "This installation has no Stripe key, so nothing can be bought.",
        "Its operator sets `STRIPE_SECRET_KEY`.";
    Internal:
        "A fault of the platform. The log has it under the `request_id`.",
        "Tell the operator the `request_id`.";
}

/// Every code with its status, title, meaning and remedy, as `x-problems` has them.
pub fn problems() -> serde_json::Value {
    let entry = |code: &Code| {
        let problem = Problem::new(*code, "");
        let (meaning, action) = explain(*code);
        serde_json::json!({
            "code": code.as_str(), "status": problem.status, "title": problem.title, "meaning": meaning, "action": action,
        })
    };
    CODES.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_document_is_explained_where_its_type_leads() {
        let document = crate::document();
        let codes = document["components"]["schemas"]["Code"]["enum"].as_array().unwrap();
        let explained: Vec<_> = document["x-problems"].as_array().unwrap().iter().map(|entry| &entry["code"]).collect();
        assert_eq!(codes.iter().collect::<Vec<_>>(), explained);
        for code in CODES {
            let kind = Problem::new(*code, "").kind;
            assert!(kind.ends_with(&format!("/api/docs#{}", code.as_str())), "{kind}");
        }
    }
}
