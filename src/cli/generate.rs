//! `logintide completions` and `logintide man`: files that packages install beside the program.
//!
//! In: the command line's definition. Out: a script for a shell, or manual pages, on stdout or as
//! files. Holds: both are made from the definition that parses, so they cannot differ from it.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use clap_complete::Shell;
use clap_mangen::Man;

use super::definition;
use crate::{error::RunError, output::printed};

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  logintide completions bash >/etc/bash_completion.d/logintide
  logintide completions zsh >~/.zfunc/_logintide
  logintide completions fish >~/.config/fish/completions/logintide.fish";

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

const MAN_EXAMPLES: &str = "\
Examples:
  Read a page:
    logintide man run | man -l -

  Install all pages:
    logintide man --dir /usr/local/share/man/man1";

/// Arguments of `man`.
#[derive(Debug, Args)]
#[command(after_help = MAN_EXAMPLES)]
pub struct ManArgs {
    /// Subcommand whose page is printed, such as run or state show [default: the program's own]
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    command: Vec<String>,
    /// Write every page into this folder instead
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints the script for a shell.
pub(super) fn completions(args: &CompletionsArgs) -> Result<(), RunError> {
    // In memory first: the generator panics where a reader has left.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut definition(), "logintide", &mut script);
    printed(io::stdout().lock().write_all(&script))
}

/// Prints one manual page, or writes all.
pub(super) fn man(args: &ManArgs) -> Result<(), RunError> {
    let mut program = definition().disable_help_subcommand(true);
    program.build();
    if let Some(dir) = &args.dir {
        return write_all(&program, dir);
    }
    let command = args.command.iter().try_fold(&program, |command, name| {
        command.find_subcommand(name).ok_or_else(|| {
            let line = args.command.join(" ");
            RunError::Refused(format!(
                "man {line}: there is no command {name}; logintide --help lists them"
            ))
        })
    })?;
    printed(page(command).and_then(|page| io::stdout().lock().write_all(&page)))
}

/// Pages of a command and of all below it, one file each.
fn write_all(command: &clap::Command, dir: &Path) -> Result<(), RunError> {
    let name = format!("{}.1", full_name(command));
    let path = dir.join(name);
    page(command).and_then(|page| fs::write(&path, page)).map_err(|error| {
        let path = path.display();
        RunError::Refused(format!("--dir: {path} cannot be written: {error}; name another folder"))
    })?;
    let below = command.get_subcommands().filter(|below| !below.is_hide_set());
    below.into_iter().try_for_each(|below| write_all(below, dir))
}

fn page(command: &clap::Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone()).title(full_name(command)).render(&mut page)?;
    Ok(page)
}

/// `logintide-state-show`.
fn full_name(command: &clap::Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_completes_every_command() {
        use clap::ValueEnum;
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut definition(), "logintide", &mut script);
            let script = String::from_utf8(script).expect("UTF-8");
            for word in ["run", "state", "completions", "commit-interval", "state-dir"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn a_page_of_every_command_is_written() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        man(&ManArgs { command: Vec::new(), dir: Some(dir.path().to_owned()) }).expect("writable");
        for (name, content) in [
            ("logintide", "Exit codes"),
            ("logintide-run", "\\-\\-commit\\-interval"),
            ("logintide-state", "reset"),
            ("logintide-state-show", "\\-\\-state\\-dir"),
        ] {
            let page = fs::read_to_string(dir.path().join(format!("{name}.1"))).expect(name);
            assert!(page.contains(".TH ") && page.contains(content), "{name}: {page}");
        }
        let unwritable = ManArgs { command: Vec::new(), dir: Some("/no/such".into()) };
        let text = man(&unwritable).expect_err("no folder").to_string();
        assert!(text.starts_with("--dir: /no/such/logintide.1 cannot be written: "), "{text}");
        let wrong = ManArgs { command: vec!["state".into(), "shaw".into()], dir: None };
        let text = man(&wrong).expect_err("no command").to_string();
        assert!(text.starts_with("man state shaw: there is no command shaw; "), "{text}");
    }
}
