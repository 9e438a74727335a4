//! Teams: members, roles, invitations; the audit log.

mod audit;
mod audit_export;
mod audit_verify;
mod instants;

tollgate_platform::routes! {
    get "/audit" => audit::audit;
    get "/audit/export" => audit_export::export;
    get "/audit/verify" => audit_verify::verify;
}

tollgate_platform::fetch_entry!();
