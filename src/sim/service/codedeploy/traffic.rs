//! The listeners of a target group pair, and the weights that they forward with.

use super::*;
use crate::service::elbv2;

/// The one listener of a route (`prodTrafficRoute`, `testTrafficRoute`) of a target group pair.
pub fn listener<'a>(pair: &'a Json, route: &str) -> Option<&'a str> {
    pair.get(route)?.texts("listenerArns").first().copied().filter(|arn| !arn.is_empty())
}

/// The rules of a listener that forward to one of the pair's groups, with what they do now. Others are not
/// touched: several services may share a listener.
pub fn rules(world: &World, listener: &str, pair: [&str; 2]) -> Vec<(String, Vec<(String, i64)>)> {
    let forwards = |rule: String| match elbv2::traffic(world, &rule) {
        elbv2::Traffic::Forward(weights) => Some((rule, weights)),
        _ => None,
    };
    elbv2::rules_of(world, listener)
        .into_iter()
        .filter_map(forwards)
        .filter(|(_, weights)| weights.iter().any(|(group, _)| pair.contains(&group.as_str())))
        .collect()
}

/// Sends this percentage of what the listener's rules forward to the pair to `green`.
pub fn send(world: &mut World, listener: &str, blue: &str, green: &str, percent: i64) {
    for (rule, _) in rules(world, listener, [blue, green]) {
        let weights = [(blue.to_owned(), 100 - percent), (green.to_owned(), percent)];
        elbv2::set_weights(world, &rule, &weights);
    }
}
