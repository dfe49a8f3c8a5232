//! The description of the API (OpenAPI 3.1), gathered from the handlers by `router`: a handler with
//! `#[utoipa::path]` that is routed with `routes!` is in it. What every route answers beside its own is
//! added here: the errors of its family.

use axum::http::StatusCode;
use mpak_api::error::{ErrorBody, RouteNotFound};
use mpak_api::server::ErrorText;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::OneOfBuilder;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder, Schema};
use utoipa::{OpenApi, ToSchema};

use crate::http::family;

/// What does not come from handlers.
#[derive(OpenApi)]
#[openapi(
    info(title = "mpak API", description = "A registry of MCP servers in `.mcpb` bundles."),
    servers((url = "/")),
    tags(
        (name = "bundles", description = "Packages, their versions and artifacts."),
        (name = "servers", description = "The flat server list of existing clients."),
        (name = "official", description = "The server list in the shape of the official MCP registry."),
        (name = "static files", description = "What any file server could serve: index and blobs."),
        (name = "publishing", description = "Writing."),
        (name = "people", description = "Signing in from a terminal, and who one is."),
        (name = "operation", description = "For those who run it.")
    ),
    components(schemas(ErrorBody, ErrorText, RouteNotFound))
)]
struct Base;

/// The description without routes.
pub(crate) fn base() -> utoipa::openapi::OpenApi {
    let mut api = Base::openapi();
    let components = api.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    api
}

/// The description with its routes, as JSON.
pub(crate) fn written(mut api: utoipa::openapi::OpenApi) -> String {
    for (path, item) in &mut api.paths.paths {
        let servers = family::is_server_list(path);
        for (operation, writes) in operations(item) {
            operation.summary = success(operation);
            operation.description = None;
            add_errors(operation, servers, writes);
        }
    }
    api.to_json().unwrap_or_default()
}

/// The operations of a path, and whether each writes.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (&mut Operation, bool)> {
    let read = item.get.as_mut().map(|operation| (operation, false));
    let write = [&mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
    read.into_iter().chain(write.into_iter().flatten().map(|operation| (operation, true)))
}

/// What a caller gets: the comment of a handler is for those who read the program.
fn success(operation: &Operation) -> Option<String> {
    let (_, answer) = operation.responses.responses.iter().find(|(status, _)| status.starts_with('2'))?;
    if let RefOr::T(answer) = answer { Some(answer.description.clone()) } else { None }
}

fn add_errors(operation: &mut Operation, servers: bool, writes: bool) {
    let always = [400, 401, 403, 404, 429, 503];
    let bundles: &[u16] = if servers { &[] } else { &[422] };
    let writing: &[u16] = if writes { &[409, 413, 507] } else { &[] };
    for status in always.iter().chain(bundles).chain(writing) {
        let schema = match (servers, status) {
            (true, _) => RefOr::Ref(Ref::from_schema_name(ErrorText::name())),
            (false, 404) => RefOr::T(Schema::OneOf(
                OneOfBuilder::new()
                    .item(Ref::from_schema_name(ErrorBody::name()))
                    .item(Ref::from_schema_name(RouteNotFound::name()))
                    .build(),
            )),
            (false, _) => RefOr::Ref(Ref::from_schema_name(ErrorBody::name())),
        };
        let reason = StatusCode::from_u16(*status).ok().and_then(|s| s.canonical_reason()).unwrap_or("Error");
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response = ResponseBuilder::new().description(reason).content("application/json", content).build();
        operation.responses.responses.entry(status.to_string()).or_insert(RefOr::T(response));
    }
}
