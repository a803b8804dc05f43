//! Reads Rust sources as tokens: which items of the crate and of libraries a file names.
//!
//! In:  a file's path below the package and its text. Out: every path in it, from the crate's root.
//! Holds: comments and texts name nothing; bodies of functions and arguments of macros do.

use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A source file.
pub(crate) struct Source {
    /// Below the package's folder, for example `src/event/parse.rs`.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// Where a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// At the crate's root: it was written with `crate`, `self` or `super`.
    Crate,
    /// At a library, or at something in scope: nothing stood in front of it.
    Scope,
}

/// What a path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Used,
    Imported,
    /// Imported under a visibility, so that others may use it from here.
    Exported,
}

/// A path in a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) root: Root,
    /// Without `crate`, `self` and `super`; `*` for everything in a module.
    pub(crate) segments: Vec<String>,
    pub(crate) purpose: Purpose,
}

impl Source {
    /// The file's own module, from the crate's root; empty for `lib.rs` and `main.rs`.
    pub(crate) fn module(&self) -> Vec<String> {
        let inside = self.path.strip_prefix("src").expect("a file below src").with_extension("");
        let mut module: Vec<_> =
            inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            module.pop();
        }
        module
    }

    /// All paths that the file names.
    pub(crate) fn names(&self) -> Vec<Name> {
        let mut reader = Reader { module: self.module(), names: Vec::new() };
        reader.read(&self.tokens());
        reader.names
    }

    /// Whether the file has this word anywhere but in comments and texts.
    pub(crate) fn has_word(&self, word: &str) -> bool {
        fn has(tokens: TokenStream, word: &str) -> bool {
            tokens.into_iter().any(|token| match token {
                TokenTree::Group(group) => has(group.stream(), word),
                TokenTree::Ident(ident) => ident == word,
                _ => false,
            })
        }
        has(self.tokens().into_iter().collect(), word)
    }

    pub(crate) fn is_below(&self, folder: &str) -> bool {
        self.path.starts_with(Path::new(folder))
    }

    fn tokens(&self) -> Vec<TokenTree> {
        let tokens = self.text.parse::<TokenStream>();
        tokens
            .unwrap_or_else(|error| panic!("{}: {error}", self.path.display()))
            .into_iter()
            .collect()
    }
}

struct Reader {
    /// The module that is being read, from the crate's root.
    module: Vec<String>,
    names: Vec<Name>,
}

impl Reader {
    fn read(&mut self, tokens: &[TokenTree]) {
        let mut at = 0;
        while at < tokens.len() {
            at += match &tokens[at..] {
                [TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Group(body), ..]
                    if word == "mod" && body.delimiter() == Delimiter::Brace =>
                {
                    self.module.push(name.to_string());
                    self.read(&inside(body));
                    self.module.pop();
                    3
                }
                // `use<'a>` in a type is no import.
                [TokenTree::Ident(word), next, ..] if word == "use" && !is_punct(next, '<') => {
                    let is_visible = is_visible(&tokens[..at]);
                    let purpose = if is_visible { Purpose::Exported } else { Purpose::Imported };
                    self.import(&tokens[at + 1..], purpose)
                }
                [TokenTree::Ident(_), ..] if !is_inner(&tokens[..at]) => self.path(&tokens[at..]),
                [TokenTree::Group(group), ..] => {
                    self.read(&inside(group));
                    1
                }
                _ => 1,
            };
        }
    }

    /// Reads a path in an expression, a type or a pattern; returns how many tokens it has.
    fn path(&mut self, tokens: &[TokenTree]) -> usize {
        let mut segments = vec![word(&tokens[0])];
        let mut at = 1;
        while let [colon, second, next @ TokenTree::Ident(_), ..] = &tokens[at..]
            && is_punct(colon, ':')
            && is_punct(second, ':')
        {
            segments.push(word(next));
            at += 3;
        }
        if segments.len() > 1 {
            self.add(&segments, Purpose::Used);
        }
        at
    }

    /// Reads an import up to its semicolon; returns how many tokens it has, with the `use`.
    fn import(&mut self, tokens: &[TokenTree], purpose: Purpose) -> usize {
        let end = tokens.iter().position(|token| is_punct(token, ';')).expect("an import ends");
        self.tree(&tokens[..end], &[], purpose);
        end + 1
    }

    /// Reads what stands between two commas of an import; `before` is what they have in common.
    fn tree(&mut self, tokens: &[TokenTree], before: &[String], purpose: Purpose) {
        let mut segments = before.to_vec();
        for token in tokens {
            match token {
                // What follows is a name of this file's own.
                TokenTree::Ident(ident) if ident == "as" => break,
                TokenTree::Ident(_) => segments.push(word(token)),
                TokenTree::Punct(punct) if punct.as_char() == '*' => segments.push("*".to_owned()),
                TokenTree::Group(group) => {
                    for part in inside(group).split(|token| is_punct(token, ',')) {
                        self.tree(part, &segments, purpose);
                    }
                    return;
                }
                _ => {}
            }
        }
        // Nothing stands behind a group's last comma.
        if !tokens.is_empty() {
            self.add(&segments, purpose);
        }
    }

    fn add(&mut self, written: &[String], purpose: Purpose) {
        let supers = written.iter().filter(|segment| *segment == "super").count();
        let rest = written.iter().filter(|segment| !is_anchor(segment)).cloned();
        let above = self.module.len().checked_sub(supers).expect("super leads to a module");
        let (root, segments) = match written[0].as_str() {
            "crate" => (Root::Crate, rest.collect()),
            "self" | "super" => {
                (Root::Crate, self.module[..above].iter().cloned().chain(rest).collect())
            }
            _ => (Root::Scope, rest.collect()),
        };
        self.names.push(Name { root, segments, purpose });
    }
}

fn is_anchor(segment: &str) -> bool {
    matches!(segment, "crate" | "self" | "super")
}

fn inside(group: &proc_macro2::Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

fn word(token: &TokenTree) -> String {
    token.to_string().trim_start_matches("r#").to_owned()
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// Whether `pub` or `pub(…)` stands last.
fn is_visible(before: &[TokenTree]) -> bool {
    match before {
        [.., TokenTree::Ident(word)] | [.., TokenTree::Ident(word), TokenTree::Group(_)] => {
            word == "pub"
        }
        _ => false,
    }
}

/// Whether what follows goes on with a path: `::` stands last, and not at the path's beginning.
fn is_inner(before: &[TokenTree]) -> bool {
    let [.., owner, first, second] = before else { return false };
    let is_behind = matches!(owner, TokenTree::Ident(_)) || is_punct(owner, '>');
    is_behind && is_punct(first, ':') && is_punct(second, ':')
}
