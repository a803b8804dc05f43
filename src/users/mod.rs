//! Users: what a user's logins look like. Pure, but for the files that an operator names.
//!
//! In:  the fields of a login as texts. Out: what they say about where the user was.
//! Holds: the same input gives the same result on every machine.
#![warn(missing_docs)]

pub mod place;
