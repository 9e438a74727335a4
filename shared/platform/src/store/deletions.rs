//! Deletions: how far each has come, and what is left of it.

use serde::Deserialize;
use tollgate_domain::{
    account::Email,
    deletion::{Extent, Proof, Removed, State, subject},
    id::{DeletionId, InvitationId, TenantId, UserId},
    secret_hash::SecretHash,
    time::Timestamp,
};

use super::{
    database::{Param, Statement, StoreError, TenantDb},
    personal,
    teams::{self, StoredTeam},
};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[REQUEST, GONE, FOLLOW, FIND, ADVANCE, FORGET, NOTE_HEAD, FINISH];

const REQUEST: Statement = Statement {
    name: "deletions.request",
    sql: "INSERT INTO deletions (tenant_id, deletion_id, subject, extent, state, removed, requested_at, user_id, email, name, \
            verified, address, others, pseudonym) \
          SELECT ?1, ?2, ?3, ?4, 'requested', '{}', ?5, u.user_id, u.email, u.name, u.email_verified, ?7, ?8, ?9 \
          FROM users u WHERE u.tenant_id = ?1 AND u.user_id = ?6",
};
// From here on nobody signs in, no key is found, and no role is held.
const GONE: Statement =
    Statement { name: "deletions.gone", sql: "DELETE FROM users WHERE tenant_id = ?1 AND user_id = ?2" };
/// The same deletion in another tenant that the user was in.
const FOLLOW: Statement = Statement {
    name: "deletions.follow",
    sql: "INSERT OR IGNORE INTO deletions (tenant_id, deletion_id, subject, extent, state, removed, requested_at, user_id, \
            verified, address, others, pseudonym) VALUES (?1, ?2, ?3, ?4, 'unlisted', '{}', ?5, ?6, 0, ?7, '', ?8)",
};
const FIND: Statement = Statement {
    name: "deletions.find",
    sql: "SELECT deletion_id, extent, state, removed, requested_at, user_id, email, name, verified, others, pseudonym, audit_head \
          FROM deletions WHERE tenant_id = ?1 AND deletion_id = ?2 AND user_id IS NOT NULL",
};
// Of two who drive it at once, one changes the row.
const ADVANCE: Statement = Statement {
    name: "deletions.advance",
    sql: "UPDATE deletions SET state = ?4, removed = ?5 WHERE tenant_id = ?1 AND deletion_id = ?2 AND state = ?3",
};
const FORGET: Statement = Statement {
    name: "deletions.forget",
    sql: "UPDATE deletions SET email = NULL, name = NULL WHERE tenant_id = ?1 AND deletion_id = ?2",
};
const NOTE_HEAD: Statement = Statement {
    name: "deletions.note_head",
    sql: "UPDATE deletions SET audit_head = (SELECT a.hash FROM audit a WHERE a.tenant_id = ?1 ORDER BY a.seq DESC LIMIT 1) \
          WHERE tenant_id = ?1 AND deletion_id = ?2 AND extent = 'tenant' AND audit_head IS NULL",
};
const FINISH: Statement = Statement {
    name: "deletions.finish",
    sql: "UPDATE deletions SET state = 'proven', finished_at = ?3, proof = ?4, proof_hash = ?5, user_id = NULL, others = '' \
          WHERE tenant_id = ?1 AND deletion_id = ?2 AND state = 'erased'",
};

/// What is deleted, and how far it has come.
#[derive(Debug, Clone)]
pub struct Deletion {
    /// In which tenant.
    pub tenant: TenantId,
    /// Its id, the same in every tenant.
    pub id: DeletionId,
    /// How much of the tenant goes.
    pub extent: Extent,
    /// How far it is.
    pub state: State,
    /// What was removed until now.
    pub removed: Removed,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Who.
    pub user: UserId,
    /// The sign-in name, until it is nobody's.
    pub email: Option<Email>,
    /// How the person was called, until then.
    pub name: Option<String>,
    /// Whether the address was confirmed.
    pub verified: bool,
    /// Other tenants.
    pub others: Vec<TenantId>,
    /// What usage in a team is kept under.
    pub pseudonym: UserId,
    /// The hash of the last entry of the tenant's log, once that is removed.
    pub audit_head: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    deletion_id: DeletionId,
    extent: String,
    state: String,
    removed: String,
    requested_at: i64,
    user_id: UserId,
    email: Option<String>,
    name: Option<String>,
    verified: i64,
    others: String,
    pseudonym: UserId,
    audit_head: Option<String>,
}

