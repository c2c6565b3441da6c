//! The dependency graph as DOT and Mermaid: resources and data sources, without what lies between, as
//! `terraform graph` has it.

use crate::graph::{Graph, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// (resource, what it needs), by name; without what is needed through something else anyway.
fn edges(graph: &Graph) -> (BTreeSet<String>, BTreeSet<(String, String)>) {
    let nodes: Vec<&Node> = graph.nodes().filter(|n| matches!(n, Node::Resource(..))).collect();
    let place: BTreeMap<&Node, usize> = nodes.iter().enumerate().map(|(i, n)| (*n, i)).collect();
    let needed: Vec<Vec<usize>> = nodes
        .iter()
        .map(|n| graph.declarations_needed(n).into_iter().filter_map(|n| place.get(n).copied()).collect())
        .collect();
    let names: Vec<String> = nodes.iter().map(|n| graph.describe(n)).collect();
    let mut edges = BTreeSet::new();
    // Of the node looked at last from which a node was reached over at least two edges.
    let mut reached = vec![usize::MAX; nodes.len()];
    for (from, direct) in needed.iter().enumerate() {
        let mut todo: Vec<usize> = direct.iter().flat_map(|d| &needed[*d]).copied().collect();
        while let Some(next) = todo.pop() {
            if reached[next] != from {
                reached[next] = from;
                todo.extend(&needed[next]);
            }
        }
        let kept = direct.iter().filter(|to| reached[**to] != from);
        edges.extend(kept.map(|to| (names[from].clone(), names[*to].clone())));
    }
    (names.into_iter().collect(), edges)
}

pub fn dot(graph: &Graph) -> String {
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

pub fn mermaid(graph: &Graph) -> String {
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
