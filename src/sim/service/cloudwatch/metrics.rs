//! Metric data: put, kept for 15 days, read as statistics.

use super::*;

const KEPT: Millis = 15 * 24 * 60 * MINUTE;
const KEPT_POINTS: usize = 25_000;

#[derive(Clone, Debug, PartialEq)]
pub enum Statistic {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
    /// `p99`. A point that was put as a set counts as its average.
    Percentile(f64),
}

impl Statistic {
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "SampleCount" => Statistic::SampleCount,
            "Average" => Statistic::Average,
            "Sum" => Statistic::Sum,
            "Minimum" => Statistic::Minimum,
            "Maximum" => Statistic::Maximum,
            other => {
                let percent: f64 = other.strip_prefix('p')?.parse().ok()?;
                Statistic::Percentile((0.0..=100.0).contains(&percent).then_some(percent)?)
            }
        })
    }
}

/// For services that report on themselves: one value now.
pub fn record(
    world: &mut World,
    namespace: &str,
    metric: &str,
    dims: &[(&str, &str)],
    value: f64,
    unit: &str,
) {
    let dimensions = dims.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let point = Point { at: world.now, count: 1.0, sum: value, min: value, max: value };
    add(world, namespace, metric, dimensions, unit, point);
}

fn add(
    world: &mut World,
    namespace: &str,
    metric: &str,
    dimensions: BTreeMap<String, String>,
    unit: &str,
    point: Point,
) {
    let oldest = world.now - KEPT;
    let all = &mut world.cloudwatch.series;
    let known = all.iter().position(|series| {
        series.namespace == namespace
            && series.metric == metric
            && series.dimensions == dimensions
            && series.unit == unit
    });
    let index = known.unwrap_or_else(|| {
        all.push(Series {
            namespace: namespace.to_owned(),
            metric: metric.to_owned(),
            dimensions: dimensions.clone(),
            unit: unit.to_owned(),
            points: Vec::new(),
        });
        all.len() - 1
    });
    let points = &mut all[index].points;
    let place = points.partition_point(|other| other.at <= point.at);
    points.insert(place, point);
    let stale =
        points.partition_point(|point| point.at < oldest).max(points.len().saturating_sub(KEPT_POINTS));
    points.drain(..stale);
    wake_alarms(world, namespace, metric, &dimensions);
}

/// Alarms on this metric look at it when its period is over.
fn wake_alarms(world: &mut World, namespace: &str, metric: &str, dims: &BTreeMap<String, String>) {
    let watches = |one: &Json| {
        one.text("Namespace") == Some(namespace)
            && one.text("MetricName") == Some(metric)
            && dimensions(one.list("Dimensions")) == *dims
    };
    let in_list = |alarm: &Alarm| {
        let queries = alarm.settings.list("Metrics").iter();
        queries.filter_map(|query| query.get("MetricStat")?.get("Metric")).any(watches)
    };
    let watching = world.cloudwatch.alarms.values().filter(|one| watches(&one.settings) || in_list(one));
    let watching: Vec<String> = watching.map(|alarm| alarm.name.clone()).collect();
    for alarm in watching {
        awake::keep_awake(world, &alarm);
    }
}

/// A metric, all units together unless one is asked for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pub namespace: String,
    pub metric: String,
    pub dimensions: BTreeMap<String, String>,
    pub unit: Option<String>,
}

impl Query {
    /// Of an API's Metric, or whatever has its members.
    pub fn of(metric: &Json, unit: Option<&str>) -> Option<Query> {
        Some(Query {
            namespace: metric.text("Namespace")?.to_owned(),
            metric: metric.text("MetricName")?.to_owned(),
            dimensions: dimensions(metric.list("Dimensions")),
            unit: unit.map(str::to_owned),
        })
    }
}

/// What was put, and what AWS's services publish themselves, in order of time.
pub fn points(world: &World, query: &Query, from: Millis, to: Millis) -> Vec<Point> {
    let series = world.cloudwatch.series.iter().filter(|series| {
        series.namespace == query.namespace
            && series.metric == query.metric
            && series.dimensions == query.dimensions
            && query.unit.as_ref().is_none_or(|unit| series.unit == *unit)
    });
    let mut points: Vec<Point> = series.flat_map(|series| series.points.iter().cloned()).collect();
    if query.namespace.starts_with("AWS/") {
        points.extend(published::points(world, query, from, to));
    }
    points.sort_by_key(|point| point.at);
    points
}

