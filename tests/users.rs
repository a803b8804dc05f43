//! Profiles and alerts of users, against an independent recount.

#[path = "users/recount/mod.rs"]
mod recount;
