//! Prints the OpenAPI document.

use std::io::Write;

fn main() -> std::io::Result<()> {
    let text = serde_json::to_string_pretty(&tollgate_openapi::document())?;
    writeln!(std::io::stdout(), "{text}")
}
