//! A tenant's view of its database.

use serde::de::DeserializeOwned;
use tollgate_api::Problem;
use tollgate_domain::id::{Shard, TenantId};
use wasm_bindgen::JsValue;
use worker::{D1Database, D1PreparedStatement, D1Result, Env};

use crate::{Scope, cost::Counts};

/// An SQL statement, as a named constant.
#[derive(Debug, Clone, Copy)]
pub struct Statement {
    /// Its name, for logs and the proof.
    pub name: &'static str,
    /// Its text. `?1` is the tenant.
    pub sql: &'static str,
}

/// A bound value.
#[derive(Debug, Clone, Copy)]
pub enum Param<'a> {
    /// Text.
    Text(&'a str),
    /// An integer within 2^53: JavaScript's numbers carry it exactly.
    Int(i64),
    /// Nothing.
    Null,
}

impl<'a> From<Option<&'a str>> for Param<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Param::Null, Param::Text)
    }
}

impl Param<'_> {
    fn to_js(self) -> JsValue {
        match self {
            Self::Text(text) => JsValue::from_str(text),
            #[expect(clippy::cast_precision_loss, reason = "documented to be within 2^53")]
            Self::Int(number) => JsValue::from_f64(number as f64),
            Self::Null => JsValue::NULL,
        }
    }
}

/// Values as they are bound.
pub(super) fn bound(params: &[Param<'_>]) -> Vec<JsValue> {
    params.iter().map(|param| param.to_js()).collect()
}

/// What can go wrong in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// A UNIQUE or PRIMARY KEY constraint stands against it: `table.column`.
    Taken(String),
    /// Anything else; the log knows.
    Failed,
}

impl From<StoreError> for Problem {
    fn from(_: StoreError) -> Self {
        Self::dependency("database")
    }
}

/// The shards that have a binding: `DB_0` and on.
pub fn shards(scope: &Scope) -> impl Iterator<Item = Shard> {
    bound_shards(scope.env())
}

pub(super) fn bound_shards(env: &Env) -> impl Iterator<Item = Shard> {
    (0..).map_while(|number| {
        let bound = js_sys::Reflect::get(env, &JsValue::from_str(&format!("DB_{number}")));
        Shard::new(number).filter(|_| bound.is_ok_and(|value| !value.is_undefined()))
    })
}

/// What a shard's database is called among the bindings.
pub(super) fn binding(shard: Shard) -> String {
    format!("DB_{}", shard.number())
}

/// A text that a shard's database holds, for readiness, which has no request to log for.
///
/// # Errors
/// What the database says.
pub(super) async fn text_of(env: &Env, shard: Shard, sql: &str, value: &str) -> Result<Option<String>, String> {
    let told = |error: worker::Error| error.to_string();
    let d1 = env.d1(&binding(shard)).map_err(told)?;
    let statement = d1.prepare(sql).bind(&[JsValue::from_str(value)]).map_err(told)?;
    statement.first::<String>(Some("name")).await.map_err(told)
}

/// One database with the request that uses it.
pub(super) struct Database<'a> {
    scope: &'a Scope,
    d1: D1Database,
}

impl<'a> Database<'a> {
    pub(super) fn of(scope: &'a Scope, shard: Shard) -> Result<Self, StoreError> {
        let binding = binding(shard);
        let d1 = scope.env().d1(&binding).map_err(|error| {
            crate::log::error("d1", &format!("{binding}: {error}"), Some(scope));
            StoreError::Failed
        })?;
        Ok(Self { scope, d1 })
    }

    fn prepare(&self, statement: Statement, params: &[JsValue]) -> Result<D1PreparedStatement, StoreError> {
        self.d1.prepare(statement.sql).bind(params).map_err(|error| self.failed(statement, &error))
    }

    fn failed(&self, statement: Statement, error: &worker::Error) -> StoreError {
        let text = error.to_string();
        // D1 reports SQLite's message, "UNIQUE constraint failed: table.column", with more around it.
        if let Some((_, rest)) = text.split_once("UNIQUE constraint failed: ") {
            let column = rest.split(|c: char| c.is_whitespace() || c == ',' || c == ':').next().unwrap_or_default();
            return StoreError::Taken(column.to_owned());
        }
        crate::log::error("d1", &format!("{}: {text}", statement.name), Some(self.scope));
        StoreError::Failed
    }

