//! `ui/api.d.ts`, made from the types and routes here, so that the page can't be wrong about them. The test writes it
//! with `UPDATE=1` (`make api`), and otherwise fails if it is not what it should be.

use std::any::TypeId;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use ts_rs::{Config, TS, TypeVisitor};
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{ArrayItems, Schema};
use utoipa::openapi::{Content, RefOr};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../ui/api.d.ts");

/// Declarations by name.
struct Declarations<'a> {
    config: &'a Config,
    seen: HashSet<TypeId>,
    by_name: BTreeMap<String, String>,
}

impl TypeVisitor for Declarations<'_> {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if !self.seen.insert(TypeId::of::<T>()) {
            return;
        }
        // Types without a place of their own (numbers, lists) have no declaration.
        if T::output_path().is_some() {
            let docs = T::docs().unwrap_or_default();
            let declaration = format!("{docs}export {}\n", T::decl(self.config));
            let other = self.by_name.insert(T::ident(self.config), declaration.clone());
            assert!(
                other.is_none_or(|other| other == declaration),
                "two types are called {}",
                T::ident(self.config)
            );
        }
        T::visit_dependencies(self);
    }
}

fn declarations(config: &Config) -> String {
    use super::{
        accounts, answer, check_up, logins, logs, models, program, prompt, recording, set_up, settings, usage,
    };
    let mut all = Declarations { config, seen: HashSet::new(), by_name: BTreeMap::new() };
    all.visit::<answer::ErrorAnswer>();
    all.visit::<program::AdminEvent>();
    all.visit::<program::Switch>();
    all.visit::<program::About>();
    all.visit::<program::Licences>();
    all.visit::<crate::snapshot::Server>();
    all.visit::<crate::AccountsView>();
    all.visit::<accounts::Rename>();
    all.visit::<accounts::Pause>();
    all.visit::<accounts::SignOut>();
    all.visit::<accounts::AccountTrouble>();
    all.visit::<accounts::PoolAccounts>();
    all.visit::<crate::SignedOut>();
    all.visit::<crate::Tested>();
    all.visit::<logins::NewLogin>();
    all.visit::<logins::Login>();
    all.visit::<logins::Pasted>();
    all.visit::<models::Fresh>();
    all.visit::<models::AskedName>();
    all.visit::<models::NewRule>();
    all.visit::<crate::Models>();
    all.visit::<set_up::Where>();
    all.visit::<set_up::Undo>();
    all.visit::<set_up::NewSetUp>();
    all.visit::<set_up::SetUp>();
    all.visit::<crate::SetUpReport>();
    all.visit::<set_up::ClientEnvironment>();
    all.visit::<set_up::ClientRecipe>();
    all.visit::<settings::Setting>();
    all.visit::<settings::NewValue>();
    all.visit::<usage::UsageWish>();
    all.visit::<crate::UsagePoint>();
    all.visit::<crate::LimitPoint>();
    all.visit::<crate::Removed>();
    all.visit::<check_up::NewCheckUp>();
    all.visit::<prompt::NewPrompt>();
    all.visit::<crate::PromptEvent>();
    all.visit::<crate::Exchange>();
    all.visit::<dragoman_proxy::Fill>();
    all.visit::<recording::NewRecording>();
    all.visit::<recording::Recorded>();
    all.visit::<crate::app::Exported>();
    all.visit::<logs::LogWish>();
    all.visit::<crate::LogLine>();
    all.visit::<crate::Check>();
    all.by_name.into_values().collect::<Vec<_>>().join("\n")
}

