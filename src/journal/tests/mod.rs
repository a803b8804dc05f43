//! The journal as a whole: what is written is read, whatever lies between.

mod any;
mod codec;
mod compacted;
mod format;
mod group;
mod histories;
mod reader;
mod writer;
