//! Profiles and alerts of users, against an independent recount.

#[path = "users/agreement.rs"]
mod agreement;
#[path = "users/recount/mod.rs"]
mod recount;
