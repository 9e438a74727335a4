//! Whether a statement stays within the tenant in `?1`.
//!
//! For each SELECT, UPDATE and DELETE: every table of a tenant in it has `alias.tenant_id = ?1` as a conjunct of that
//! scope's own WHERE, or of the ON of the join that brings it in (inner and left joins: they keep no row of the right
//! side that ON refuses). An equality to another alias is not enough, nor is anything under OR, NOT or CASE. Without the
//! alias it counts only where there is one table. For each INSERT: the value of `tenant_id` is `?1`, and a collision
//! cannot reach a row of somebody else. `tenant_id` is never assigned.
//!
//! Everything that is not listed here is refused, also what SQLite would take: a statement is written so that it can be
//! proven.

use std::{collections::BTreeSet, fmt, ops::ControlFlow};

use sqlparser::{
    ast::{
        AssignmentTarget, BinaryOperator, ConflictTarget, Delete, Expr, FromTable, Ident, Insert, JoinConstraint,
        JoinOperator, ObjectName, ObjectNamePart, OnConflict, OnConflictAction, OnInsert, Query, Select, SelectItem,
        SetExpr, SqliteOnConflict, Statement, TableFactor, TableObject, TableWithJoins, Update, UpdateTableFromKind,
        Value, Visit, Visitor,
    },
    dialect::SQLiteDialect,
    parser::Parser,
};

use crate::schema::Schema;

/// Why a statement is not proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leak {
    /// A tenant's table is used without `alias.tenant_id = ?1`.
    Unbound(String),
    /// A row would be written with another tenant than `?1`, or be given to one.
    Given(String),
    /// A collision could change a row of another tenant.
    Collision(String),
    /// Something the proof does not know.
    NotUnderstood(String),
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unbound(alias) => write!(f, "`{alias}` is used without `{alias}.tenant_id = ?1`"),
            Self::Given(what) => write!(f, "tenant_id must be ?1 and stay it: {what}"),
            Self::Collision(what) => write!(f, "a collision could change another tenant's row: {what}"),
            Self::NotUnderstood(what) => write!(f, "not understood, write it otherwise: {what}"),
        }
    }
}

/// What a proven statement uses.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Proven {
    /// The tables.
    pub tables: BTreeSet<String>,
    /// How many times a tenant's table is used.
    pub uses: usize,
}

/// Proves one statement.
///
/// # Errors
/// Everything that stands against it.
pub fn prove(schema: &Schema, sql: &str) -> Result<Proven, Vec<Leak>> {
    let odd = |what: String| vec![Leak::NotUnderstood(what)];
    // Where a comment ends is not the same for every parser.
    if sql.contains("--") || sql.contains("/*") {
        return Err(odd("a comment".into()));
    }
    let statements = Parser::parse_sql(&SQLiteDialect {}, sql).map_err(|error| odd(error.to_string()))?;
    let [statement] = statements.as_slice() else {
        return Err(odd(format!("{} statements in one", statements.len())));
    };
    let mut names = CteNames::default();
    let _ = statement.visit(&mut names);
    let mut proof = Proof { schema, ctes: names.0, ..Proof::new(schema) };
    let _ = statement.visit(&mut proof);
    if proof.relations_met != proof.relations_judged {
        proof.odd(format!("{} tables are named, {} were judged", proof.relations_met, proof.relations_judged));
    }
    if proof.leaks.is_empty() { Ok(proof.proven) } else { Err(proof.leaks) }
}

#[derive(Default)]
struct CteNames(BTreeSet<String>);

impl Visitor for CteNames {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.0.extend(query.with.iter().flat_map(|with| &with.cte_tables).map(|cte| lower(&cte.alias.name)));
        ControlFlow::Continue(())
    }
}

fn lower(name: &Ident) -> String {
    name.value.to_lowercase()
}

struct Proof<'a> {
    schema: &'a Schema,
    ctes: BTreeSet<String>,
    leaks: Vec<Leak>,
    proven: Proven,
    relations_met: usize,
    relations_judged: usize,
}

/// One table of a FROM: its alias, and the conditions that count for it beside the scope's WHERE.
struct Source<'e> {
    alias: String,
    is_tenants: bool,
    on: Vec<&'e Expr>,
}

