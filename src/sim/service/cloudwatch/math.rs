//! Metric math: queries that compute from others (CloudWatch user guide, "Using math expressions with
//! CloudWatch metrics"), and the simplest of Metrics Insights' queries.

use super::math_parse::{Node, parse};
use super::metrics::{self, Query, Statistic};
use super::*;

/// A result: one value a period.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    pub label: String,
    pub values: BTreeMap<Millis, f64>,
}

#[derive(Clone, Debug)]
enum Value {
    Scalar(f64),
    Series(Series),
    Array(Vec<Series>),
    Text(String),
}

/// The period that a query is asked in.
pub fn period(query: &Json) -> Option<Millis> {
    let own = query.get("MetricStat").and_then(|stat| stat.int("Period")).or(query.int("Period"))?;
    Some(own.max(1) * SECOND)
}

/// The results of all queries by id.
pub fn evaluate(
    world: &World,
    queries: &[Json],
    from: Millis,
    to: Millis,
    period: Millis,
) -> Result<BTreeMap<String, Series>, String> {
    let all = results(world, queries, from, to, period)?;
    Ok(all.into_iter().filter_map(|(id, series)| Some((id, series.into_iter().next()?))).collect())
}

/// As [`evaluate`], with every series of those that yield several.
pub fn results(
    world: &World,
    queries: &[Json],
    from: Millis,
    to: Millis,
    period: Millis,
) -> Result<BTreeMap<String, Vec<Series>>, String> {
    let mut sheet =
        Sheet { world, queries, span: (from, to), period, known: BTreeMap::new(), open: Vec::new() };
    for query in queries {
        sheet.of_query(query.text("Id").unwrap_or_default())?;
    }
    let (times, known): (Vec<Millis>, _) = (sheet.times().collect(), sheet.known);
    let listed = |value: Value| match value {
        Value::Series(series) => vec![series],
        Value::Array(all) => all,
        Value::Scalar(value) => {
            vec![Series { label: String::new(), values: times.iter().map(|at| (*at, value)).collect() }]
        }
        Value::Text(_) => Vec::new(),
    };
    Ok(known.into_iter().map(|(id, value)| (id, listed(value))).collect())
}

struct Sheet<'a> {
    world: &'a World,
    queries: &'a [Json],
    span: (Millis, Millis),
    period: Millis,
    known: BTreeMap<String, Value>,
    /// Being found: whoever asks for one of these again goes in a circle.
    open: Vec<String>,
}

