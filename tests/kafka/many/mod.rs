//! What a user of several instances is promised: one group, exact, whatever becomes of them.

mod failpoints;
pub(crate) mod group;
mod growing;
mod losses;
mod pauses;
pub(crate) mod readable;
mod same_windows;
mod scaling;
mod standing_by;