impl<'a> Proof<'a> {
    fn new(schema: &'a Schema) -> Self {
        Self {
            schema,
            ctes: BTreeSet::new(),
            leaks: Vec::new(),
            proven: Proven::default(),
            relations_met: 0,
            relations_judged: 0,
        }
    }

    fn odd(&mut self, what: impl Into<String>) {
        self.leaks.push(Leak::NotUnderstood(what.into()));
    }

    /// A name of one part, in lower case.
    fn plain(&mut self, name: &ObjectName) -> String {
        if let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() {
            return lower(ident);
        }
        self.odd(format!("the name {name}"));
        String::new()
    }

    /// Notes a table of the schema; answers whether it is a tenant's.
    fn use_table(&mut self, name: &str) -> bool {
        let Some(table) = self.schema.get(name) else {
            self.odd(format!("{name} is no table of the schema"));
            return false;
        };
        self.proven.tables.insert(name.to_owned());
        self.proven.uses += usize::from(table.is_tenants());
        table.is_tenants()
    }

    fn source<'e>(&mut self, factor: &'e TableFactor, on: Vec<&'e Expr>) -> Option<Source<'e>> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                self.relations_judged += 1;
                let extras = !with_hints.is_empty()
                    || version.is_some()
                    || *with_ordinality
                    || !partitions.is_empty()
                    || json_path.is_some()
                    || sample.is_some()
                    || !index_hints.is_empty();
                if extras {
                    self.odd(factor.to_string());
                }
                let name = self.plain(name);
                let alias = alias.as_ref().map_or_else(|| name.clone(), |alias| lower(&alias.name));
                let is_tenants = match args {
                    // Rows out of a parameter, not out of a table.
                    Some(_) if ["json_each", "json_tree"].contains(&name.as_str()) => false,
                    Some(_) => {
                        self.odd(format!("the table function {name}"));
                        false
                    }
                    None if self.ctes.contains(&name) => false,
                    None => self.use_table(&name),
                };
                Some(Source { alias, is_tenants, on })
            }
            // What is inside is a scope of its own, judged when the visitor comes to it.
            TableFactor::Derived { alias, sample: None, lateral: false, .. } => {
                let alias = alias.as_ref().map_or_else(String::new, |alias| lower(&alias.name));
                Some(Source { alias, is_tenants: false, on })
            }
            other => {
                self.odd(other.to_string());
                None
            }
        }
    }

    fn sources<'e>(&mut self, from: &'e [TableWithJoins]) -> Vec<Source<'e>> {
        let mut found = Vec::new();
        for tree in from {
            found.extend(self.source(&tree.relation, Vec::new()));
            for join in &tree.joins {
                let (JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::CrossJoin(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)) = &join.join_operator
                else {
                    self.odd(format!("the join {join}"));
                    continue;
                };
                let on = match constraint {
                    JoinConstraint::On(condition) => vec![condition],
                    JoinConstraint::Using(_) | JoinConstraint::Natural | JoinConstraint::None => Vec::new(),
                };
                if join.global {
                    self.odd(format!("the join {join}"));
                }
                found.extend(self.source(&join.relation, on));
            }
        }
        found
    }

    /// Every tenant's table of a scope must be bound by the scope's WHERE or its own ON.
    fn judge(&mut self, sources: &[Source<'_>], condition: Option<&Expr>) {
        let alone = sources.len() == 1;
        for (index, source) in sources.iter().enumerate() {
            if sources[..index].iter().any(|other| other.alias == source.alias) && !source.alias.is_empty() {
                self.odd(format!("two tables are called {}", source.alias));
            }
            let bound = source.on.iter().copied().chain(condition).any(|all| binds(all, &source.alias, alone));
            if source.is_tenants && !bound {
                self.leaks.push(Leak::Unbound(source.alias.clone()));
            }
        }
    }

    fn target(&mut self, name: &ObjectName) -> String {
        self.relations_judged += 1;
        let name = self.plain(name);
        self.use_table(&name);
        name
    }

    fn assignments(&mut self, assignments: &[sqlparser::ast::Assignment]) {
        for assignment in assignments {
            let columns = match &assignment.target {
                AssignmentTarget::ColumnName(column) => std::slice::from_ref(column),
                AssignmentTarget::Tuple(columns) => columns,
            };
            for column in columns {
                if self.plain(column) == "tenant_id" {
                    self.leaks.push(Leak::Given(assignment.to_string()));
                }
            }
        }
    }

    fn replaces(&mut self, or: Option<SqliteOnConflict>, table: &str) {
        let within = self.schema.get(table).is_none_or(crate::schema::Table::collides_within_tenants);
        if or == Some(SqliteOnConflict::Replace) && !within {
            self.leaks.push(Leak::Collision(format!("OR REPLACE on {table}, whose keys are not each tenant's own")));
        }
    }

    fn update(&mut self, update: &Update) {
        let mut from = vec![];
        match &update.from {
            None => {}
            Some(UpdateTableFromKind::AfterSet(trees)) => from = self.sources(trees),
            Some(UpdateTableFromKind::BeforeSet(_)) => self.odd("FROM before SET"),
        }
        let target = self.sources(std::slice::from_ref(&update.table));
        if target.len() != 1 {
            self.odd("an UPDATE of several tables");
        }
        if update.output.is_some() || !update.order_by.is_empty() || update.limit.is_some() {
            self.odd(update.to_string());
        }
        if let TableFactor::Table { name, .. } = &update.table.relation {
            let name = self.plain(name);
            self.replaces(update.or, &name);
        }
        self.assignments(&update.assignments);
        let all: Vec<_> = target.into_iter().chain(from).collect();
        self.judge(&all, update.selection.as_ref());
    }

    fn delete(&mut self, delete: &Delete) {
        let (FromTable::WithFromKeyword(trees) | FromTable::WithoutKeyword(trees)) = &delete.from;
        let target = self.sources(trees);
        let odd = !delete.tables.is_empty()
            || delete.using.is_some()
            || delete.output.is_some()
            || !delete.order_by.is_empty()
            || delete.limit.is_some();
        if target.len() != 1 || odd {
            self.odd(delete.to_string());
        }
        self.judge(&target, delete.selection.as_ref());
    }

    fn insert(&mut self, insert: &Insert) {
        let TableObject::TableName(name) = &insert.table else {
            return self.odd("INSERT into no table");
        };
        let table = self.target(name);
        let odd = insert.ignore
            || insert.overwrite
            || !insert.assignments.is_empty()
            || insert.partitioned.is_some()
            || !insert.after_columns.is_empty()
            || insert.output.is_some()
            || insert.insert_alias.is_some()
            || insert.multi_table_insert_type.is_some();
        if odd {
            self.odd("an INSERT of another kind");
        }
        let or = if insert.replace_into { Some(SqliteOnConflict::Replace) } else { insert.or };
        self.replaces(or, &table);
        let is_tenants = self.schema.get(&table).is_some_and(crate::schema::Table::is_tenants);
        if is_tenants {
            let columns: Vec<_> = insert.columns.iter().map(|column| self.plain(column)).collect();
            match (columns.iter().position(|column| column == "tenant_id"), &insert.source) {
                (Some(at), Some(source)) => self.given(at, &source.body),
                _ => self.leaks.push(Leak::Given(format!("INSERT INTO {table} does not name it"))),
            }
        }
        match &insert.on {
            None => {}
            Some(OnInsert::OnConflict(clause)) => {
                let alias = insert.table_alias.as_ref().map_or_else(|| table.clone(), |alias| lower(&alias.alias));
                self.upsert(clause, &table, &alias);
            }
            Some(_) => self.odd("ON DUPLICATE KEY"),
        }
    }

    /// The column at that place must be `?1` in every row that is inserted.
    fn given(&mut self, at: usize, body: &SetExpr) {
        match body {
            SetExpr::Values(values) => {
                for row in &values.rows {
                    if !row.content.get(at).is_some_and(is_the_tenant) {
                        self.leaks.push(Leak::Given(body.to_string()));
                    }
                }
            }
            SetExpr::Select(select) => {
                // A `*` before it would move the places.
                let plain = select
                    .projection
                    .iter()
                    .take(at)
                    .all(|item| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }));
                let given = match select.projection.get(at) {
                    Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) => is_the_tenant(expr),
                    _ => false,
                };
                if !(plain && given) {
                    self.leaks.push(Leak::Given(body.to_string()));
                }
            }
            SetExpr::SetOperation { left, right, .. } => {
                self.given(at, left);
                self.given(at, right);
            }
            SetExpr::Query(query) => self.given(at, &query.body),
            other => self.odd(other.to_string()),
        }
    }

    fn upsert(&mut self, clause: &OnConflict, table: &str, alias: &str) {
        let OnConflictAction::DoUpdate(update) = &clause.action else {
            return;
        };
        self.assignments(&update.assignments);
        let Some(known) = self.schema.get(table).filter(|known| known.is_tenants()) else {
            return;
        };
        let within = match &clause.conflict_target {
            Some(ConflictTarget::Columns(columns)) => columns.iter().any(|column| lower(column) == "tenant_id"),
            Some(ConflictTarget::OnConstraint(_)) => false,
            None => known.collides_within_tenants(),
        };
        // Without an alias `tenant_id` means the row that is there; the new one is `excluded`.
        if !within && !update.selection.as_ref().is_some_and(|all| binds(all, alias, true)) {
            self.leaks.push(Leak::Collision(format!("ON CONFLICT on {table}")));
        }
    }
}

