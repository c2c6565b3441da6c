//! One HTTP request from outside: through DNS, balancer, rule, target group and target to what answers there.

use super::World;
use super::service::ec2::query::wild;
use super::service::{Input, ecs, elbv2, route53};
use serde_json::Value as Json;
use std::fmt;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'r> {
    pub method: &'r str,
    /// `http://web-123.us-east-1.elb.amazonaws.com:81/health?full=1`
    pub url: &'r str,
    pub headers: &'r [(String, String)],
}

/// Why no answer comes at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    NoSuchHost(String),
    Refused(String),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unanswered::NoSuchHost(host) => write!(f, "no such host: {host}"),
            Unanswered::Refused(place) => write!(f, "connection refused: {place}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: String,
    /// Where a redirect leads.
    pub location: Option<String>,
}

impl Answer {
    fn of(status: u16, body: &str) -> Self {
        Answer { status, body: body.to_owned(), location: None }
    }
}

/// The parts of a URL that count here.
struct Parts<'u> {
    protocol: &'u str,
    host: &'u str,
    port: i64,
    path: &'u str,
    query: &'u str,
}

fn parts(url: &str) -> Option<Parts<'_>> {
    let (protocol, rest) = url.split_once("://")?;
    let (place, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (path, query) = rest.split('#').next().unwrap_or_default().split_once('?').unwrap_or((rest, ""));
    let usual = if protocol == "https" { 443 } else { 80 };
    let (host, port) = place
        .split_once(':')
        .map_or(Some((place, usual)), |(host, port)| port.parse().ok().map(|port| (host, port)))?;
    Some(Parts { protocol, host, port, path: if path.is_empty() { "/" } else { path }, query })
}

/// Sends it. The world goes on as if nobody had asked: shares are drawn from the seed and the moment.
pub fn answer(world: &World, request: &Request<'_>) -> Result<Answer, Unanswered> {
    let missing = || Unanswered::NoSuchHost(request.url.to_owned());
    let url = parts(request.url).ok_or_else(missing)?;
    let name = route53::alias_of(world, url.host).unwrap_or_else(|| url.host.to_owned());
    let refused = || Unanswered::Refused(format!("{}:{}", url.host, url.port));
    let balancer =
        elbv2::balancer_named(world, &name).ok_or_else(|| Unanswered::NoSuchHost(url.host.to_owned()))?;
    let actions = elbv2::actions_for(world, &balancer, url.port, |conditions| {
        conditions.iter().all(|condition| meets(condition, request, &url))
    });
    let Some(action) = actions.as_ref().ok_or_else(refused)?.last() else { return Err(refused()) };
    Ok(match action.text("Type") {
        Some("fixed-response") => {
            let config = &action["FixedResponseConfig"];
            let status = config.text("StatusCode").and_then(|s| s.parse().ok()).unwrap_or(200);
            Answer::of(status, config.text("MessageBody").unwrap_or_default())
        }
        Some("redirect") => redirect(&action["RedirectConfig"], &url),
        _ => forward(world, action),
    })
}

fn meets(condition: &Json, request: &Request<'_>, url: &Parts<'_>) -> bool {
    let any =
        |config: &str, of: &dyn Fn(&str) -> bool| condition[config].texts("Values").iter().any(|v| of(v));
    let lower = |text: &str| text.to_lowercase();
    match condition.text("Field").unwrap_or_default() {
        // Hosts are compared without case, paths with it.
        "host-header" => any("HostHeaderConfig", &|v| wild(&lower(v), &lower(url.host))),
        "path-pattern" => any("PathPatternConfig", &|v| wild(v, url.path)),
        "http-request-method" => any("HttpRequestMethodConfig", &|v| v == request.method),
        "http-header" => {
            let name = condition["HttpHeaderConfig"].text("HttpHeaderName").unwrap_or_default();
            let header = request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            header.is_some_and(|(_, value)| any("HttpHeaderConfig", &|v| wild(&lower(v), &lower(value))))
        }
        "query-string" => condition["QueryStringConfig"].list("Values").iter().any(|wanted| {
            url.query.split('&').any(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                let fits = wild(&lower(wanted.text("Value").unwrap_or_default()), &lower(value));
                fits && wanted.text("Key").is_none_or(|k| k.is_empty() || wild(&lower(k), &lower(key)))
            })
        }),
        // Probes come from one address of the internet.
        "source-ip" => any("SourceIpConfig", &|v| v == "0.0.0.0/0"),
        _ => false,
    }
}

