//! Teams: members, roles, invitations; the audit log.

mod accept_invitation;
mod admin_users;
mod audit;
mod audit_export;
mod audit_verify;
mod instants;
mod invites;
mod members;
mod page;
mod team;

tollgate_platform::routes! {
    get "/team" => team::read;
    patch "/team" => team::change;
    get "/team/members" => members::list;
    patch "/team/members/{user_id}" => members::change;
    delete "/team/members/{user_id}" => members::remove;
    get "/team/invites" => invites::list;
    post "/team/invites" => invites::invite;
    post "/team/invites/accept" => accept_invitation::accept;
    delete "/team/invites/{id}" => invites::revoke;
    get "/admin/users" => admin_users::users;
    get "/audit" => audit::audit;
    get "/audit/export" => audit_export::export;
    get "/audit/verify" => audit_verify::verify;
}

tollgate_platform::fetch_entry!();
