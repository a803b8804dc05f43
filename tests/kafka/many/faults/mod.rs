//! Those that need the machine for themselves: they bound how long something takes.

mod failpoints;
mod growing;
mod losses;
mod pauses;
