//! Each rule against sources that break it, and that nearly do.

use std::path::Path;

use super::{
    names::{Purpose, Source},
    rules::{foreign_libraries, layers, libraries, roots, unsafe_code, wings},
    size::{has_a_text, is_unbreakable, long_files, wide_lines},
};

fn source(path: &str, text: &str) -> Vec<Source> {
    vec![Source { path: Path::new(path).to_owned(), text: text.to_owned() }]
}

fn names(path: &str, text: &str) -> Vec<(String, Purpose)> {
    let names = source(path, text)[0].names();
    names.into_iter().map(|name| (name.segments.join("::"), name.purpose)).collect()
}

#[test]
fn grouped_and_renamed_imports_are_read() {
    let text = "use crate::{\n batch::{self, Pool, span::*},\n ids::Epoch as Number,\n};\n\
                pub(crate) use super::super::kafka;";
    assert_eq!(
        names("src/source/group.rs", text),
        [
            ("batch".to_owned(), Purpose::Imported),
            ("batch::Pool".to_owned(), Purpose::Imported),
            ("batch::span::*".to_owned(), Purpose::Imported),
            ("ids::Epoch".to_owned(), Purpose::Imported),
            ("kafka".to_owned(), Purpose::Exported),
        ]
    );
}

#[test]
fn paths_are_read_wherever_they_stand() {
    let text = "// crate::a::A\n\
                fn f(x: &crate::b::B) -> impl Sized + use<'_> { g!(\"crate::c\", self::d::<super::e::E>()) }\n\
                mod inner { use super::f; mod innermost { use super::super::g; } }";
    let names: Vec<_> = names("src/sink/mod.rs", text).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["b::B", "sink::d", "e::E", "sink::f", "sink::g"]);
}

#[test]
fn an_import_that_points_up_is_found_however_it_is_written() {
    for (path, text) in [
        ("src/event/parse.rs", "use crate::kafka::Admin;"),
        ("src/event/parse.rs", "use crate::{ids, kafka::Admin};"),
        ("src/event/parse.rs", "use super::super::kafka::Admin;"),
        ("src/event/mod.rs", "use super::kafka::Admin;"),
        ("src/event/tests/rules.rs", "use super::super::super::kafka::Admin;"),
        ("src/event/parse.rs", "mod tests { use super::super::super::kafka::Admin; }"),
        ("src/event/parse.rs", "fn f() { assert!(crate::kafka::is_fine()); }"),
        ("src/event/parse.rs", "type A = Vec<super::super::kafka::Admin>;"),
        ("src/event/parse.rs", "macro_rules! m { () => { $crate::kafka::Admin }; }"),
        ("src/source/mod.rs", "use crate::sink::Sink;"),
        // Through the crate's root anything can be reached.
        ("src/event/parse.rs", "use crate::*;"),
        ("src/event/mod.rs", "use super::*;"),
        ("src/event/parse.rs", "use crate::{self as all};"),
        ("src/event/parse.rs", "use crate::Admin;"),
        ("src/elsewhere.rs", "use crate::ids::Epoch;"),
    ] {
        assert_eq!(layers(&source(path, text)).len(), 1, "{path}: {text}");
    }
    for (path, text) in [
        ("src/kafka/mod.rs", "use crate::ids::Epoch; use super::limits;"),
        ("src/event/mod.rs", "use crate::window::WindowRules;"),
        (
            "src/event/parse.rs",
            "use super::{field::Field, EventConfig}; mod tests { use super::*; }",
        ),
        ("src/event/parse.rs", "// use crate::kafka::Admin;\nconst A: &str = \"crate::kafka\";"),
        ("src/main.rs", "use logintide::cli::Cli;"),
    ] {
        assert_eq!(layers(&source(path, text)), [""; 0], "{path}: {text}");
    }
}