impl Sheet<'_> {
    fn times(&self) -> impl Iterator<Item = Millis> + use<> {
        let (from, to, period) =
            (self.span.0 - self.span.0.rem_euclid(self.period), self.span.1, self.period);
        (0..).map(move |step| from + step * period).take_while(move |at| *at < to)
    }

    fn of_query(&mut self, id: &str) -> Result<Value, String> {
        if let Some(known) = self.known.get(id) {
            return Ok(known.clone());
        }
        let query = self.queries.iter().find(|query| query.text("Id") == Some(id));
        let query = query.ok_or_else(|| format!("the expression refers to {id}, which no query is"))?;
        if self.open.iter().any(|other| other == id) {
            return Err(format!("the expressions of {id} and others refer to each other"));
        }
        self.open.push(id.to_owned());
        let value = match (query.get("MetricStat").filter(|stat| !stat.is_null()), query.text("Expression")) {
            (Some(stat), _) => self.metric(stat)?,
            (None, Some(text)) if text.trim_start().to_uppercase().starts_with("SELECT ") => {
                Value::Array(super::insights::select(self.world, text, self.span, self.period)?)
            }
            (None, Some(text)) => {
                let node = parse(text)?;
                self.value(&node)?
            }
            (None, None) => return Err(format!("query {id} has neither MetricStat nor Expression")),
        };
        self.open.pop();
        self.known.insert(id.to_owned(), value.clone());
        Ok(value)
    }

    fn metric(&self, stat: &Json) -> Result<Value, String> {
        let text = stat.text("Stat").unwrap_or_default();
        let statistic = Statistic::parse(text)
            .ok_or_else(|| format!("The value {text} for parameter Stat is not supported."))?;
        let metric = stat.get("Metric").unwrap_or(&Json::Null);
        let query = Query::of(metric, stat.text("Unit")).unwrap_or_default();
        let period = stat.int("Period").map_or(self.period, |seconds| seconds.max(1) * SECOND);
        let points = metrics::points(self.world, &query, self.span.0, self.span.1);
        let values = metrics::periods(&points, self.span, period, &statistic).into_iter().collect();
        Ok(Value::Series(Series { label: format!("{} {text}", query.metric), values }))
    }

    fn value(&mut self, node: &Node) -> Result<Value, String> {
        Ok(match node {
            Node::Number(value) => Value::Scalar(*value),
            Node::Text(text) => Value::Text(text.clone()),
            Node::Name(name) if matches!(name.as_str(), "REPEAT" | "LINEAR") => Value::Text(name.clone()),
            Node::Name(name) => self.of_query(name)?,
            Node::List(items) => {
                let mut all = Vec::new();
                for item in items {
                    match self.value(item)? {
                        Value::Series(series) => all.push(series),
                        Value::Array(several) => all.extend(several),
                        Value::Scalar(value) => {
                            all.push(Series {
                                label: String::new(),
                                values: self.times().map(|at| (at, value)).collect(),
                            });
                        }
                        Value::Text(text) => return Err(format!("\"{text}\" is no time series")),
                    }
                }
                Value::Array(all)
            }
            Node::Negative(inner) => each(self.value(inner)?, &|value| -value)?,
            Node::Binary(sign, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                both(left, right, &|a, b| operate(sign, a, b))?
            }
            Node::Call(name, arguments) => self.call(name, arguments)?,
        })
    }

    fn call(&mut self, name: &str, arguments: &[Node]) -> Result<Value, String> {
        let mut given = Vec::new();
        for argument in arguments {
            given.push(self.value(argument)?);
        }
        if name == "METRICS" {
            return self.metrics(given.first());
        }
        let period = self.period as f64 / 1_000.0;
        let mut given = given.into_iter();
        let mut next = || given.next().ok_or_else(|| format!("{name} lacks an argument"));
        let first = next()?;
        Ok(match name {
            "ABS" => each(first, &f64::abs)?,
            "CEIL" => each(first, &f64::ceil)?,
            "FLOOR" => each(first, &f64::floor)?,
            "LOG" => each(first, &f64::ln)?,
            "LOG10" => each(first, &f64::log10)?,
            "SUM" | "AVG" | "MIN" | "MAX" | "STDDEV" => reduce(name, first)?,
            "METRIC_COUNT" => match first {
                Value::Array(all) => Value::Scalar(all.len() as f64),
                _ => Value::Scalar(1.0),
            },
            "DATAPOINT_COUNT" => series_to_scalar(first, &|series| series.values.len() as f64)?,
            "FIRST" | "LAST" => pick(name, first)?,
            "PERIOD" => Value::Scalar(period),
            "TIME_SERIES" => match first {
                Value::Scalar(value) => Value::Series(Series {
                    label: String::new(),
                    values: self.times().map(|at| (at, value)).collect(),
                }),
                other => other,
            },
            "RUNNING_SUM" => per_series(first, &|series| {
                let mut sum = 0.0;
                for value in series.values.values_mut() {
                    sum += *value;
                    *value = sum;
                }
            })?,
            "DIFF" => per_series(first, &|series| differences(series, |a, b, _| b - a))?,
            "RATE" => per_series(first, &|series| differences(series, |a, b, seconds| (b - a) / seconds))?,
            "FILL" => {
                let with = next()?;
                let times: Vec<Millis> = self.times().collect();
                fill(first, &with, &times)?
            }
            "IF" => {
                let (yes, no) = (next()?, given.next());
                choose(first, yes, no)?
            }
            other => return Err(format!("the embedded AWS does not know the function {other}")),
        })
    }

    /// All metrics of the request, or those whose ids contain a text.
    fn metrics(&mut self, part: Option<&Value>) -> Result<Value, String> {
        let part = match part {
            Some(Value::Text(text)) => text.clone(),
            _ => String::new(),
        };
        let of_metrics =
            self.queries.iter().filter(|query| query.get("MetricStat").is_some_and(|s| !s.is_null()));
        let ids: Vec<String> = of_metrics
            .filter_map(|query| query.text("Id").filter(|id| id.contains(&part)).map(str::to_owned))
            .collect();
        let mut all = Vec::new();
        for id in ids {
            if let Value::Series(series) = self.of_query(&id)? {
                all.push(series);
            }
        }
        Ok(Value::Array(all))
    }
}