impl Row {
    fn deletion(self, tenant: TenantId) -> Option<Deletion> {
        Some(Deletion {
            tenant,
            id: self.deletion_id,
            extent: Extent::parse(&self.extent)?,
            state: State::parse(&self.state)?,
            removed: Removed::read(&self.removed),
            requested_at: Timestamp::from_millis(self.requested_at),
            user: self.user_id,
            email: self.email.map(|email| Email::parse(&email)).transpose().ok()?,
            name: self.name,
            verified: self.verified != 0,
            others: self.others.split_ascii_whitespace().filter_map(|id| id.parse().ok()).collect(),
            pseudonym: self.pseudonym,
            audit_head: self.audit_head,
        })
    }
}

/// The hash by which mails to an address are known while they are on their way.
pub(super) fn address_hash(email: &str) -> String {
    SecretHash::of("deletion address", email.as_bytes()).to_string()
}

/// A deletion that is asked for.
#[derive(Debug)]
pub struct NewDeletion<'a> {
    /// Its id.
    pub id: DeletionId,
    /// Who.
    pub user: UserId,
    /// The sign-in name.
    pub email: &'a Email,
    /// How much of the tenant goes.
    pub extent: Extent,
    /// Other tenants that the user was in.
    pub others: &'a [TenantId],
    /// What usage in a team is kept under.
    pub pseudonym: UserId,
    /// Invitations that die with it.
    pub revoked: &'a [InvitationId],
}

/// Takes a user out of the tenant and remembers what is still to be done, in one transaction.
///
/// # Errors
/// `Taken` when the team has changed since it was read.
pub async fn request_deletion(scope: &Scope, team: &StoredTeam, new: &NewDeletion<'_>) -> Result<(), StoreError> {
    let now = scope.now().as_millis();
    let (id, user, pseudonym) = (new.id.to_string(), new.user.to_string(), new.pseudonym.to_string());
    let (subject, address) = (subject(new.user).to_string(), address_hash(new.email.as_str()));
    let others: Vec<_> = new.others.iter().map(ToString::to_string).collect();
    let others = others.join(" ");
    let revoked: Vec<_> = new.revoked.iter().map(ToString::to_string).collect();
    let mut writes = vec![(teams::CHANGED, vec![Param::Int(teams::next(team)), Param::Int(now)])];
    writes.extend(revoked.iter().map(|id| (teams::REVOKED, vec![Param::Text(id), Param::Int(now)])));
    if new.extent == Extent::Tenant {
        writes.push((teams::REVOKED_ALL, vec![Param::Int(now)]));
    }
    writes.extend([
        (teams::END_SESSIONS, vec![Param::Text(&user), Param::Int(now)]),
        (
            REQUEST,
            vec![
                Param::Text(&id),
                Param::Text(&subject),
                Param::Text(new.extent.as_str()),
                Param::Int(now),
                Param::Text(&user),
                Param::Text(&address),
                Param::Text(&others),
                Param::Text(&pseudonym),
            ],
        ),
        (GONE, vec![Param::Text(&user)]),
    ]);
    let changed = TenantDb::of(scope, team.tenant)?.batch(&writes).await?;
    // Nobody was there: somebody else was faster.
    if changed.last() == Some(&1) { Ok(()) } else { Err(StoreError::Taken("users.user_id".to_owned())) }
}

