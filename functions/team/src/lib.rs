//! Teams: members, roles, invitations.

mod accept_invitation;
mod invites;
mod members;
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
}

tollgate_platform::fetch_entry!();
