//! `GET /user/export`

use tollgate_domain::{
    account::Email,
    audit::{Action, Outcome},
    catalogue::Product,
    deletion::others,
    id::TenantId,
};
use tollgate_platform::{
    Problem, Scope, audit,
    http::{Pump, Reply, pipe},
    identity::{Caller, actor},
    log,
    meter::{MeterClient, MeterReply, Owner, Snapshot},
    store::{
        self, directory,
        personal::{Of, Shown, TABLES},
    },
};

use crate::session_ended;

/// Rows read at a time: what the stream holds in memory.
const ROWS_AT_ONCE: u32 = 500;

/// Whose rows are exported.
struct Person {
    caller: Caller,
    email: Email,
    /// Others' invitations to the address are shown to whoever has proven to have it.
    verified: bool,
    tenants: Vec<TenantId>,
}

/// All that is kept about the caller, as a JSON file that is written while it is read: rows by tenant and table, where the meters
/// stand, the copies of their counters, and invitations to the caller's address. Secrets are left out: hashes of passwords, tokens
/// and keys.
#[utoipa::path(get, path = "/user/export", operation_id = "export_user", tag = "accounts", security(("bearer" = [])), responses(
    (status = 200, body = Object, description = "`{exported_at, user_id, tenants: [{tenant_id, tables: {<table>: [row]}, meters, copies}], invitations_to_you}`"),
    (status = 401, body = Problem), (status = 403, body = Problem, description = "Asked for with an API key"), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn export(scope: Scope, caller: Caller) -> Result<Reply, Problem> {
    let row = store::profile(&scope, caller.tenant, caller.user, caller.session).await?;
    let row = row.filter(store::ProfileRow::session_stands).ok_or_else(session_ended)?;
    let email = Email::parse(&row.email).map_err(|_| Problem::internal())?;
    let former = directory::former_tenants(&scope, &email, caller.user).await?;
    let mut tenants = vec![caller.tenant];
    tenants.extend(others(caller.tenant, None, &former));
    tenants.retain(|tenant| store::shards(&scope).any(|shard| shard == tenant.shard()));
    let done = audit::entry(
        &scope,
        actor(&caller),
        Action::AccountExport,
        "user",
        Some(caller.user.to_string()),
        Outcome::Success,
    );
    audit::record(&scope, caller.tenant, &done).await;
    let person = Person { caller, email, verified: row.email_verified != 0, tenants };
    let (pump, readable) = pipe().map_err(|error| {
        log::error("export", &format!("{error:?}"), Some(&scope));
        Problem::internal()
    })?;
    let writer = scope.clone();
    scope.wait_until(async move { write(&writer, &person, pump).await });
    Ok(Reply::stream("application/json", readable)
        .with("content-disposition", "attachment; filename=\"tollgate-export.json\""))
}

async fn write(scope: &Scope, person: &Person, mut pump: Pump) {
    match write_all(scope, person, &mut pump).await {
        Ok(()) => pump.close().await,
        // The file must not look whole: the line breaks off.
        Err(problem) => {
            log::warn("export", &format!("an export broke off: {}", problem.detail), Some(scope));
            pump.abort().await;
        }
    }
}

async fn write_all(scope: &Scope, person: &Person, pump: &mut Pump) -> Result<(), Problem> {
    let head = format!("{{\"exported_at\":\"{}\",\"user_id\":\"{}\",\"tenants\":[", scope.now(), person.caller.user);
    pump.write(&head).await;
    for (at, tenant) in person.tenants.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        pump.write(&format!("{comma}\n{{\"tenant_id\":\"{tenant}\",\"tables\":{{")).await;
        write_tables(scope, person, *tenant, pump).await?;
        pump.write("},").await;
        write_objects(scope, person, *tenant, pump).await?;
        pump.write("}").await;
    }
    let invitations = if person.verified { directory::invitations_to(scope, &person.email).await? } else { Vec::new() };
    pump.write(&format!("],\n\"invitations_to_you\":[{}]}}\n", invitations.join(","))).await;
    Ok(())
}

async fn write_tables(scope: &Scope, person: &Person, tenant: TenantId, pump: &mut Pump) -> Result<(), Problem> {
    let user = person.caller.user.to_string();
    let mut first = true;
    for table in TABLES {
        let Shown::Rows { statement, of, .. } = table.shown else { continue };
        let who = match of {
            Of::User => user.as_str(),
            Of::Address => person.email.as_str(),
        };
        let comma = if first { "" } else { "," };
        pump.write(&format!("{comma}\n\"{}\":[", table.table)).await;
        first = false;
        let mut after = (String::new(), -1);
        let mut rows_before = false;
        loop {
            let page =
                store::personal::exported(scope, tenant, statement, who, (&after.0, after.1), ROWS_AT_ONCE).await?;
            let mut text = String::new();
            for row in &page {
                text.push_str(if rows_before { ",\n" } else { "\n" });
                text.push_str(&row.row);
                rows_before = true;
            }
            pump.write(&text).await;
            match page.last().filter(|_| page.len() == ROWS_AT_ONCE as usize && !pump.is_gone()) {
                Some(last) => after = (last.key.clone(), last.number),
                None => break,
            }
        }
        pump.write("]").await;
    }
    Ok(())
}

/// What the objects and KV hold: each meter that was ever told a plan, with what the tables do not have yet.
async fn write_objects(scope: &Scope, person: &Person, tenant: TenantId, pump: &mut Pump) -> Result<(), Problem> {
    let (mut meters, mut copies) = (Vec::new(), Vec::new());
    let counters = scope.env().kv("COUNTERS").map_err(|error| {
        log::error("export", &error.to_string(), Some(scope));
        Problem::dependency("counters")
    })?;
    for product in Product::ALL {
        let meter = MeterClient::named(tenant, person.caller.user, product);
        let MeterReply::Standing { entitlement: Some(plan), standings, as_of } = meter.standing(scope, None).await?
        else {
            continue;
        };
        let (unexported, _) = meter.unexported(scope, None).await?;
        let ledger = meter.verify(scope, None).await?;
        meters.push(serde_json::json!({
            "product": product.as_str(), "as_of": as_of, "plan": plan, "standings": standings,
            "ledger": ledger, "not_in_the_tables_yet": unexported,
        }));
        let key = Owner { tenant, user: Some(person.caller.user), product }.snapshot_key();
        let copy = counters.get(&key).json::<Snapshot>().await.map_err(|error| {
            log::error("export", &error.to_string(), Some(scope));
            Problem::dependency("counters")
        })?;
        copies.extend(copy);
    }
    let objects = serde_json::json!({ "meters": meters, "copies": copies }).to_string();
    // Without its braces: two members of the tenant's object.
    pump.write(objects.trim_start_matches('{').strip_suffix('}').unwrap_or_default()).await;
    Ok(())
}