fn operate(sign: &str, a: f64, b: f64) -> Option<f64> {
    let truth = |is: bool| Some(f64::from(u8::from(is)));
    match sign {
        "+" => Some(a + b),
        "-" => Some(a - b),
        "*" => Some(a * b),
        // "division by zero" leaves no datapoint.
        "/" => (b != 0.0).then(|| a / b),
        "^" => Some(a.powf(b)),
        "==" => truth(a == b),
        "!=" => truth(a != b),
        "<" => truth(a < b),
        ">" => truth(a > b),
        "<=" => truth(a <= b),
        ">=" => truth(a >= b),
        "AND" => truth(a != 0.0 && b != 0.0),
        "OR" => truth(a != 0.0 || b != 0.0),
        _ => None,
    }
}

fn each(value: Value, act: &dyn Fn(f64) -> f64) -> Result<Value, String> {
    match value {
        Value::Scalar(value) => Ok(Value::Scalar(act(value))),
        other => {
            per_series(other, &|series| series.values.values_mut().for_each(|value| *value = act(*value)))
        }
    }
}

fn per_series(value: Value, act: &dyn Fn(&mut Series)) -> Result<Value, String> {
    match value {
        Value::Series(mut series) => {
            act(&mut series);
            Ok(Value::Series(series))
        }
        Value::Array(mut all) => {
            all.iter_mut().for_each(act);
            Ok(Value::Array(all))
        }
        Value::Scalar(value) => Err(format!("{value} is no time series")),
        Value::Text(text) => Err(format!("\"{text}\" is no time series")),
    }
}

fn joined(left: &Series, right: &Series, act: &dyn Fn(f64, f64) -> Option<f64>) -> Series {
    let of = |(at, a): (&Millis, &f64)| Some((*at, act(*a, *right.values.get(at)?)?));
    Series { label: left.label.clone(), values: left.values.iter().filter_map(of).collect() }
}

fn with_scalar(series: &Series, act: &dyn Fn(f64) -> Option<f64>) -> Series {
    let of = |(at, a): (&Millis, &f64)| Some((*at, act(*a)?));
    Series { label: series.label.clone(), values: series.values.iter().filter_map(of).collect() }
}

fn both(left: Value, right: Value, act: &dyn Fn(f64, f64) -> Option<f64>) -> Result<Value, String> {
    use Value::*;
    Ok(match (left, right) {
        (Scalar(a), Scalar(b)) => Scalar(act(a, b).ok_or("a division by zero")?),
        (Series(a), Scalar(b)) => Series(with_scalar(&a, &|a| act(a, b))),
        (Scalar(a), Series(b)) => Series(with_scalar(&b, &|b| act(a, b))),
        (Series(a), Series(b)) => Series(joined(&a, &b, act)),
        (Array(all), Scalar(b)) => Array(all.iter().map(|one| with_scalar(one, &|a| act(a, b))).collect()),
        (Scalar(a), Array(all)) => Array(all.iter().map(|one| with_scalar(one, &|b| act(a, b))).collect()),
        (Array(all), Series(b)) => Array(all.iter().map(|one| joined(one, &b, act)).collect()),
        (Series(a), Array(all)) => Array(all.iter().map(|one| joined(&a, one, act)).collect()),
        (Array(a), Array(b)) if a.len() == b.len() => {
            Array(a.iter().zip(&b).map(|(a, b)| joined(a, b, act)).collect())
        }
        (Array(_), Array(_)) => return Err("arrays of different length cannot be combined".to_owned()),
        (Text(text), _) | (_, Text(text)) => return Err(format!("\"{text}\" is no number")),
    })
}

