//! Where SQL may stand: the source itself is read, so that a statement cannot hide from the lists.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::visit::{self, Visit};

use crate::schema::root;

/// The Rust files under a folder of the repository.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target" && name != "build") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// What a file of `store/` says about its statements.
#[derive(Default)]
struct Statements {
    /// `const NAME: Statement`.
    constants: BTreeSet<String>,
    /// What `STATEMENTS` lists.
    listed: BTreeSet<String>,
    /// Macros that make a statement.
    makers: BTreeSet<String>,
    /// Statements that are made anywhere else than as the value of such a constant.
    strays: Vec<String>,
    inside_constant: bool,
}

fn is_statement(path: &syn::Path) -> bool {
    path.segments.last().is_some_and(|segment| segment.ident == "Statement")
}

impl Statements {
    fn of(source: &str) -> Self {
        let file = syn::parse_file(source).unwrap();
        let mut found = Self::default();
        for item in &file.items {
            if let syn::Item::Macro(definition) = item
                && let Some(name) = &definition.ident
                && definition.mac.tokens.to_string().contains("Statement {")
            {
                found.makers.insert(name.to_string());
            }
        }
        found.visit_file(&file);
        found
    }

    fn constant(&mut self, item: &syn::ItemConst) {
        if let syn::Type::Path(kind) = &*item.ty
            && is_statement(&kind.path)
        {
            self.constants.insert(item.ident.to_string());
            self.inside_constant = true;
        }
        if item.ident == "STATEMENTS"
            && let syn::Expr::Reference(list) = &*item.expr
            && let syn::Expr::Array(list) = &*list.expr
        {
            self.listed.extend(list.elems.iter().filter_map(|name| match name {
                syn::Expr::Path(name) => name.path.get_ident().map(ToString::to_string),
                _ => None,
            }));
        }
    }
}

impl<'ast> Visit<'ast> for Statements {
    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.constant(item);
        visit::visit_item_const(self, item);
        self.inside_constant = false;
    }

    fn visit_expr_struct(&mut self, made: &'ast syn::ExprStruct) {
        if is_statement(&made.path) && !self.inside_constant {
            self.strays.push("Statement { .. } outside of a constant".into());
        }
        visit::visit_expr_struct(self, made);
    }

    fn visit_macro(&mut self, used: &'ast syn::Macro) {
        let maker = used.path.get_ident().is_some_and(|name| self.makers.contains(&name.to_string()));
        // The tokens of other macros, a `vec!` for example, are not parsed: they are searched.
        if !self.inside_constant
            && (maker || used.tokens.to_string().contains("Statement {"))
            && !used.path.is_ident("macro_rules")
        {
            self.strays.push(format!("{}! outside of a constant", used.path.segments.last().unwrap().ident));
        }
        visit::visit_macro(self, used);
    }
}

/// Files of `store/` by module name.
fn store() -> BTreeMap<String, Statements> {
    rust_files("shared/platform/src/store")
        .into_iter()
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), Statements::of(&read(&path))))
        .collect()
}

#[test]
fn every_statement_of_the_store_is_in_a_list_that_is_proven() {
    let collected = read(&root().join("shared/platform/src/store/mod.rs"));
    let (_, collected) = collected.split_once("pub const TENANT_STATEMENTS").unwrap();
    let (collected, _) = collected.split_once("];").unwrap();
    let mut constants = 0;
    for (module, statements) in store() {
        assert_eq!(statements.constants, statements.listed, "STATEMENTS of store/{module}.rs lists every statement");
        assert!(statements.strays.is_empty(), "store/{module}.rs: {:?}", statements.strays);
        constants += statements.constants.len();
        let is_collected = collected.contains(&format!("{module}::STATEMENTS"));
        assert_eq!(
            is_collected,
            !statements.constants.is_empty() && !module.starts_with("directory"),
            "TENANT_STATEMENTS and store/{module}.rs"
        );
    }
    let proven: usize = tollgate_platform::store::TENANT_STATEMENTS.iter().map(|list| list.len()).sum();
    assert_eq!(constants, proven + crossing());
}

#[test]
fn every_statement_that_crosses_tenants_has_its_reason() {
    let mut found = 0;
    for path in rust_files("shared/platform/src/store") {
        if !path.file_stem().is_some_and(|name| name.to_string_lossy().starts_with("directory")) {
            continue;
        }
        let source = read(&path);
        let mut before = "";
        for line in source.lines() {
            if line.contains(": Statement =") {
                found += 1;
                assert!(before.starts_with("// ") && before.len() > 30, "the reason is missing above: {line}");
            }
            before = line;
        }
    }
    assert_eq!(found, crossing());
}

/// How many statements cross tenants.
fn crossing() -> usize {
    tollgate_platform::store::CROSSING_STATEMENTS.iter().map(|list| list.len()).sum()
}

/// What reaches a database without [`tollgate_platform::store::TenantDb`].
const WAYS_TO_D1: [&str; 6] = ["D1Database", "D1PreparedStatement", ".d1(", "env.d1", "\"DB_", "query!("];

fn ways_to_d1(source: &str) -> Vec<&'static str> {
    WAYS_TO_D1.into_iter().filter(|way| source.contains(way)).collect()
}

#[test]
fn no_function_names_a_database() {
    let files = rust_files("functions");
    assert!(files.len() > 20, "the functions were not found");
    for path in files {
        assert_eq!(ways_to_d1(&read(&path)), [""; 0], "{}", path.display());
    }
    for crate_ in fs::read_dir(root().join("functions")).unwrap() {
        let manifest = crate_.unwrap().path().join("Cargo.toml");
        if let Ok(text) = fs::read_to_string(&manifest) {
            assert!(!text.contains("\"d1\""), "{}: only shared/platform speaks to D1", manifest.display());
        }
    }
}

#[test]
fn in_the_platform_only_the_store_names_a_database_and_only_the_directory_goes_around_the_tenant() {
    for path in rust_files("shared") {
        let source = read(&path);
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        if !name.ends_with("platform/src/store/database.rs") {
            assert_eq!(ways_to_d1(&source), [""; 0], "{name}");
        }
        let around = source.contains("Database::of(") && !name.ends_with("store/database.rs");
        assert!(!around || name.contains("store/directory"), "{name} reads a database without a tenant");
    }
}

#[test]
fn a_statement_that_hides_is_seen() {
    let hidden = [
        "fn f() { run(Statement { name: \"x\", sql: \"y\" }) }",
        "fn f() { batch(vec![(Statement { name: \"x\", sql: \"y\" }, 1)]) }",
        "macro_rules! make { () => { Statement { name: \"x\", sql: \"y\" } } } fn f() { run(make!()) }",
    ];
    for source in hidden {
        assert_eq!(Statements::of(source).strays.len(), 1, "{source}");
    }
    let unlisted = Statements::of("fn f() { const A: Statement = Statement { name: \"x\", sql: \"y\" }; run(A) }");
    assert_ne!(unlisted.constants, unlisted.listed);
    assert_eq!(ways_to_d1("let db = scope.env().d1(\"DB_0\")?;"), [".d1(", "\"DB_"]);
}
