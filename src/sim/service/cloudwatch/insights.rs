//! Metrics Insights, as far as `SELECT SUM(Metric) FROM "Namespace" WHERE Name = 'value' AND … GROUP BY Name` goes
//! (CloudWatch user guide, query components and syntax). No ORDER BY, no LIMIT, no SCHEMA.

use super::math::Series;
use super::metrics::{self, Query, Statistic};
use super::*;

/// One series, or one for each value of the dimension that it is grouped by.
pub fn select(
    world: &World,
    text: &str,
    span: (Millis, Millis),
    period: Millis,
) -> Result<Vec<Series>, String> {
    let asked = read(text).ok_or_else(|| format!("the embedded AWS does not understand the query {text}"))?;
    let mut grouped: BTreeMap<String, Vec<Point>> = BTreeMap::new();
    for series in world.cloudwatch.series.iter() {
        let fits = series.namespace == asked.namespace
            && series.metric == asked.metric
            && asked.wanted.iter().all(|(name, value)| series.dimensions.get(name) == Some(value));
        if !fits {
            continue;
        }
        let label = match &asked.by {
            Some(name) => match series.dimensions.get(name) {
                Some(value) => value.clone(),
                None => continue,
            },
            None => String::new(),
        };
        let query = Query {
            namespace: series.namespace.clone(),
            metric: series.metric.clone(),
            dimensions: series.dimensions.clone(),
            unit: Some(series.unit.clone()),
        };
        grouped.entry(label).or_default().extend(metrics::points(world, &query, span.0, span.1));
    }
    let of = |(label, mut points): (String, Vec<Point>)| {
        points.sort_by_key(|point| point.at);
        let values = metrics::periods(&points, span, period, &asked.statistic).into_iter().collect();
        Series { label, values }
    };
    Ok(grouped.into_iter().map(of).filter(|series| !series.values.is_empty()).collect())
}

struct Asked {
    statistic: Statistic,
    metric: String,
    namespace: String,
    wanted: BTreeMap<String, String>,
    by: Option<String>,
}

fn bare(text: &str) -> String {
    text.trim().trim_matches(['"', '\'']).to_owned()
}

fn read(text: &str) -> Option<Asked> {
    let upper = text.to_ascii_uppercase();
    let at = |word: &str| upper.find(word);
    let from = at(" FROM ")?;
    let select = text.get(6..from)?.trim();
    let (function, metric) = select.strip_suffix(')')?.split_once('(')?;
    let (filter, group) = (at(" WHERE "), at(" GROUP BY "));
    let namespace = text.get(from + 6..filter.or(group).unwrap_or(text.len()))?;
    let filter = match filter {
        Some(at) => text.get(at + 7..group.unwrap_or(text.len()))?,
        None => "",
    };
    let mut wanted = BTreeMap::new();
    for part in filter.split(" AND ").filter(|part| !part.trim().is_empty()) {
        let (name, value) = part.split_once('=')?;
        wanted.insert(bare(name), bare(value));
    }
    let statistic = match function.trim().to_ascii_uppercase().as_str() {
        "SUM" => Statistic::Sum,
        "AVG" => Statistic::Average,
        "MIN" => Statistic::Minimum,
        "MAX" => Statistic::Maximum,
        "COUNT" => Statistic::SampleCount,
        _ => return None,
    };
    let by = group.and_then(|at| text.get(at + 10..)).map(bare);
    Some(Asked { statistic, metric: bare(metric), namespace: bare(namespace), wanted, by })
}
