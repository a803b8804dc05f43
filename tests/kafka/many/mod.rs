//! What a user of several instances is promised: one group, exact, whatever becomes of them.

mod faults;
pub(crate) mod group;
pub(crate) mod readable;
mod same_windows;
mod scaling;
mod standing_by;
