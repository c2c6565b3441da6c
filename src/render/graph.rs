//! The dependency graph as DOT and Mermaid: resources and modules, without what lies between.

use crate::graph::{Graph, Node};
use crate::plan::values::is_managed;
use std::collections::BTreeSet;
use std::fmt::Write;

/// (resource, what it needs), by name.
fn edges(graph: &Graph<'_>) -> (BTreeSet<String>, BTreeSet<(String, String)>) {
    let nodes: Vec<&Node> = graph.nodes().filter(|n| is_managed(n)).collect();
    let names = nodes.iter().map(|n| graph.describe(n)).collect();
    let each = |node: &&Node| {
        let name = graph.describe(node);
        let needed: Vec<_> =
            graph.resources_needed(node).into_iter().map(|n| (name.clone(), graph.describe(n))).collect();
        needed
    };
    (names, nodes.iter().flat_map(each).collect())
}

pub fn dot(graph: &Graph<'_>) -> String {
    let (names, edges) = edges(graph);
    let mut out = String::from("digraph {\n  rankdir = \"RL\"\n  node [shape = box]\n");
    for name in names {
        let _ = writeln!(out, "  {name:?}");
    }
    for (from, to) in edges {
        let _ = writeln!(out, "  {from:?} -> {to:?}");
    }
    out + "}\n"
}

pub fn mermaid(graph: &Graph<'_>) -> String {
    let (names, edges) = edges(graph);
    let names: Vec<String> = names.into_iter().collect();
    let id = |name: &String| names.binary_search(name).unwrap_or_default();
    let mut out = String::from("flowchart RL\n");
    for (i, name) in names.iter().enumerate() {
        let _ = writeln!(out, "  n{i}[\"{name}\"]");
    }
    for (from, to) in &edges {
        let _ = writeln!(out, "  n{} --> n{}", id(from), id(to));
    }
    out
}
