//! The OpenAPI 3.1 description, gathered from the routes. What holds for every operation is added here, once.

use utoipa::{
    Modify, OpenApi as _,
    openapi::{
        ComponentsBuilder, Content, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr, ResponseBuilder,
        path::Operation,
        security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};

use crate::{problem::Problem, router};

/// The name of the security scheme.
const BEARER: &str = "api_key";

/// Schemas that no operation names by itself.
#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(Problem)))]
struct Extra;

/// The description without any operation.
pub(crate) fn head() -> OpenApi {
    let info = InfoBuilder::new().title("Shopfloor").version(env!("CARGO_PKG_VERSION")).description(Some(
        "A job queue and worker fleet for AI pipelines. Times are RFC 3339 in UTC. Lists come in pages: pass `next` as \
         `after`. Errors are problem documents (RFC 9457) with a stable `code`. Orders are delivered at least once; every \
         report about one shows the epoch it was claimed with, and a stale epoch is refused with `stale_epoch`.",
    ));
    let scheme = SecurityScheme::Http(
        Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("sf_…").description(Some("An API key.")).build(),
    );
    let components = ComponentsBuilder::new().security_scheme(BEARER, scheme).build();
    let mut head = OpenApiBuilder::new().info(info.build()).components(Some(components)).build();
    head.merge(Extra::openapi());
    head
}

/// The whole description, as served at `/openapi.json`.
#[must_use]
pub fn openapi() -> OpenApi {
    let mut openapi = router::description();
    Common.modify(&mut openapi);
    openapi
}

/// Adds what every operation has in common.
struct Common;

impl Modify for Common {
    fn modify(&self, openapi: &mut OpenApi) {
        for (path, item) in &mut openapi.paths.paths {
            let guarded = path.starts_with(router::PREFIX);
            for operation in operations(item) {
                complete(operation, path, guarded);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
}

fn complete(operation: &mut Operation, path: &str, guarded: bool) {
    if !guarded {
        // An empty requirement says on purpose that no key is needed.
        operation.security = Some(vec![SecurityRequirement::default()]);
        return;
    }
    operation.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>(BEARER, [])]);
    let mut errors = vec![
        ("400", "The request cannot be understood"),
        ("401", "No valid API key"),
        ("403", "The key's role does not allow this"),
        ("503", "Out of reach or too busy; try again"),
    ];
    if path.contains('{') {
        errors.push(("404", "There is no such thing"));
    }
    if operation.request_body.is_some() {
        errors.extend([
            ("413", "The body is too large"),
            ("415", "The body has the wrong media type"),
            ("422", "A field does not fit"),
        ]);
    }
    for (status, description) in errors {
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(problem(description)));
    }
    for (status, response) in &mut operation.responses.responses {
        if let (RefOr::T(response), true) = (response, status.starts_with(['4', '5'])) {
            *response = problem(&response.description);
        }
    }
}

fn problem(description: &str) -> utoipa::openapi::Response {
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    ResponseBuilder::new().description(description).content("application/problem+json", content).build()
}
