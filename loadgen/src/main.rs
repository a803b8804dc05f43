//! The program `loadgen`: the library's command line, on the system's allocator like most programs.

use std::process::ExitCode;

fn main() -> ExitCode {
    loadgen::run_command_line()
}
