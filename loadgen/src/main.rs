//! The program `loadgen`: the library's command line with the system's allocator.

use std::process::ExitCode;

fn main() -> ExitCode {
    loadgen::run_command_line()
}
