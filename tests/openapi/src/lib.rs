//! The OpenAPI document, collected from the handlers of all functions.
//!
//! `npm run openapi` writes it to `docs/openapi.json`; a test fails when the committed copy differs, when a route is in a
//! function's table and not in its document, and when the gateway does not lead to it.

pub mod problems;

use tollgate_api::Problem;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document, Server,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

/// A function's routes: method and path of each.
pub type Routes = &'static [(&'static str, &'static str)];

/// Every function with public routes: name, routes, its part of the document.
pub fn functions() -> Vec<(&'static str, Routes, Document)> {
    vec![
        ("auth", tollgate_auth::ROUTES, tollgate_auth::Docs::openapi()),
        ("chat", tollgate_chat::ROUTES, tollgate_chat::Docs::openapi()),
        ("audit", tollgate_audit::ROUTES, tollgate_audit::Docs::openapi()),
        ("cron", tollgate_cron::ROUTES, tollgate_cron::Docs::openapi()),
        ("notify", tollgate_notify::ROUTES, tollgate_notify::Docs::openapi()),
        ("credentials", tollgate_credentials::ROUTES, tollgate_credentials::Docs::openapi()),
        ("team", tollgate_team::ROUTES, tollgate_team::Docs::openapi()),
        ("usage", tollgate_usage::ROUTES, tollgate_usage::Docs::openapi()),
        ("user", tollgate_user::ROUTES, tollgate_user::Docs::openapi()),
        ("oauth", tollgate_oauth::ROUTES, tollgate_oauth::Docs::openapi()),
        ("sso", tollgate_sso::ROUTES, tollgate_sso::Docs::openapi()),
        ("team-sso", tollgate_team_sso::ROUTES, tollgate_team_sso::Docs::openapi()),
        ("privacy", tollgate_privacy::ROUTES, tollgate_privacy::Docs::openapi()),
        ("billing", tollgate_billing::ROUTES, tollgate_billing::Docs::openapi()),
        ("stripe-webhook", tollgate_stripe_webhook::ROUTES, tollgate_stripe_webhook::Docs::openapi()),
    ]
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tollgate",
        description = "Sell AI products at the edge: accounts, plans, exact metering, and an OpenAI-compatible chat API.\n\n\
            Every error is an `application/problem+json` (RFC 9457) with a `code`, explained in `x-problems`; every answer carries \
            `X-Request-Id`.",
        license(name = "Apache-2.0 OR MIT"),
    ),
    tags(
        (name = "accounts", description = "Registration, sign-in, profile, trial"),
        (name = "chat", description = "OpenAI-compatible chat"),
        (name = "usage", description = "Quotas and usage logs"),
        (name = "billing", description = "Plans, checkouts, the subscription, invoices"),
        (name = "audit", description = "Who did what, to what, from where"),
        (name = "team", description = "Members, roles, invitations"),
        (name = "operations", description = "For whoever runs the installation"),
        (name = "health", description = "Is it alive"),
    ),
    components(schemas(Problem)),
    modifiers(&Bearer),
)]
struct Head;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        // The setting OPERATOR_TOKEN of whoever runs the installation.
        components.add_security_scheme("operator", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        document.servers = Some(vec![Server::new("/")]);
    }
}

/// The whole document.
pub fn document() -> serde_json::Value {
    let mut document = Head::openapi();
    for (_, _, part) in functions() {
        document.merge(part);
    }
    let mut document = serde_json::to_value(document).unwrap_or_default();
    problems_are_problem_json(&mut document);
    health(&mut document);
    document["x-problems"] = problems::problems();
    document
}

/// Errors are `application/problem+json`; the handlers' attributes name the type only.
fn problems_are_problem_json(document: &mut serde_json::Value) {
    let Some(paths) = document.get_mut("paths").and_then(|paths| paths.as_object_mut()) else {
        return;
    };
    let operations = paths.values_mut().filter_map(|path| path.as_object_mut()).flat_map(|path| path.values_mut());
    for responses in operations.filter_map(|operation| operation.get_mut("responses")?.as_object_mut()) {
        for (status, response) in responses {
            let Some(content) = response.get_mut("content").and_then(|content| content.as_object_mut()) else {
                continue;
            };
            if status.starts_with(['4', '5'])
                && let Some(json) = content.remove("application/json")
            {
                content.insert("application/problem+json".into(), json);
            }
        }
    }
}

/// What the gateway answers itself.
fn health(document: &mut serde_json::Value) {
    let operation = |id: &str, summary: &str, failing: bool| {
        let mut responses = serde_json::json!({"200": {"description": "", "content": {"application/json": {"schema": {"type": "object"}}}}});
        if failing {
            responses["503"] = serde_json::json!({"description": "A function or a store does not answer; its name is in the body",
                "content": {"application/json": {"schema": {"type": "object"}}}});
        }
        serde_json::json!({"get": {"tags": ["health"], "operationId": id, "summary": summary, "responses": responses}})
    };
    document["paths"]["/health"] = operation("health", "200 as long as the gateway lives.", false);
    document["paths"]["/health/ready"] = operation(
        "ready",
        "Whether every function answers, and its stores have the tables that it needs. The outcome is kept for five seconds; `as_of` says when it was found out.",
        true,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations(document: &serde_json::Value) -> Vec<(String, String)> {
        let mut found: Vec<_> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |method| (method.clone(), path.clone())))
            .collect();
        found.sort();
        found
    }

    #[test]
    fn every_route_is_documented_and_every_document_has_its_route() {
        for (name, routes, part) in functions() {
            let mut routes: Vec<_> =
                routes.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
            routes.sort();
            assert_eq!(operations(&serde_json::to_value(part).unwrap()), routes, "{name}");
        }
    }

    #[test]
    fn the_gateway_leads_to_every_route() {
        for (name, routes, _) in functions() {
            for (_, path) in routes {
                let target = tollgate_gateway::routes::target(path);
                assert!(
                    matches!(target, Some(tollgate_gateway::routes::Target::Function(_))),
                    "{name}: {path} leads to {target:?}"
                );
            }
        }
    }

    #[test]
    fn operations_have_unique_ids_and_errors_are_problems() {
        let document = document();
        assert_eq!(document["openapi"], "3.1.0");
        let mut ids = std::collections::HashSet::new();
        for (method, path) in operations(&document) {
            let operation = &document["paths"][&path][&method];
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                if status.starts_with('4') {
                    assert!(response["content"]["application/problem+json"].is_object(), "{method} {path} {status}");
                }
            }
        }
    }

    #[test]
    fn the_committed_copy_is_this_document() {
        let committed =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json")).unwrap();
        let committed: serde_json::Value = serde_json::from_str(&committed).unwrap();
        assert_eq!(committed, document(), "docs/openapi.json is old: npm run openapi");
    }
}