/// The statistic over `from <= at < to`; None without data. `points` are in order of time.
pub fn aggregate(points: &[Point], from: Millis, to: Millis, statistic: &Statistic) -> Option<f64> {
    let start = points.partition_point(|point| point.at < from);
    let end = points.partition_point(|point| point.at < to);
    let points = points.get(start..end).filter(|points| !points.is_empty())?;
    let count: f64 = points.iter().map(|point| point.count).sum();
    let sum: f64 = points.iter().map(|point| point.sum).sum();
    Some(match statistic {
        Statistic::SampleCount => count,
        Statistic::Sum => sum,
        Statistic::Average => sum / count,
        Statistic::Minimum => points.iter().map(|point| point.min).fold(f64::INFINITY, f64::min),
        Statistic::Maximum => points.iter().map(|point| point.max).fold(f64::NEG_INFINITY, f64::max),
        Statistic::Percentile(percent) => percentile(points, count, *percent),
    })
}

fn percentile(points: &[Point], count: f64, percent: f64) -> f64 {
    let mut means: Vec<(f64, f64)> =
        points.iter().map(|point| (point.sum / point.count, point.count)).collect();
    means.sort_by(|a, b| a.0.total_cmp(&b.0));
    let rank = count * percent / 100.0;
    let mut passed = 0.0;
    for (mean, weight) in &means {
        passed += weight;
        if passed >= rank {
            return *mean;
        }
    }
    means.last().map_or(0.0, |(mean, _)| *mean)
}

pub fn put(world: &mut World, input: &Json) -> Answer {
    let namespace = input.text("Namespace").unwrap_or_default();
    if namespace.starts_with("AWS/") {
        return Err(ApiError::new(
            "InvalidParameterValue",
            "The value AWS/ for parameter Namespace is invalid.",
        ));
    }
    let entities = input.list("EntityMetricData").iter().flat_map(|entity| entity.list("MetricData"));
    let data: Vec<Json> = input.list("MetricData").iter().chain(entities).cloned().collect();
    if data.iter().any(|datum| dimensions(datum.list("Dimensions")).len() < datum.list("Dimensions").len()) {
        let message = "No metric may specify the same dimension name twice.";
        return Err(ApiError::new("InvalidParameterValue", message));
    }
    let parsed: Result<Vec<_>, _> = data.iter().map(|datum| put_points(world.now, datum)).collect();
    for (datum, points) in data.iter().zip(parsed?) {
        for point in points {
            let unit = datum.text("Unit").unwrap_or("None");
            let metric = datum.text("MetricName").unwrap_or_default();
            add(world, namespace, metric, dimensions(datum.list("Dimensions")), unit, point);
        }
    }
    Ok(json!({}))
}

fn put_points(now: Millis, datum: &Json) -> Result<Vec<Point>, ApiError> {
    let at = datum.text("Timestamp").and_then(millis).unwrap_or(now);
    let points = values(at, datum)?;
    // "Time stamps that are up to two weeks in the past and up to two hours into the future".
    if at < now - 14 * 24 * 60 * MINUTE || at > now + 120 * MINUTE {
        let message = "The parameter MetricData.member.1.Timestamp must specify a time no more than two \
                       weeks in the past and no more than two hours in the future.";
        return Err(ApiError::new("InvalidParameterValue", message));
    }
    Ok(points)
}

