//! The rules about imports. Each function returns what breaks its rule.

use std::collections::BTreeSet;

use super::{
    HOMES, LAYERS, PEERS, WINGS,
    names::{Name, Purpose, Root, Source},
};

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The file's top-level module; `None` for the crate's root.
fn home_of(source: &Source) -> Option<String> {
    source.module().first().cloned()
}

fn fault(source: &Source, what: &str, name: &Name) -> String {
    format!("{} {what} {}", source.path.display(), name.segments.join("::"))
}

/// Imports that do not point down.
pub(crate) fn layers(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        let Some(home) = home_of(source) else { continue };
        let Some(layer) = layer_of(&home) else {
            faults.push(format!("{} has no layer", source.path.display()));
            continue;
        };
        for name in source.names().iter().filter(|name| name.root == Root::Crate) {
            let used = name.segments.first().map_or("the crate's root", String::as_str);
            let Some(used_layer) = layer_of(used) else {
                faults.push(fault(source, "uses what has no layer:", name));
                continue;
            };
            let is_peer = PEERS.contains(&(home.as_str(), used));
            if used != home && (used_layer < layer || (used_layer == layer && !is_peer)) {
                faults.push(fault(source, "uses", name));
            }
        }
    }
    faults
}

/// Imports of a wing of the Kafka client from a wing beside it, or from what all of them make.
pub(crate) fn wings(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        let module = source.module();
        let ["kafka", wing, ..] = &module.iter().map(String::as_str).collect::<Vec<_>>()[..] else {
            continue;
        };
        let Some((_, below)) = WINGS.iter().find(|(known, _)| known == wing) else {
            faults.push(format!("{} is in no wing", source.path.display()));
            continue;
        };
        for name in source.names().iter().filter(|name| name.root == Root::Crate) {
            // `kafka` alone is how far something is visible.
            if let [home, used, ..] = &name.segments[..]
                && home == "kafka"
                && used != wing
                && !below.contains(&used.as_str())
            {
                faults.push(fault(source, "uses", name));
            }
        }
    }
    faults
}

/// What the crate's root holds beside modules: an item there has no layer.
pub(crate) fn roots(sources: &[Source]) -> Vec<String> {
    let is_root = |source: &&Source| source.path.ends_with("src/lib.rs");
    let imports = |source: &Source| {
        let names = source.names().into_iter().filter(|name| name.purpose != Purpose::Used);
        names.map(|name| fault(source, "imports", &name)).collect::<Vec<_>>()
    };
    sources.iter().filter(is_root).flat_map(imports).collect()
}

/// Exported imports of what another module or a library has: they hide where it comes from.
pub(crate) fn libraries(sources: &[Source]) -> Vec<String> {
    let modules: BTreeSet<_> = sources.iter().map(Source::module).collect();
    let is_own = |source: &Source, name: &Name| match name.root {
        Root::Crate => name.segments.first() == home_of(source).as_ref(),
        Root::Scope => {
            let mut child = source.module();
            child.extend(name.segments.first().cloned());
            modules.contains(&child)
        }
    };
    let mut faults = Vec::new();
    for source in sources.iter().filter(|source| home_of(source).is_some()) {
        for name in source
            .names()
            .iter()
            .filter(|name| name.purpose == Purpose::Exported && !is_own(source, name))
        {
            faults.push(fault(source, "exports", name));
        }
    }
    faults
}

/// Uses of a library outside its home.
pub(crate) fn foreign_libraries(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        for name in source.names().iter().filter(|name| name.root == Root::Scope) {
            let home = HOMES.iter().find(|(library, _)| *library == name.segments[0]);
            if home.is_some_and(|(_, home)| home_of(source).as_deref() != Some(home)) {
                faults.push(fault(source, "uses", name));
            }
        }
    }
    faults
}

/// Files with unsafe code outside the wrapper of Kafka's client.
pub(crate) fn unsafe_code(sources: &[Source]) -> Vec<String> {
    let outside = sources.iter().filter(|source| !source.is_below("src/kafka"));
    let wrong = outside.filter(|source| source.has_word("unsafe"));
    wrong.map(|source| source.path.display().to_string()).collect()
}