fn reduced(name: &str, values: &[f64]) -> f64 {
    let (sum, count) = (values.iter().sum::<f64>(), values.len().max(1) as f64);
    match name {
        "SUM" => sum,
        "AVG" => sum / count,
        "MIN" => values.iter().copied().fold(f64::INFINITY, f64::min),
        "MAX" => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        _ => (values.iter().map(|value| (value - sum / count).powi(2)).sum::<f64>() / count).sqrt(),
    }
}

/// Of a series a number, of an array a series.
fn reduce(name: &str, value: Value) -> Result<Value, String> {
    let Value::Array(all) = value else {
        return series_to_scalar(value, &|series| {
            reduced(name, &series.values.values().copied().collect::<Vec<f64>>())
        });
    };
    let mut by_time: BTreeMap<Millis, Vec<f64>> = BTreeMap::new();
    for (at, value) in all.iter().flat_map(|series| &series.values) {
        by_time.entry(*at).or_default().push(*value);
    }
    let values = by_time.into_iter().map(|(at, values)| (at, reduced(name, &values))).collect();
    Ok(Value::Series(Series { label: name.to_owned(), values }))
}

fn series_to_scalar(value: Value, act: &dyn Fn(&Series) -> f64) -> Result<Value, String> {
    match value {
        Value::Series(series) => Ok(Value::Scalar(act(&series))),
        Value::Scalar(value) => Ok(Value::Scalar(value)),
        _ => Err("a time series is needed here".to_owned()),
    }
}

fn pick(name: &str, value: Value) -> Result<Value, String> {
    let Value::Array(all) = value else { return Err(format!("{name} takes an array of time series")) };
    let one = if name == "FIRST" { all.into_iter().next() } else { all.into_iter().next_back() };
    Ok(one.map_or(Value::Array(Vec::new()), Value::Series))
}

fn differences(series: &mut Series, act: impl Fn(f64, f64, f64) -> f64) {
    let all: Vec<(Millis, f64)> = series.values.iter().map(|(at, value)| (*at, *value)).collect();
    let of = |pair: &[(Millis, f64)]| {
        let seconds = (pair[1].0 - pair[0].0) as f64 / 1_000.0;
        (pair[1].0, act(pair[0].1, pair[1].1, seconds))
    };
    series.values = all.windows(2).map(of).collect();
}

fn fill(value: Value, with: &Value, times: &[Millis]) -> Result<Value, String> {
    per_series(value, &|series| {
        let known = series.values.clone();
        for at in times {
            if known.contains_key(at) {
                continue;
            }
            let before = known.range(..*at).next_back();
            let after = known.range(*at..).next();
            let filled = match with {
                Value::Scalar(value) => Some(*value),
                Value::Series(other) => other.values.get(at).copied(),
                Value::Text(how) if how == "LINEAR" => before.zip(after).map(|((t0, v0), (t1, v1))| {
                    v0 + (v1 - v0) * (*at - *t0) as f64 / (*t1 - *t0).max(1) as f64
                }),
                _ => before.map(|(_, value)| *value),
            };
            if let Some(filled) = filled {
                series.values.insert(*at, filled);
            }
        }
    })
}

/// Without a third argument, only those datapoints for which the condition holds.
fn choose(condition: Value, yes: Value, no: Option<Value>) -> Result<Value, String> {
    let at_time = |value: &Value, at: &Millis| match value {
        Value::Scalar(value) => Some(*value),
        Value::Series(series) => series.values.get(at).copied(),
        _ => None,
    };
    match condition {
        Value::Scalar(truth) => Ok(if truth != 0.0 { yes } else { no.unwrap_or(Value::Array(Vec::new())) }),
        Value::Series(series) => {
            let of = |(at, truth): (&Millis, &f64)| {
                let value = if *truth != 0.0 { at_time(&yes, at) } else { at_time(no.as_ref()?, at) };
                Some((*at, value?))
            };
            let values = series.values.iter().filter_map(of).collect();
            Ok(Value::Series(Series { label: series.label, values }))
        }
        _ => Err("IF takes a number or a time series as its condition".to_owned()),
    }
}