fn values(at: Millis, datum: &Json) -> Result<Vec<Point>, ApiError> {
    let number = |json: &Json, name: &str| json.get(name).and_then(Json::as_f64);
    let single = |value: f64, count: f64| Point { at, count, sum: value * count, min: value, max: value };
    if let Some(set) = datum.get("StatisticValues") {
        if datum.get("Value").is_some() {
            return Err(ApiError::new(
                "InvalidParameterCombination",
                "The parameters MetricData.member.1.Value and MetricData.member.1.StatisticValues are \
                 mutually exclusive and you have specified both.",
            ));
        }
        let of = |name| number(set, name).unwrap_or_default();
        let count = of("SampleCount");
        if count <= 0.0 {
            let message =
                "The parameter MetricData.member.1.StatisticValues.SampleCount must be greater than 0.";
            return Err(ApiError::new("InvalidParameterValue", message));
        }
        return Ok(vec![Point { at, count, sum: of("Sum"), min: of("Minimum"), max: of("Maximum") }]);
    }
    let values: Vec<f64> = datum.list("Values").iter().filter_map(Json::as_f64).collect();
    let counts: Vec<f64> = datum.list("Counts").iter().filter_map(Json::as_f64).collect();
    if !values.is_empty() && datum.get("Value").is_some() {
        return Err(ApiError::new(
            "InvalidParameterValue",
            "The parameters MetricData.member.1.Value and MetricData.member.1.Values are mutually exclusive \
             and you have specified both.",
        ));
    }
    if !values.is_empty() {
        if !counts.is_empty() && counts.len() != values.len() {
            let message = "The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be \
                           of the same size.";
            return Err(ApiError::new("InvalidParameterValue", message));
        }
        let counts = counts.into_iter().chain(std::iter::repeat(1.0));
        return Ok(values.into_iter().zip(counts).map(|(value, count)| single(value, count)).collect());
    }
    match number(datum, "Value") {
        Some(value) => Ok(vec![single(value, 1.0)]),
        None => Err(ApiError::new(
            "InvalidParameterCombination",
            "At least one of the parameters MetricData.member.1.Value, Values or StatisticValues must be \
             specified.",
        )),
    }
}

fn time(input: &Json, name: &str) -> Result<Millis, ApiError> {
    let text = input.text(name).unwrap_or_default();
    millis(text).ok_or_else(|| {
        ApiError::new(
            "InvalidParameterValue",
            format!("The parameter {name} must be a time, not \"{text}\"."),
        )
    })
}

/// CloudWatch knows no parts of seconds.
fn whole_seconds(input: &Json) -> Result<(Millis, Millis), ApiError> {
    let whole = |at: Millis| at - at.rem_euclid(SECOND);
    Ok((whole(time(input, "StartTime")?), whole(time(input, "EndTime")?)))
}

/// Start of each period with data in `[start, end)`, and the statistic there.
pub fn periods(
    points: &[Point],
    (start, end): (Millis, Millis),
    period: Millis,
    statistic: &Statistic,
) -> Vec<(Millis, f64)> {
    let mut at = start - start.rem_euclid(period);
    let mut found = Vec::new();
    // From point to point: long empty stretches cost nothing.
    while at < end {
        let next = points.partition_point(|point| point.at < at);
        let Some(first) = points.get(next) else { break };
        at = at.max(first.at - first.at.rem_euclid(period));
        if at >= end {
            break;
        }
        if let Some(value) = aggregate(points, at, at + period, statistic) {
            found.push((at, value));
        }
        at += period;
    }
    found
}

pub fn get_statistics(world: &mut World, input: &Json) -> Answer {
    let range = whole_seconds(input)?;
    if range.0 >= range.1 {
        let message = "The parameter StartTime must be less than the parameter EndTime.";
        return Err(ApiError::new("InvalidParameterValue", message));
    }
    if input.list("Statistics").is_empty() && input.list("ExtendedStatistics").is_empty() {
        let message = "Must specify either Statistics or ExtendedStatistics";
        return Err(ApiError::new("InvalidParameterCombination", message));
    }
    let period = input.int("Period").unwrap_or(60).max(1) * SECOND;
    let metric = input.text("MetricName").unwrap_or_default();
    crate::traffic::flush(world);
    let query = Query::of(input, input.text("Unit")).unwrap_or_default();
    let points = points(world, &query, range.0, range.1);
    let known = world.cloudwatch.series.iter().find(|series| series.metric == metric);
    let published = || query.namespace.starts_with("AWS/").then(|| published::unit_of(metric).to_owned());
    let unit = known.map(|series| series.unit.clone()).or_else(published);
    let mut found: BTreeMap<Millis, Json> = BTreeMap::new();
    for (member, extended) in [("Statistics", false), ("ExtendedStatistics", true)] {
        for name in input.texts(member) {
            let Some(statistic) = Statistic::parse(name) else {
                let message = format!("The value {name} for parameter {member} is not supported.");
                return Err(ApiError::new("InvalidParameterValue", message));
            };
            for (at, value) in periods(&points, range, period, &statistic) {
                let point = found.entry(at).or_insert_with(|| {
                    json!({ "Timestamp": World::timestamp(at) }).with("Unit", unit.clone())
                });
                if extended {
                    point["ExtendedStatistics"][name] = value.into();
                } else {
                    point[name] = value.into();
                }
            }
        }
    }
    Ok(json!({ "Label": metric, "Datapoints": found.into_values().collect::<Vec<_>>() }))
}

