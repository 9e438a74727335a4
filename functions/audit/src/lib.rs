//! The audit log: reading, exporting and verifying it.

mod entries;
mod export;
mod span;
mod verify;

tollgate_platform::routes! {
    get "/audit" => entries::audit;
    get "/audit/export" => export::export_audit;
    get "/audit/verify" => verify::verify;
}

tollgate_platform::fetch_entry!();
