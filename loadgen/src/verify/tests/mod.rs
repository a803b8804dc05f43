//! The judge against an honest processor, and against one that makes each mistake once.

mod broker;
mod events;
mod inputs;
mod owned;
mod windows;
mod world;
