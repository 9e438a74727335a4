//! Quotas, logs, summaries, exports; the queue that fills the analytics copy.

mod admin_users;
mod export;
mod ledger;
mod logs;
mod quota;
mod rows;
mod span;
mod statements;
mod summary;
mod usage_queue;
mod warnings;

tollgate_platform::routes! {
    get "/usage/quota" => quota::quota;
    get "/usage/summary" => summary::summary;
    get "/usage/logs" => logs::logs;
    get "/usage/statements" => statements::list;
    get "/usage/statements/{month}" => statements::statement;
    get "/admin/users" => admin_users::users;
    get "/usage/export" => export::export_usage;
    get "/usage/ledger/verify" => ledger::verify;
}

tollgate_platform::fetch_entry!();