/// Remembers that a deletion goes on in another tenant.
///
/// # Errors
/// When the database cannot be written.
pub async fn follow_deletion(
    scope: &Scope,
    deletion: &Deletion,
    tenant: TenantId,
    extent: Extent,
) -> Result<(), StoreError> {
    let (id, user, pseudonym) = (deletion.id.to_string(), deletion.user.to_string(), deletion.pseudonym.to_string());
    let subject = subject(deletion.user).to_string();
    let address = deletion.email.as_ref().map(|email| address_hash(email.as_str()));
    let params = [
        Param::Text(&id),
        Param::Text(&subject),
        Param::Text(extent.as_str()),
        Param::Int(deletion.requested_at.as_millis()),
        Param::Text(&user),
        address.as_deref().into(),
        Param::Text(&pseudonym),
    ];
    TenantDb::of(scope, tenant)?.run(FOLLOW, &params).await.map(drop)
}

/// A deletion that is not done; `None` when it is.
///
/// # Errors
/// When the database cannot be read.
pub async fn open_deletion(scope: &Scope, tenant: TenantId, id: DeletionId) -> Result<Option<Deletion>, StoreError> {
    let row: Option<Row> = TenantDb::of(scope, tenant)?.first(FIND, &[Param::Text(&id.to_string())]).await?;
    row.map(|row| row.deletion(tenant).ok_or(StoreError::Failed)).transpose()
}

/// Remembers that a step is done; `false` when somebody else has done it meanwhile.
///
/// # Errors
/// When the database cannot be written.
pub async fn advance_deletion(scope: &Scope, deletion: &Deletion, to: State) -> Result<bool, StoreError> {
    let (id, removed) = (deletion.id.to_string(), deletion.removed.to_json());
    let (id, removed) = (Param::Text(&id), Param::Text(&removed));
    let (from, after) = (Param::Text(deletion.state.as_str()), Param::Text(to.as_str()));
    let mut writes = vec![(ADVANCE, vec![id, from, after, removed])];
    if to == State::Unlisted {
        writes.push((FORGET, vec![id]));
    }
    let changed = TenantDb::of(scope, deletion.tenant)?.batch(&writes).await?;
    Ok(changed.first() == Some(&1))
}

/// Removes the rows, counts them, and remembers both, in one transaction.
///
/// # Errors
/// When the database cannot be written: then nothing is removed.
pub async fn erase_rows(scope: &Scope, deletion: &mut Deletion) -> Result<bool, StoreError> {
    let db = TenantDb::of(scope, deletion.tenant)?;
    personal::count(&db, deletion.user, deletion.extent, &mut deletion.removed).await?;
    let (id, user, pseudonym) = (deletion.id.to_string(), deletion.user.to_string(), deletion.pseudonym.to_string());
    let removed = deletion.removed.to_json();
    let mut writes = vec![(
        ADVANCE,
        vec![
            Param::Text(&id),
            Param::Text(State::Cleared.as_str()),
            Param::Text(State::Erased.as_str()),
            Param::Text(&removed),
        ],
    )];
    writes.push((NOTE_HEAD, vec![Param::Text(&id)]));
    let who = [Param::Text(&user), Param::Text(&pseudonym)];
    writes.extend(
        personal::erasing(deletion.extent)
            .map(|(statement, takes)| (statement, who.iter().take(takes).copied().collect())),
    );
    let changed = db.batch(&writes).await?;
    Ok(changed.first() == Some(&1))
}

/// Writes the proof, and forgets who it was.
///
/// # Errors
/// When the database cannot be written.
pub async fn finish_deletion(scope: &Scope, deletion: &Deletion, proof: &Proof<'_>) -> Result<bool, StoreError> {
    let (body, hash) = proof.written();
    let (id, hash) = (deletion.id.to_string(), hash.to_string());
    let params = [Param::Text(&id), Param::Int(proof.finished_at.as_millis()), Param::Text(&body), Param::Text(&hash)];
    Ok(TenantDb::of(scope, deletion.tenant)?.run(FINISH, &params).await? == 1)
}