impl Visitor for Proof<'_> {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        match statement {
            Statement::Query(_) => {}
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            other => self.odd(other.to_string()),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = lower(&cte.alias.name);
            if self.schema.contains_key(&name) || name.starts_with("json_") || cte.from.is_some() {
                self.odd(format!("a common table expression called {name}"));
            }
        }
        let set_expr_is_odd = matches!(&*query.body, SetExpr::Table(_) | SetExpr::Merge(_));
        let odd = query.fetch.is_some()
            || !query.locks.is_empty()
            || query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty();
        if set_expr_is_odd || odd {
            self.odd(query.to_string());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let odd = select.top.is_some()
            || select.exclude.is_some()
            || select.into.is_some()
            || !select.lateral_views.is_empty()
            || select.prewhere.is_some()
            || !select.connect_by.is_empty()
            || select.qualify.is_some()
            || select.value_table_mode.is_some();
        if odd {
            self.odd(select.to_string());
        }
        let sources = self.sources(&select.from);
        self.judge(&sources, select.selection.as_ref());
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, _: &ObjectName) -> ControlFlow<()> {
        self.relations_met += 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Value(value) => {
                if let Value::Placeholder(name) = &value.value
                    && !is_numbered(name)
                {
                    self.odd(format!("the parameter {name}"));
                }
            }
            // What is quoted is a column, or a text when there is no such column.
            Expr::Identifier(ident) if ident.quote_style.is_some() => self.odd(format!("the quoted name {ident}")),
            Expr::CompoundIdentifier(parts) if parts.iter().any(|part| part.quote_style.is_some()) => {
                self.odd(format!("the quoted name {expr}"));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// `?1` to `?999`, without a leading nought.
fn is_numbered(name: &str) -> bool {
    name.strip_prefix('?').is_some_and(|digits| {
        (1..=3).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// Whether `alias.tenant_id = ?1` is a conjunct of a condition; `alone`: the alias may be left out.
fn binds(condition: &Expr, alias: &str, alone: bool) -> bool {
    match condition {
        Expr::Nested(inner) => binds(inner, alias, alone),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            binds(left, alias, alone) || binds(right, alias, alone)
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
            (is_tenant_of(left, alias, alone) && is_the_tenant(right))
                || (is_the_tenant(left) && is_tenant_of(right, alias, alone))
        }
        _ => false,
    }
}

fn is_tenant_of(expr: &Expr, alias: &str, alone: bool) -> bool {
    match expr {
        Expr::Identifier(column) => alone && lower(column) == "tenant_id",
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, column] => lower(table) == alias && lower(column) == "tenant_id",
            _ => false,
        },
        _ => false,
    }
}

fn is_the_tenant(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if matches!(&value.value, Value::Placeholder(name) if name == "?1"))
}
