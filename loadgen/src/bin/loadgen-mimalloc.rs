//! `loadgen` on the processor's allocator, under librdkafka, too: the other yardstick.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    loadgen::run_command_line()
}
