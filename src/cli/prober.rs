//! How probes are sent: over the network, or into the embedded AWS.

use crate::apply::probes::Prober;
use crate::clock::Clock;
use crate::rollout::settings::Probe;
use crate::sim::Sim;
use crate::sim::request::{self, Request};
use async_trait::async_trait;
use std::time::Duration;

/// Into the world of this process.
pub struct InWorld {
    pub sim: Sim,
    pub clock: Clock,
}

#[async_trait(?Send)]
impl Prober for InWorld {
    async fn ask(&self, probe: &Probe) -> Option<String> {
        let now = self.clock.now().as_millisecond();
        let asked = Request { method: &probe.method, url: &probe.url, headers: &probe.headers };
        let answer = self.sim.with(|world| {
            world.advance_to(now);
            request::answer(world, &asked)
        });
        match answer {
            Ok(answer) => probe.fault(answer.status, &answer.body),
            Err(why) => Some(why.to_string()),
        }
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
        .timeout_global(Some(probe.timeout.max(Duration::from_millis(1))))
        .max_redirects(0)
        .http_status_as_error(false)
        .proxy(through.and_then(|endpoint| ureq::Proxy::new(endpoint).ok()))
        .build();
    let mut request = ureq::http::Request::builder().method(probe.method.as_str()).uri(&probe.url);
    for (name, value) in &probe.headers {
        request = request.header(name, value);
    }
    let request = match request.body(()) {
        Ok(request) => request,
        Err(error) => return Some(error.to_string()),
    };
    match ureq::Agent::new_with_config(config).run(request) {
        Ok(mut answer) => {
            let body = answer.body_mut().with_config().limit(BODY).lossy_utf8(true).read_to_string();
            match body {
                Ok(body) => probe.fault(answer.status().as_u16(), &body),
                Err(error) => Some(error.to_string()),
            }
        }
        Err(error) => Some(error.to_string()),
    }
}

/// No more of an answer is read.
const BODY: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

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
