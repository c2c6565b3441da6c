//! Levels that services tell of each minute: kept as the moments at which they changed.

use super::metrics::Query;
use super::*;

const KEPT_STEPS: usize = 4_000;

/// A metric and its level from when on; None: not told of any more.
#[derive(Debug, Serialize, Deserialize)]
pub struct Gauge {
    namespace: String,
    metric: String,
    dimensions: BTreeMap<String, String>,
    steps: Vec<(Millis, Option<f64>)>,
}

fn key(namespace: &str, metric: &str, dimensions: &BTreeMap<String, String>) -> String {
    let dims: Vec<String> = dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{namespace}|{metric}|{}", dims.join("|"))
}

/// The level from now on. Returns whether it is another than before.
pub fn set(
    world: &mut World,
    namespace: &str,
    metric: &str,
    dims: &[(&str, &str)],
    level: Option<f64>,
) -> bool {
    let now = world.now;
    let dimensions: BTreeMap<String, String> =
        dims.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let key = key(namespace, metric, &dimensions);
    let gauges = &mut world.cloudwatch.gauges;
    if level.is_none() && !gauges.contains_key(&key) {
        return false;
    }
    let gauge = gauges.entry(key).or_insert_with(|| Gauge {
        namespace: namespace.to_owned(),
        metric: metric.to_owned(),
        dimensions,
        steps: Vec::new(),
    });
    match gauge.steps.last_mut() {
        Some((_, last)) if *last == level => return false,
        Some((at, last)) if *at == now => *last = level,
        _ => gauge.steps.push((now, level)),
    }
    if gauge.steps.len() > KEPT_STEPS {
        gauge.steps.drain(..KEPT_STEPS / 4);
    }
    true
}

/// The level at the end of each minute.
pub fn points(world: &World, query: &Query, start: Millis, end: Millis) -> Vec<Point> {
    let key = key(&query.namespace, &query.metric, &query.dimensions);
    let Some(gauge) = world.cloudwatch.gauges.get(&key) else { return Vec::new() };
    let mut found = Vec::new();
    let mut at = start;
    while at < end {
        let next = gauge.steps.partition_point(|(since, _)| *since < at + MINUTE);
        let level = next.checked_sub(1).and_then(|step| gauge.steps.get(step)).and_then(|(_, level)| *level);
        if let Some(value) = level {
            found.push(Point { at, count: 1.0, sum: value, min: value, max: value });
        }
        at += MINUTE;
    }
    found
}

pub fn list(world: &World) -> impl Iterator<Item = (String, String, BTreeMap<String, String>)> {
    world
        .cloudwatch
        .gauges
        .values()
        .map(|gauge| (gauge.namespace.clone(), gauge.metric.clone(), gauge.dimensions.clone()))
}
