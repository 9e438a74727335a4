//! The database as the migrations make it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use rusqlite::{
    Connection,
    hooks::{AuthAction, AuthContext, Authorization},
};

/// A column of a table.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name, in lower case.
    pub name: String,
    /// Whether its type is TEXT; else it is INTEGER or another number.
    pub is_text: bool,
    /// Whether it may be NULL.
    pub nullable: bool,
}

/// A table of the schema.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// The columns of each PRIMARY KEY or UNIQUE constraint, in lower case.
    pub unique_keys: Vec<BTreeSet<String>>,
}

impl Table {
    /// Whether its rows belong to a tenant each.
    pub fn is_tenants(&self) -> bool {
        self.columns.iter().any(|column| column.name == "tenant_id")
    }

    /// Whether two rows that collide are sure to be one tenant's.
    pub fn collides_within_tenants(&self) -> bool {
        self.unique_keys.iter().all(|key| key.contains("tenant_id"))
    }
}

/// Tables by name, in lower case.
pub type Schema = BTreeMap<String, Table>;

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// An empty database with all migrations.
pub fn migrated() -> Connection {
    let mut files: Vec<_> = fs::read_dir(root().join("d1-migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    assert!(files.len() >= 2, "no migrations found");
    let database = Connection::open_in_memory().unwrap();
    for file in files {
        let name = file.display().to_string();
        database.execute_batch(&fs::read_to_string(file).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    database
}

fn texts(database: &Connection, sql: &str, params: &[&str]) -> Vec<String> {
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map(rusqlite::params_from_iter(params), |row| row.get::<_, String>(0)).unwrap();
    rows.map(|row| row.unwrap().to_lowercase()).collect()
}

/// What SQLite says about the tables of a database.
pub fn schema(database: &Connection) -> Schema {
    let names = texts(
        database,
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
        &[],
    );
    names.into_iter().map(|name| (name.clone(), table(database, &name))).collect()
}

fn table(database: &Connection, name: &str) -> Table {
    let mut columns =
        database.prepare("SELECT name, type, \"notnull\" OR pk FROM pragma_table_info(?1) ORDER BY cid").unwrap();
    let columns = columns.query_map([name], |row| {
        let (name, kind): (String, String) = (row.get(0)?, row.get(1)?);
        Ok(Column { name: name.to_lowercase(), is_text: kind == "TEXT", nullable: !row.get::<_, bool>(2)? })
    });
    let unique_keys = texts(database, "SELECT name FROM pragma_index_list(?1) WHERE \"unique\"", &[name])
        .into_iter()
        .map(|index| {
            texts(database, "SELECT coalesce(name, '') FROM pragma_index_info(?1)", &[&index]).into_iter().collect()
        })
        // An INTEGER PRIMARY KEY is the row id and has no index of its own.
        .chain([texts(database, "SELECT name FROM pragma_table_info(?1) WHERE pk", &[name]).into_iter().collect()])
        .filter(|key: &BTreeSet<String>| !key.is_empty())
        .collect();
    Table { columns: columns.unwrap().map(Result::unwrap).collect(), unique_keys }
}

/// Views and triggers: statements that are not in our source, and would have to be proven like those.
pub fn hidden_statements(database: &Connection) -> Vec<String> {
    texts(database, "SELECT name FROM sqlite_master WHERE type NOT IN ('table', 'index')", &[])
}

/// Foreign keys that do not hold within a tenant: what they cascade to is in no statement.
pub fn foreign_keys_across_tenants(database: &Connection) -> Vec<String> {
    let across = "SELECT id || ' of ' || ?1 FROM pragma_foreign_key_list(?1) EXCEPT \
                  SELECT id || ' of ' || ?1 FROM pragma_foreign_key_list(?1) \
                  WHERE \"from\" = 'tenant_id' AND coalesce(\"to\", 'tenant_id') = 'tenant_id'";
    schema(database).keys().flat_map(|name| texts(database, across, &[name])).collect()
}

/// What SQLite says of a statement it has prepared.
pub struct Prepared {
    /// The tables it reads or writes.
    pub tables: BTreeSet<String>,
    /// The highest `?n`.
    pub parameters: usize,
}

/// Prepares a statement.
///
/// # Errors
/// SQLite's message.
pub fn prepare(database: &mut Connection, sql: &str) -> Result<Prepared, String> {
    let touched = Arc::new(Mutex::new(BTreeSet::new()));
    let notes = Arc::clone(&touched);
    let watch = move |context: AuthContext<'_>| {
        if let AuthAction::Read { table_name, .. }
        | AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name } = context.action
        {
            notes.lock().unwrap().insert(table_name.to_lowercase());
        }
        Authorization::Allow
    };
    database.authorizer(Some(watch)).unwrap();
    let prepared =
        database.prepare(sql).map(|statement| statement.parameter_count()).map_err(|error| error.to_string());
    database.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).unwrap();
    Ok(Prepared { parameters: prepared?, tables: touched.lock().unwrap().clone() })
}
