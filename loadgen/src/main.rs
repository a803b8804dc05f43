//! The program `loadgen`: the library's command line, and the allocator of the whole process.

use std::process::ExitCode;

// librdkafka allocates through it, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    loadgen::run_command_line()
}
