//! The program: arguments → configuration → run → exit code.
//!
//! Main thread. Sets up what the whole process has once: the allocator, the log, the panic hook.
//! Holds: an error is one message on stderr and an exit code, never a backtrace.

use std::{
    fs::File,
    io::{self, IsTerminal, Write},
    panic::{self, PanicHookInfo},
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use logintide::{
    cli::Cli,
    config::LogFormat,
    error::RunError,
    plain::{self, Plain, Style},
};
use tracing_subscriber::EnvFilter;

/// The allocator, also librdkafka's: its `malloc` and `free` resolve to mimalloc.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Environment variable with the log filter.
const LOG_VARIABLE: &str = "LOGINTIDE_LOG";

fn main() -> ExitCode {
    #[cfg(feature = "test-support")]
    let _failpoints = logintide::failpoint::setup();
    match Cli::from_process().execute(start_logging) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Whether the log goes to stderr, not to a file.
static LOG_IS_SEEN: AtomicBool = AtomicBool::new(false);

/// Reports through the log once it runs, so that every line has the requested format.
fn report(error: &RunError) {
    if LOG_IS_SEEN.load(Ordering::Relaxed) && tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!("{error}");
    } else {
        // When stderr is closed, only the exit code is left to report it.
        let _ = writeln!(io::stderr(), "error: {}", plain::lines(&error.to_string()));
    }
}

/// Starts the log on stderr or in a file; `LOGINTIDE_LOG` filters its lines. They contain errors of
/// brokers and names of other clients, so all text is escaped.
fn start_logging(format: LogFormat, file: Option<File>) -> Result<(), RunError> {
    let filter = std::env::var(LOG_VARIABLE).unwrap_or_default();
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .parse(&filter)
        .map_err(|error| {
            let remedy = "write a level or target=level, such as info,logintide::sink=debug";
            RunError::Refused(format!("{LOG_VARIABLE} {filter}: {error}; {remedy}"))
        })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_thread_names(true)
        // With a closed stderr, reporting that on stderr would panic.
        .log_internal_errors(false);
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    LOG_IS_SEEN.store(file.is_none(), Ordering::Relaxed);
    match (format, file) {
        (LogFormat::Text, None) if colours => {
            let writer = || Plain::with_colours(io::stderr());
            log.with_writer(writer).with_ansi(true).with_target(false).init();
        }
        (LogFormat::Text, None) => {
            let writer = || Plain::new(io::stderr(), Style::Text);
            log.with_writer(writer).with_ansi(false).with_target(false).init();
        }
        (LogFormat::Json, None) => {
            let writer = || Plain::new(io::stderr(), Style::Json);
            log.with_writer(writer).json().flatten_event(true).init();
        }
        (LogFormat::Text, Some(file)) => {
            let writer = Mutex::new(Plain::new(file, Style::Text));
            log.with_writer(writer).with_ansi(false).with_target(false).init();
        }
        (LogFormat::Json, Some(file)) => {
            let writer = Mutex::new(Plain::new(file, Style::Json));
            log.with_writer(writer).json().flatten_event(true).init();
        }
    }
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Logs one line instead of the runtime's message; the thread that joins this one reports the
/// consequences.
fn log_panic(info: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let message = info.payload_as_str().unwrap_or("no message");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let name = thread.name().unwrap_or("unnamed");
    tracing::error!(thread = name, place, "panic: {message}");
    if !LOG_IS_SEEN.load(Ordering::Relaxed) {
        let message = plain::lines(message);
        let _ = writeln!(io::stderr(), "error: thread {name}: panic: {message} ({place})");
    }
}