    fn count(&self, result: &D1Result) -> u64 {
        let meta = result.meta().ok().flatten();
        let number = |value: Option<usize>| value.and_then(|value| u32::try_from(value).ok()).unwrap_or(0);
        let changes = meta.as_ref().and_then(|meta| meta.changes).unwrap_or(0);
        self.scope.cost().add(Counts {
            d1_statements: 1,
            d1_rows_read: number(meta.as_ref().and_then(|meta| meta.rows_read)),
            d1_rows_written: number(meta.as_ref().and_then(|meta| meta.rows_written)),
            ..Counts::default()
        });
        changes as u64
    }

    pub(super) async fn all<T: DeserializeOwned>(
        &self,
        statement: Statement,
        params: &[JsValue],
    ) -> Result<Vec<T>, StoreError> {
        let prepared = self.prepare(statement, params)?;
        let result = prepared.all().await.map_err(|error| self.failed(statement, &error))?;
        self.count(&result);
        result.results().map_err(|error| self.failed(statement, &error))
    }

    /// Runs statements as one transaction; answers the rows each changed.
    pub(super) async fn batch(&self, statements: &[(Statement, Vec<JsValue>)]) -> Result<Vec<u64>, StoreError> {
        let Some((first, _)) = statements.first() else {
            return Ok(Vec::new());
        };
        let prepared = statements
            .iter()
            .map(|(statement, params)| self.prepare(*statement, params))
            .collect::<Result<Vec<_>, _>>()?;
        let results = self.d1.batch(prepared).await.map_err(|error| self.failed(*first, &error))?;
        Ok(results.iter().map(|result| self.count(result)).collect())
    }
}

/// A tenant's rows and nobody else's.
pub struct TenantDb<'a> {
    /// None where the tenant's shard has no binding.
    database: Option<Database<'a>>,
    tenant: TenantId,
}

impl<'a> TenantDb<'a> {
    /// The database of a tenant, on the shard its id names. Where that has no binding there is no such tenant: anybody can write
    /// such an id into a token. Reading then finds nothing, changing changes nothing.
    ///
    /// # Errors
    /// When the binding is no database.
    pub fn of(scope: &'a Scope, tenant: TenantId) -> Result<Self, StoreError> {
        let shard = tenant.shard();
        if shard != Shard::FIRST && !shards(scope).any(|bound| bound == shard) {
            crate::log::warn("d1", &format!("{} is not bound", binding(shard)), Some(scope));
            return Ok(Self { database: None, tenant });
        }
        Ok(Self { database: Some(Database::of(scope, shard)?), tenant })
    }

    fn bind(&self, params: &[Param<'_>]) -> Vec<JsValue> {
        core::iter::once(JsValue::from_str(&self.tenant.to_string()))
            .chain(params.iter().map(|param| param.to_js()))
            .collect()
    }

    /// The rows of a query; `params` are `?2` and on.
    pub(super) async fn all<T: DeserializeOwned>(
        &self,
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<Vec<T>, StoreError> {
        match &self.database {
            Some(database) => database.all(statement, &self.bind(params)).await,
            None => Ok(Vec::new()),
        }
    }

    /// The first row of a query.
    pub(super) async fn first<T: DeserializeOwned>(
        &self,
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<Option<T>, StoreError> {
        Ok(self.all(statement, params).await?.into_iter().next())
    }

    /// Runs statements as one transaction; answers the rows each changed.
    pub(super) async fn batch(&self, statements: &[(Statement, Vec<Param<'_>>)]) -> Result<Vec<u64>, StoreError> {
        let bound: Vec<_> = statements.iter().map(|(statement, params)| (*statement, self.bind(params))).collect();
        match &self.database {
            Some(database) => database.batch(&bound).await,
            // Nothing is there to be changed; what is to be stored cannot be.
            None if statements.iter().all(|(statement, _)| !statement.sql.starts_with("INSERT")) => {
                Ok(vec![0; statements.len()])
            }
            None => Err(StoreError::Failed),
        }
    }

    /// Runs one statement; answers the rows it changed.
    pub(super) async fn run(&self, statement: Statement, params: &[Param<'_>]) -> Result<u64, StoreError> {
        Ok(self.batch(&[(statement, params.to_vec())]).await?.into_iter().sum())
    }
}
