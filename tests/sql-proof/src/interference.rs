//! The proof from the other side: a statement of a tenant answers and changes the same, whether another tenant's rows
//! stand beside its own or not (non-interference; Goguen and Meseguer, 1982).
//!
//! Two databases are filled at random with the same rows of tenant A; the second also gets rows of tenant B that look
//! alike. Each statement runs for A in both. What comes back, and A's rows afterwards, must be equal; B's rows must be as
//! they were. Values come from a handful, so that conditions are met often.
//!
//! One thing is told by design: that a value is taken where it must be unique among all tenants (an address). There B's
//! values are others than A's.

use std::{cell::Cell, collections::BTreeMap};

use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use rusqlite::{Connection, Error, params_from_iter, types::Value};

use crate::{
    schema::{Column, Schema, Table, migrated, schema},
    tests::{mutants, tenant_statements},
};

const TENANT_A: &str = "ten_a";
const TENANT_B: &str = "ten_b";

/// How many fillings of the databases are tried; each runs every statement several times.
const FILLINGS: u32 = 60;
/// How many more for a statement that has had no effect yet: one with many conditions.
const MORE_FILLINGS: u32 = 1_000;
const RUNS_EACH: u32 = 8;

/// Rows are compared as sets: without ORDER BY their order says nothing.
type Rows = Vec<Vec<String>>;

/// A stream of choices out of a seed (xorshift64*; Marsaglia, 2003).
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % bound
    }

    fn of<'v>(&mut self, values: &[&'v str]) -> &'v str {
        values[self.below(values.len())]
    }

    /// A number as text, which SQLite turns into what the column is.
    fn number(&mut self) -> String {
        self.of(&["0", "0", "0", "1", "1", "3600000"]).to_owned()
    }

    fn parameter(&mut self) -> Value {
        match self.below(12) {
            0 => Value::Null,
            1 => Value::Text(self.of(&["expired", "teams", "erased", "tenant"]).to_owned()),
            2 => Value::Text("7200000".into()),
            _ => Value::Text(self.number()),
        }
    }

    fn column(&mut self, column: &Column) -> Value {
        match self.below(6) {
            0 | 1 if column.nullable => Value::Null,
            2 if column.is_text => Value::Text(self.of(&["expired", "teams", "erased", "tenant"]).to_owned()),
            _ => Value::Text(self.number()),
        }
    }

    /// What `json_each` is given: rows with every name a statement reads.
    fn json(&mut self) -> Value {
        let names = [
            "seq",
            "at",
            "id",
            "late",
            "requests",
            "tokens",
            "emails",
            "function",
            "provider",
            "model",
            "prompt_tokens",
            "completion_tokens",
            "estimated",
            "cost_microusd",
            "request_id",
            "outcome",
            "api_key_id",
            "meter",
            "percent",
            "used",
            "limit",
        ];
        let rows: Vec<_> = (0..=self.below(3))
            .map(|_| {
                let members: Vec<_> = names.iter().map(|name| format!("\"{name}\":{}", self.number())).collect();
                format!("{{{}}}", members.join(","))
            })
            .collect();
        Value::Text(format!("[{}]", rows.join(",")))
    }

    fn parameters(&mut self, sql: &str, count: usize) -> Vec<Value> {
        let mut values = vec![Value::Text(TENANT_A.into())];
        for number in 2..=count {
            let takes_json = sql.contains(&format!("json_each(?{number})"));
            values.push(if takes_json { self.json() } else { self.parameter() });
        }
        values
    }

    fn row(&mut self, table: &Table, tenant: &str) -> Vec<Value> {
        let cell = |column: &Column| {
            if column.name == "tenant_id" {
                return Value::Text(tenant.to_owned());
            }
            let shared = table.unique_keys.iter().any(|key| key.contains(&column.name) && !key.contains("tenant_id"));
            match self.column(column) {
                Value::Text(text) if shared && tenant == TENANT_B => Value::Text(format!("9{text}")),
                value => value,
            }
        };
        table.columns.iter().map(cell).collect()
    }
}

