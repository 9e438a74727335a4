//! Quotas and usage logs.

mod logs;
mod quota;

tollgate_platform::routes! {
    get "/usage/quota" => quota::quota;
    get "/usage/logs" => logs::logs;
}

tollgate_platform::fetch_entry!();