pub fn get_data(world: &mut World, input: &Json) -> Answer {
    let range = whole_seconds(input)?;
    if range.0 == range.1 {
        return Err(validation("The parameter StartTime must not equal parameter EndTime."));
    }
    if range.0 > range.1 {
        return Err(validation("The parameter EndTime must be greater than StartTime."));
    }
    crate::traffic::flush(world);
    let queries = input.list("MetricDataQueries");
    for (at, query) in queries.iter().enumerate() {
        if query.get("MetricStat").is_none_or(Json::is_null) && query.text("Expression").is_none() {
            let at = at + 1;
            return Err(validation(format!(
                "The parameter MetricDataQueries.member.{at}.MetricStat is required.\n"
            )));
        }
    }
    let period = queries.iter().filter_map(math::period).max().unwrap_or(MINUTE);
    let found = math::results(world, queries, range.0, range.1, period).map_err(validation)?;
    let mut results = Vec::new();
    for query in queries.iter().filter(|query| query.flag("ReturnData") != Some(false)) {
        let id = query.text("Id").unwrap_or_default();
        for series in found.get(id).into_iter().flatten() {
            results.push(result(query, series, input.text("ScanBy") == Some("TimestampAscending")));
        }
    }
    Ok(json!({ "MetricDataResults": results, "Messages": [] }))
}

fn result(query: &Json, series: &math::Series, ascending: bool) -> Json {
    let id = query.text("Id").unwrap_or_default();
    let own = if series.label.is_empty() { id } else { &series.label };
    let mut found: Vec<(Millis, f64)> = series.values.iter().map(|(at, value)| (*at, *value)).collect();
    if !ascending {
        found.reverse();
    }
    json!({
        "Id": id,
        "Label": query.text("Label").unwrap_or(own),
        "Timestamps": found.iter().map(|(at, _)| World::timestamp(*at)).collect::<Vec<_>>(),
        "Values": found.iter().map(|(_, value)| *value).collect::<Vec<_>>(),
        "StatusCode": "Complete",
    })
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    crate::traffic::flush(world);
    let wanted = input.list("Dimensions");
    let fits = |series: &&Series| {
        input.text("Namespace").is_none_or(|namespace| series.namespace == namespace)
            && input.text("MetricName").is_none_or(|metric| series.metric == metric)
            && wanted.iter().all(|filter| {
                let value = series.dimensions.get(filter.text("Name").unwrap_or_default());
                value.is_some_and(|value| filter.text("Value").is_none_or(|wanted| value == wanted))
            })
    };
    // Series that differ by unit only are one metric.
    let mut all: Vec<Json> = Vec::new();
    for series in world.cloudwatch.series.iter().filter(fits) {
        let metric = json!({
            "Namespace": series.namespace,
            "MetricName": series.metric,
            "Dimensions": dimensions_json(&series.dimensions),
        });
        if !all.contains(&metric) {
            all.push(metric);
        }
    }
    let wanted_fits = |dims: &BTreeMap<String, String>| {
        wanted.iter().all(|filter| {
            let value = dims.get(filter.text("Name").unwrap_or_default());
            value.is_some_and(|value| filter.text("Value").is_none_or(|wanted| value == wanted))
        })
    };
    for (namespace, metric, dims) in published::list(world) {
        if input.text("Namespace").is_none_or(|wanted| namespace == wanted)
            && input.text("MetricName").is_none_or(|wanted| metric == wanted)
            && wanted_fits(&dims)
        {
            all.push(json!({
                "Namespace": namespace, "MetricName": metric, "Dimensions": dimensions_json(&dims),
            }));
        }
    }
    if input.text("NextToken").is_some_and(|token| page_start(token).is_none()) {
        return Err(ApiError::new("InvalidParameterValue", "Request parameter NextToken is invalid"));
    }
    let (metrics, next) = page(all, input.text("NextToken"), 500);
    Ok(json!({ "Metrics": metrics }).with("NextToken", next))
}