fn insert(database: &Connection, name: &str, row: &[Value]) {
    let places: Vec<_> = (1..=row.len()).map(|number| format!("?{number}")).collect();
    let sql = format!("INSERT OR IGNORE INTO {name} VALUES ({})", places.join(","));
    database.execute(&sql, params_from_iter(row)).unwrap();
}

/// Fills the two databases: A alone, and A beside B.
fn fill(databases: &[Connection; 2], schema: &Schema, choices: &mut Choices) {
    for (name, table) in schema.iter().filter(|(_, table)| table.is_tenants()) {
        for _ in 0..choices.below(8) {
            let row = choices.row(table, TENANT_A);
            for database in databases {
                insert(database, name, &row);
            }
        }
        for _ in 0..choices.below(8) {
            insert(&databases[1], name, &choices.row(table, TENANT_B));
        }
    }
}

/// A statement, and the tables that it may change: those that it names (there are no triggers and no cascades), or none.
struct Tried<'s> {
    name: &'s str,
    sql: &'s str,
    parameters: usize,
    tables: Vec<&'s str>,
}

impl<'s> Tried<'s> {
    fn of((name, sql): &'s (String, String), database: &Connection, schema: &'s Schema) -> Self {
        let prepared = database.prepare(sql).unwrap();
        let of_tenants = schema.iter().filter(|(_, table)| table.is_tenants()).map(|(name, _)| name.as_str());
        let tables = of_tenants.filter(|table| !prepared.readonly() && sql.contains(table)).collect();
        Self { name, sql, parameters: prepared.parameter_count(), tables }
    }

    fn contents(&self, database: &Connection, tenant: &str) -> Vec<Rows> {
        let of =
            |name: &&str| rows(database, &format!("SELECT * FROM {name} WHERE tenant_id = '{tenant}'"), &[]).unwrap();
        self.tables.iter().map(of).collect()
    }
}

fn rows(database: &Connection, sql: &str, values: &[Value]) -> Result<Rows, Error> {
    let mut statement = database.prepare(sql)?;
    let columns = statement.column_count();
    let found = statement.query_map(params_from_iter(values), |row| {
        (0..columns).map(|at| row.get::<_, Value>(at).map(|value| format!("{value:?}"))).collect()
    })?;
    let mut found = found.collect::<Result<Rows, _>>()?;
    found.sort();
    Ok(found)
}

/// What a statement did for A, and what B's rows are afterwards.
struct Outcome {
    answer: Result<Rows, String>,
    afterwards: Vec<Rows>,
    others: Vec<Rows>,
}

fn run(database: &Connection, tried: &Tried<'_>, values: &[Value]) -> Outcome {
    database.execute_batch("SAVEPOINT before").unwrap();
    let answer = rows(database, tried.sql, values).map_err(|error| error.to_string());
    let afterwards = tried.contents(database, TENANT_A);
    let others = tried.contents(database, TENANT_B);
    database.execute_batch("ROLLBACK TO before; RELEASE before").unwrap();
    Outcome { answer, afterwards, others }
}

/// Runs a statement several times in both databases; answers how often it did anything.
fn compare(databases: &[Connection; 2], tried: &Tried<'_>, choices: &mut Choices) -> Result<u32, String> {
    let [alone, beside] = databases;
    let before = tried.contents(alone, TENANT_A);
    let others_before = tried.contents(beside, TENANT_B);
    let mut effects = 0;
    for _ in 0..RUNS_EACH {
        let values = choices.parameters(tried.sql, tried.parameters);
        let expected = run(alone, tried, &values);
        let found = run(beside, tried, &values);
        if found.others != others_before {
            return Err(format!("another tenant's rows changed, with {values:?}"));
        }
        if found.answer != expected.answer {
            return Err(format!("answers {:?}\nalone   {:?}\nwith {values:?}", found.answer, expected.answer));
        }
        if found.afterwards != expected.afterwards {
            return Err(format!("leaves other rows of its tenant behind than alone, with {values:?}"));
        }
        let answered = expected.answer.is_ok_and(|rows| !rows.is_empty());
        effects += u32::from(answered || expected.afterwards != before);
    }
    Ok(effects)
}