/// Every route of the description.
fn operations() -> Vec<(String, Operation)> {
    let mut all = Vec::new();
    for (path, item) in super::description().paths.paths {
        let of = [
            ("GET", item.get),
            ("POST", item.post),
            ("PUT", item.put),
            ("PATCH", item.patch),
            ("DELETE", item.delete),
        ];
        let there =
            of.into_iter().filter_map(|(method, operation)| Some((format!("{method} {path}"), operation?)));
        all.extend(there);
    }
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

/// One entry for each route: what it is sent and what it answers.
fn table() -> String {
    let lines = operations().into_iter().map(|(route, operation)| {
        let body = operation.request_body.as_ref().map(|body| match body {
            RefOr::T(body) => content(&body.content["application/json"]),
            RefOr::Ref(_) => "unknown".to_owned(),
        });
        let body = body.unwrap_or_else(|| "undefined".to_owned());
        let (kind, answer) = answer(&operation);
        let about = operation.summary.unwrap_or_default();
        format!("  /** {about} */\n  \"{route}\": {{ body: {body}, {kind}: {answer} }},")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `answer` or `stream`, and its type.
fn answer(operation: &Operation) -> (&'static str, String) {
    let good = ["200", "204"].into_iter().find_map(|status| operation.responses.responses.get(status));
    let Some(RefOr::T(response)) = good else { panic!("a route answers neither 200 nor 204") };
    match response.content.iter().next() {
        Some((kind, of)) if kind == "text/event-stream" => ("stream", content(of)),
        Some((_, of)) => ("answer", content(of)),
        None => ("answer", "undefined".to_owned()),
    }
}

fn content(content: &RefOr<Content>) -> String {
    match content {
        RefOr::T(content) => content.schema.as_ref().map_or("unknown".to_owned(), name),
        RefOr::Ref(_) => "unknown".to_owned(),
    }
}

fn name(schema: &RefOr<Schema>) -> String {
    match schema {
        RefOr::Ref(reference) => reference.ref_location.rsplit('/').next().unwrap_or_default().to_owned(),
        RefOr::T(Schema::Array(array)) => match &array.items {
            ArrayItems::RefOrSchema(items) => format!("{}[]", name(items)),
            ArrayItems::False => "never[]".to_owned(),
        },
        RefOr::T(_) => "unknown".to_owned(),
    }
}

fn contract() -> String {
    // Our numbers are far below 2^53.
    let config = Config::new().with_large_int("number");
    format!(
        "// Made from the types and routes of src-tauri/crates/app/src/admin by `make api`. Don't edit it.\n\n\
         {}\n/** Every route: what it is sent, and what it answers, whole or as a stream. */\n\
         export interface Routes {{\n{}\n}}\n",
        declarations(&config),
        table()
    )
}

#[test]
fn the_pages_types_are_those_of_the_code() {
    let now = contract();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(FILE, &now).unwrap();
    }
    let there = std::fs::read_to_string(Path::new(FILE)).unwrap_or_default();
    assert!(there == now, "ui/api.d.ts is not what the code says; run `make api` and read the diff");
}

#[test]
fn every_type_in_the_table_is_declared() {
    let text = contract();
    let (declarations, table) = text.split_once("export interface Routes").unwrap();
    for line in table.lines().filter(|line| line.contains("body: ")) {
        let (body, answer) = line.split_once("body: ").unwrap().1.split_once(", ").unwrap();
        for of in [body, answer.split_once(": ").unwrap().1] {
            let of = of.trim_end_matches(" },").trim_end_matches("[]");
            let known = ["undefined", "unknown"].contains(&of)
                || declarations.contains(&format!("export type {of} ="));
            assert!(known, "{of} is not declared: {line}");
        }
    }
}

#[test]
fn the_page_of_routes_lists_what_is_described_and_nothing_else() {
    let page = include_str!("../../../../../docs/admin.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    let mut told: Vec<&str> = rows.map(|(route, _)| route).filter(|route| route.contains(" /")).collect();
    told.sort_unstable();
    let operations = operations();
    let described: Vec<&str> = operations.iter().map(|(route, _)| route.as_str()).collect();
    assert_eq!(told, described, "docs/admin.md and the routes differ");
}
