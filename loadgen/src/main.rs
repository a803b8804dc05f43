//! The program `loadgen`: the library's command line, and with the feature `mimalloc` the allocator
//! of the whole process.

use std::process::ExitCode;

// librdkafka allocates through it, too.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    loadgen::run_command_line()
}
