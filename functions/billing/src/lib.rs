//! What is sold, and buying it: the catalogue, checkouts, changes of what runs, the portal, invoices.

mod change;
mod checkout;
mod choice;
mod invoices;
mod plans;
mod portal;
mod session;
mod shown;
mod subscription;

tollgate_platform::routes! {
    get "/subscription/plans" => plans::plans;
    get "/subscription" => subscription::read;
    patch "/subscription" => change::patch;
    post "/subscription/checkout" => checkout::checkout;
    post "/user/upgrade-subscription" => checkout::upgrade;
    post "/subscription/portal" => portal::portal;
    get "/subscription/invoices" => invoices::invoices;
}

tollgate_platform::fetch_entry!();
