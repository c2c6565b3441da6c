//! How probes are sent: over the network, or into the embedded AWS.

use crate::apply::probes::Prober;
use crate::clock::Clock;
use crate::rollout::settings::Probe;
use crate::sim::Sim;
use crate::sim::request::{self, Request};
use crate::sim::server::REQUEST_PATH;
use async_trait::async_trait;

/// Into the world of this process.
pub struct InWorld {
    pub sim: Sim,
    pub clock: Clock,
}

#[async_trait(?Send)]
impl Prober for InWorld {
    async fn ask(&self, probe: &Probe) -> Option<String> {
        let now = self.clock.now().as_millisecond();
        let asked = asked(probe);
        match self.sim.glance(now, |world| request::answer(world, &asked)) {
            Ok(answer) => probe.fault(answer.status, &answer.body),
            Err(why) => Some(why.to_string()),
        }
    }
}

fn asked(probe: &Probe) -> Request<'_> {
    Request {
        method: probe.method.as_str().into(),
        url: probe.url.as_str().into(),
        headers: probe.headers.clone(),
    }
}

/// Over the network; redirects are answers like any other.
pub struct OverHttp {
    /// The endpoint of a served world, which answers in the place of the internet.
    pub through: Option<String>,
}

#[async_trait(?Send)]
impl Prober for OverHttp {
    async fn ask(&self, probe: &Probe) -> Option<String> {
        let (probe, through) = (probe.clone(), self.through.clone());
        let sent = tokio::task::spawn_blocking(move || send(&probe, through.as_deref()));
        sent.await.unwrap_or_else(|_| Some("the probe could not be sent".to_owned()))
    }
}

fn send(probe: &Probe, through: Option<&str>) -> Option<String> {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(probe.timeout))
        .max_redirects(0)
        .http_status_as_error(false)
        .build();
    let agent = ureq::Agent::new_with_config(config);
    let told = |error: ureq::Error| error.to_string();
    let answer = match through {
        Some(endpoint) => into_served(&agent, endpoint, probe),
        None => over_network(&agent, probe).map_err(told),
    };
    match answer {
        Ok((status, body)) => probe.fault(status, &body),
        Err(why) => Some(why),
    }
}

fn over_network(agent: &ureq::Agent, probe: &Probe) -> Result<(u16, String), ureq::Error> {
    let mut request = ureq::http::Request::builder().method(probe.method.as_str()).uri(&probe.url);
    for (name, value) in &probe.headers {
        request = request.header(name, value);
    }
    let mut answer = agent.run(request.body(())?)?;
    let status = answer.status().as_u16();
    Ok((status, answer.body_mut().with_config().limit(BODY).lossy_utf8(true).read_to_string()?))
}

/// The process that serves the world answers in the place of the internet.
fn into_served(agent: &ureq::Agent, endpoint: &str, probe: &Probe) -> Result<(u16, String), String> {
    let told = |error: ureq::Error| error.to_string();
    let text = serde_json::to_string(&asked(probe)).map_err(|error| error.to_string())?;
    let mut answer = agent.post(format!("{endpoint}{REQUEST_PATH}")).send(text).map_err(told)?;
    let text = answer.body_mut().read_to_string().map_err(told)?;
    let answer: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    match answer["status"].as_u64().and_then(|status| u16::try_from(status).ok()) {
        Some(status) => Ok((status, answer["body"].as_str().unwrap_or_default().to_owned())),
        None => Err(answer["unanswered"].as_str().unwrap_or("no answer").to_owned()),
    }
}

/// No more of an answer is read.
const BODY: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::Duration;

    fn probe(url: String) -> Probe {
        Probe {
            name: "site".into(),
            url,
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
            method: "GET".into(),
            headers: vec![("x-from".into(), "probe".into())],
            statuses: vec![(200, 299)],
            body: Some("fine".into()),
        }
    }

    /// Answers one request with this and hands back what it was asked.
    fn serve(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let url = format!("http://{}/health", listener.local_addr().expect("bound"));
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("asked");
            let mut text = [0; 2048];
            let length = stream.read(&mut text).expect("read");
            stream.write_all(answer.as_bytes()).expect("answered");
            String::from_utf8_lossy(&text[..length]).into_owned()
        });
        (url, asked)
    }

    #[test]
    fn an_answer_over_the_network_is_judged() {
        let (url, asked) = serve("HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nfine");
        assert_eq!(send(&probe(url), None), None);
        let asked = asked.join().expect("served").to_lowercase();
        assert!(asked.starts_with("get /health ") && asked.contains("x-from: probe"), "{asked}");
        let (url, served) = serve("HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        assert_eq!(send(&probe(url), None).as_deref(), Some("HTTP 503"));
        served.join().expect("served");
        let (url, served) = serve(
            "HTTP/1.1 302 There\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        );
        assert_eq!(send(&probe(url), None).as_deref(), Some("HTTP 302"));
        served.join().expect("served");
    }

    #[test]
    fn nobody_there_is_a_fault() {
        let free = TcpListener::bind(("127.0.0.1", 0)).expect("a port").local_addr().expect("bound");
        assert!(send(&probe(format!("http://{free}/")), None).is_some());
    }
}