#[test]
fn a_wing_that_uses_one_beside_it_or_above_is_found() {
    for (path, text) in [
        ("src/kafka/admin/groups.rs", "use crate::kafka::consumer::Consumer;"),
        ("src/kafka/native/queue.rs", "use super::super::producer::Producer;"),
        ("src/kafka/native/mod.rs", "pub use super::admin::Admin;"),
        ("src/kafka/consumer/client/tests.rs", "use crate::kafka::{native::Queue, Producer};"),
        ("src/kafka/elsewhere.rs", "use crate::ids::Epoch;"),
    ] {
        assert_eq!(wings(&source(path, text)).len(), 1, "{path}: {text}");
    }
    for (path, text) in [
        ("src/kafka/admin/groups.rs", "use super::client::Admin; use crate::kafka::native::Queue;"),
        ("src/kafka/native/queue.rs", "pub(in crate::kafka) use super::ffi::check;"),
        ("src/kafka/mod.rs", "pub use self::consumer::Consumer; pub use admin::Admin;"),
        ("src/sink/mod.rs", "use crate::kafka::Producer;"),
    ] {
        assert_eq!(wings(&source(path, text)), [""; 0], "{path}: {text}");
    }
}

#[test]
fn an_item_that_is_exported_from_elsewhere_is_found() {
    for text in ["pub use kafka::Admin;", "use kafka::Admin;", "pub use self::kafka::*;"] {
        assert_eq!(roots(&source("src/lib.rs", text)).len(), 1, "{text}");
    }
    assert_eq!(roots(&source("src/lib.rs", "#![deny(clippy::todo)] pub mod kafka;")), [""; 0]);
    for text in [
        "pub use crate::kafka::Admin;",
        "pub(crate) use super::kafka::Admin;",
        "pub(super) use crate::{kafka::{Admin as Client}};",
        "pub use rdkafka::ClientConfig;",
    ] {
        assert_eq!(libraries(&source("src/sink/mod.rs", text)).len(), 1, "{text}");
    }
    let mut own = source("src/sink/mod.rs", "pub use self::commit::A; pub use commit::B;");
    own.extend(source("src/sink/commit.rs", "use crate::kafka::Admin; pub use super::report::C;"));
    assert_eq!(libraries(&own), [""; 0]);
}

#[test]
fn a_library_away_from_home_is_found() {
    for text in
        ["use rdkafka::bindings as rd;", "fn f() -> rdkafka::Offset { todo!() }", "use ::sled::Db;"]
    {
        assert_eq!(foreign_libraries(&source("src/sink/mod.rs", text)).len(), 1, "{text}");
    }
    let kafka = "use rdkafka::bindings as rd; // sled::Db";
    assert_eq!(foreign_libraries(&source("src/kafka/list.rs", kafka)), [""; 0]);
}

#[test]
fn unsafe_code_is_found() {
    for text in ["fn f() { unsafe { g() } }", "unsafe impl Send for A {}"] {
        assert_eq!(unsafe_code(&source("src/sink/mod.rs", text)).len(), 1, "{text}");
        assert_eq!(unsafe_code(&source("src/kafka/list.rs", text)), [""; 0]);
    }
    assert_eq!(unsafe_code(&source("src/ids.rs", "#![forbid(unsafe_code)] // unsafe")), [""; 0]);
}

#[test]
fn what_is_too_long_or_too_wide_is_found() {
    assert_eq!(long_files(&source("src/ids.rs", &"\n".repeat(400))), [""; 0]);
    assert_eq!(long_files(&source("src/ids.rs", &"\n".repeat(401))).len(), 1);
    let comment = |columns: usize| format!("// {}", "é".repeat(columns - 3));
    assert_eq!(wide_lines(&source("src/ids.rs", &comment(100)), has_a_text), [""; 0]);
    assert_eq!(wide_lines(&source("src/ids.rs", &comment(101)), has_a_text).len(), 1);
    let text = format!("const A: &str = \"{}\";", "é".repeat(101));
    assert_eq!(wide_lines(&source("src/ids.rs", &text), has_a_text), [""; 0]);
    let words = "word ".repeat(19);
    for (line, faults) in [
        (format!("{words}word"), 0),
        (format!("{words}long word"), 1),
        (format!("{words}[link](https://example.org/{words})"), 1),
        (format!("{words}[a](https://example.org/a/b/c/d)"), 0),
        (format!("{words}https://example.org/a/b/c/d"), 0),
        (format!("| {words}{words}|"), 0),
    ] {
        assert_eq!(wide_lines(&source("README.md", &line), is_unbreakable).len(), faults, "{line}");
    }
}
