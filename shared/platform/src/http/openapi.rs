//! One table a function: its routes, and on the host the OpenAPI document made of the same lines.

/// Declares a function's routes: `METHOD "/path" => module::handler`.
///
/// It makes `router()` for the Worker, and for the host `ROUTES` and `Docs`, from which the OpenAPI document and
/// the tests that compare both are made. None of the document's code is in the WASM.
#[macro_export]
macro_rules! routes {
    ($($method:ident $path:literal => $($handler:ident)::+;)*) => {
        /// The function's routes.
        pub fn router() -> ::axum::Router {
            ::axum::Router::new()$(.route($path, ::axum::routing::$method($($handler)::+)))*
        }

        /// Method and path of every route.
        #[cfg(not(target_arch = "wasm32"))]
        pub const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path)),*];

        /// The function's part of the OpenAPI document.
        #[cfg(not(target_arch = "wasm32"))]
        #[derive(Debug, ::utoipa::OpenApi)]
        #[openapi(paths($($($handler)::+),*))]
        pub struct Docs;
    };
}

/// Declares the Worker's entry point: `fetch` for the function's `router()`.
#[macro_export]
macro_rules! fetch_entry {
    () => {
        ::std::thread_local! {
            static ROUTER: ::std::cell::RefCell<Option<::axum::Router>> = const { ::std::cell::RefCell::new(None) };
        }

        #[::worker::event(fetch)]
        async fn fetch(
            request: ::web_sys::Request,
            env: ::worker::Env,
            context: ::worker::Context,
        ) -> ::worker::Result<::web_sys::Response> {
            $crate::http::serve(request, env, context, &ROUTER, router).await
        }
    };
}
