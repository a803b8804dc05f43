//! `loadgen` with the processor's allocator, also for librdkafka: a second baseline.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    loadgen::run_command_line()
}