/// Tries statements against many fillings; answers how often each did something.
///
/// # Errors
/// The first statement that another tenant's rows make a difference to.
fn try_all(statements: &[(String, String)], fillings: u32) -> Result<BTreeMap<String, u32>, String> {
    let databases = [migrated(), migrated()];
    let schema = schema(&databases[0]);
    let all: Vec<_> = statements.iter().map(|statement| Tried::of(statement, &databases[0], &schema)).collect();
    let effects: BTreeMap<_, _> = statements.iter().map(|(name, _)| (name.clone(), Cell::new(0))).collect();
    let config = Config { failure_persistence: None, max_shrink_iters: 0, ..Config::with_cases(fillings) };
    // The same fillings every time: whether a statement had an effect must not be a matter of luck.
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let each = |sql: &str| databases.iter().for_each(|database| database.execute_batch(sql).unwrap());
    let tried = runner.run(&(1_u64..), |seed| {
        let mut choices = Choices(seed);
        each("SAVEPOINT empty");
        fill(&databases, &schema, &mut choices);
        for tried in &all {
            let effective = compare(&databases, tried, &mut choices)
                .map_err(|difference| TestCaseError::fail(format!("{}: {difference}", tried.name)))?;
            effects[tried.name].set(effects[tried.name].get() + effective);
        }
        each("ROLLBACK TO empty; RELEASE empty");
        Ok(())
    });
    tried.map_err(|error| error.to_string())?;
    Ok(effects.into_iter().map(|(name, count)| (name, count.get())).collect())
}

/// Statements that no filling moves, and why: their form is proven as every other's, and an end-to-end test runs them.
const UNMOVED: [(&str, &str); 7] = [
    ("accounts.claim_trial", "writes a table of all tenants, by a digest that names nobody: e2e `trial`"),
    ("accounts.end_trial", "changes plans called `trial`, and fillings have other names: e2e `trial`"),
    ("subscriptions.restart_trial", "the same plans: e2e `first-proof`"),
    ("first_proof.raise_plans", "changes plans called `trial` and `free`: e2e `trial-mailbox`"),
    ("first_proof.lower_roles", "looks for the role `owner`, and fillings have other names: e2e `first-proof`"),
    ("first_proof.drop_single_sign_on", "the same role: e2e `first-proof`"),
    (
        "notifications.switch_off",
        "changes what its parameter names, and fillings name other things: e2e `notifications`",
    ),
];

#[test]
fn other_tenants_rows_make_no_difference_to_any_statement() {
    let statements: Vec<_> = tenant_statements().map(|found| (found.name.to_owned(), found.sql.to_owned())).collect();
    let effects = try_all(&statements, FILLINGS).unwrap();
    // A statement that never did anything was not tried.
    let idle = statements.into_iter().filter(|(name, _)| effects[name] == 0).collect::<Vec<_>>();
    let still_idle: Vec<_> =
        try_all(&idle, MORE_FILLINGS).unwrap().into_iter().filter(|(_, count)| *count == 0).collect();
    let unknown: Vec<_> =
        still_idle.iter().filter(|(name, _)| UNMOVED.iter().all(|(known, _)| known != name)).collect();
    assert!(unknown.is_empty(), "never had an effect: {unknown:?}");
    eprintln!("Interference: {} statements, {} runs each and more", effects.len(), FILLINGS * RUNS_EACH);
}

#[test]
fn the_mutants_make_a_difference() {
    for mutant in mutants() {
        let name = mutant.0.clone();
        assert!(try_all(&[mutant], FILLINGS).is_err(), "{name} was not found out");
    }
}