fn redirect(config: &Json, url: &Parts<'_>) -> Answer {
    let fill = |name: &str| {
        let text = config.text(name).unwrap_or_default();
        text.replace("#{protocol}", &url.protocol.to_uppercase())
            .replace("#{host}", url.host)
            .replace("#{port}", &url.port.to_string())
            .replace("#{path}", url.path.trim_start_matches('/'))
            .replace("#{query}", url.query)
    };
    let query = Some(fill("Query")).filter(|q| !q.is_empty()).map(|q| format!("?{q}")).unwrap_or_default();
    let place = format!(
        "{}://{}:{}{}{query}",
        fill("Protocol").to_lowercase(),
        fill("Host"),
        fill("Port"),
        fill("Path")
    );
    let status = if config.text("StatusCode") == Some("HTTP_302") { 302 } else { 301 };
    Answer { status, body: String::new(), location: Some(place) }
}

/// "If a target group contains only unhealthy registered targets, the load balancer routes requests to all
/// those targets" (Elastic Load Balancing User Guide, "Health checks for your target groups").
fn forward(world: &World, action: &Json) -> Answer {
    let groups = action["ForwardConfig"].list("TargetGroups");
    let weights: Vec<(&str, u64)> = groups
        .iter()
        .map(|g| {
            (g.text("TargetGroupArn").unwrap_or_default(), g.int("Weight").unwrap_or(1).max(0).unsigned_abs())
        })
        .collect();
    let sum: u64 = weights.iter().map(|(_, weight)| weight).sum();
    let group = match sum {
        // All weights zero: nobody is asked.
        0 => return Answer::of(503, "503 Service Temporarily Unavailable"),
        sum => {
            let mut drawn = world.drawn_now(1) % sum;
            let chosen = weights.iter().find(|(_, weight)| {
                let here = drawn < *weight;
                drawn = drawn.saturating_sub(*weight);
                here
            });
            chosen.map(|(group, _)| *group).unwrap_or_default()
        }
    };
    let targets = elbv2::takers(world, group);
    if targets.is_empty() {
        return Answer::of(503, "503 Service Temporarily Unavailable");
    }
    let (target, port) = &targets[(world.drawn_now(2) % targets.len() as u64) as usize];
    let behind = ecs::backend(world, target, *port);
    let fails = ((world.drawn_now(3) % 1_000_000) as f64) < behind.work.errors * 1_000_000.0;
    match behind.answers {
        None => Answer::of(502, "502 Bad Gateway"),
        Some(_) if fails => Answer::of(500, "500 Internal Server Error"),
        Some(_) => Answer::of(200, "ok"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_their_parts() {
        let all = |url: &str| {
            let p = parts(url).expect("a URL");
            (p.protocol.to_owned(), p.host.to_owned(), p.port, p.path.to_owned(), p.query.to_owned())
        };
        let of = |protocol: &str, host: &str, port, path: &str, query: &str| {
            (protocol.to_owned(), host.to_owned(), port, path.to_owned(), query.to_owned())
        };
        assert_eq!(all("http://a.b"), of("http", "a.b", 80, "/", ""));
        assert_eq!(all("https://a.b/x?y=1#z"), of("https", "a.b", 443, "/x", "y=1"));
        assert_eq!(all("http://a:81/x"), of("http", "a", 81, "/x", ""));
        assert!(parts("a.b/x").is_none() && parts("http://a:x/").is_none());
    }
}
