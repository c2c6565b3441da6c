//! The embedded AWS on a loopback port, for the aws CLI, boto3 and other people's tests.

use super::faults::script::{self, Order};
use super::faults::{self, Lost};
use super::request;
use super::service::iam::Enforcement;
use super::service::sqs::Wait;
use super::traffic::order;
use super::wire::Called;
use super::world::Millis;
use super::{Sim, World};
use crate::clock::Clock;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A world behind a port, with its own flow of time: from the world's now on, `speed` times real time.
struct Server<F> {
    sim: Sim,
    clock: Clock,
    /// The world's and the clock's time at the start.
    origin: Mutex<(Millis, jiff::Timestamp)>,
    speed: f64,
    changed: F,
    /// Whether the server is to end.
    closing: watch::Receiver<bool>,
}

/// Where `sim fault` finds the faults of a world that is served: a line each; POST declares, DELETE clears.
pub const FAULTS_PATH: &str = "/cutover/faults";

/// What has happened in a world that is served, a JSON line an event; `?since=N` leaves out those before number N.
pub const EVENTS_PATH: &str = "/cutover/events";
/// Where `sim traffic` finds the requests to a world that is served: GET lists the streams, or with `?since=5m`
/// reports what became of them; POST declares, DELETE clears.
pub const TRAFFIC_PATH: &str = "/cutover/traffic";

/// Sends one HTTP request into a world that is served: `{"method", "url", "headers"}` becomes `{"status", "body"}`,
/// or `{"unanswered"}`.
pub const REQUEST_PATH: &str = "/cutover/request";

/// How long a connection stays open whose request is not answered; clients give up before.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// How often who waits for a message looks whether there is one.
const GLANCE: std::time::Duration = std::time::Duration::from_millis(20);

/// Serves until `stop`; then requests under way are answered, idle connections closed. `changed` is told
/// of every request that may have changed the world, after it was answered by it.
pub async fn serve<F>(
    sim: Sim,
    listener: TcpListener,
    speed: f64,
    stop: impl Future<Output = ()>,
    changed: F,
) -> io::Result<()>
where
    F: Fn(&Sim) + Send + Sync + 'static,
{
    let clock = Clock::real();
    let origin = Mutex::new((sim.with(|world| world.now), clock.now()));
    let (closing, closed) = watch::channel(false);
    let server = Arc::new(Server { sim, clock, origin, speed, changed, closing: closed.clone() });
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(server.clone(), stream, closed.clone()));
                }
                // Too many open files, or a client that has gone again: neither is a reason to stop.
                Err(error) => {
                    tracing::warn!("accepting a connection failed: {error}");
                    server.clock.sleep(std::time::Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            () = &mut stop => break,
        }
    }
    drop(listener);
    // Nobody listens when no connection is open.
    let _ = closing.send(true);
    while connections.join_next().await.is_some() {}
    Ok(())
}

async fn connection<F>(server: Arc<Server<F>>, stream: TcpStream, mut closed: watch::Receiver<bool>)
where
    F: Fn(&Sim) + Send + Sync + 'static,
{
    let answer = service_fn(move |request| {
        let server = server.clone();
        async move { server.answer(request).await }
    });
    let connection =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = async { let _ = closed.wait_for(|closed| *closed).await; } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection ended early: {error}");
    }
}

impl<F: Fn(&Sim)> Server<F> {
    fn now(&self) -> Millis {
        let (world, real) = *self.origin.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = self.clock.now().as_millisecond() - real.as_millisecond();
        world + (elapsed as f64 * self.speed) as Millis
    }

    fn events(&self, query: &str) -> Response<Full<Bytes>> {
        let since = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "since");
        let Ok(since) = since.map_or(Ok(0), |(_, text)| text.parse()) else {
            return plain(StatusCode::BAD_REQUEST, "`since` must be a number.\n");
        };
        let now = self.now();
        let text: String = self.sim.with(|world| {
            world.advance_to(now);
            world.log.since(since).flat_map(|line| [line, "\n"]).collect()
        });
        plain(StatusCode::OK, text)
    }

    fn faults(&self, method: &Method, body: &[u8]) -> Response<Full<Bytes>> {
        self.declared(body, |world, text| {
            if *method == Method::DELETE {
                return Ok(vec![faults::clear(world, number(text)?).to_string()]);
            }
            let orders: Vec<Order> = match *method {
                Method::POST => serde_json::from_str(text).map_err(|e| e.to_string())?,
                _ => Vec::new(),
            };
            script::carry_out(world, orders)
        })
    }

    fn traffic(&self, method: &Method, since: Option<&str>, body: &[u8]) -> Response<Full<Bytes>> {
        self.declared(body, |world, text| {
            Ok(match (method, since) {
                (&Method::DELETE, _) => vec![order::clear(world, number(text)?).to_string()],
                (&Method::POST, _) => {
                    order::carry_out(world, serde_json::from_str(text).map_err(|e| e.to_string())?)?
                }
                (_, Some(since)) => {
                    let from = world.now - script::duration(since)?;
                    order::report(world, from)
                }
                (_, None) => order::told(world),
            })
        })
    }

    /// Looks at what is declared in the world, or changes it; the answer is a line each.
    fn declared(
        &self,
        body: &[u8],
        act: impl FnOnce(&mut World, &str) -> Result<Vec<String>, String>,
    ) -> Response<Full<Bytes>> {
        let now = self.now();
        let answer = self.sim.with(|world| {
            world.advance_to(now);
            act(world, std::str::from_utf8(body).map_err(|e| e.to_string())?.trim())
        });
        (self.changed)(&self.sim);
        match answer {
            Ok(lines) => plain(StatusCode::OK, lines.into_iter().map(|line| line + "\n").collect::<String>()),
            Err(why) => plain(StatusCode::BAD_REQUEST, why),
        }
    }

    /// Authority is enforced after so many calls, `inf` for never; what was so before.
    fn enforce_after(&self, body: &[u8]) -> Response<Full<Bytes>> {
        let calls = std::str::from_utf8(body).ok().and_then(|text| text.trim().parse::<f64>().ok());
        let Some(calls) = calls else { return plain(StatusCode::BAD_REQUEST, "The body is no number.\n") };
        let after = calls.is_finite().then_some(calls.max(0.0) as u64);
        let enforcement = Enforcement::after(after);
        let before = self.sim.with(|world| std::mem::replace(&mut world.iam.enforcement, enforcement));
        (self.changed)(&self.sim);
        let before = before.calls_left().map_or("inf".to_owned(), |calls| calls.to_string());
        let answer = format!(r#"{{"status":"ok","PREVIOUS_INITIAL_NO_AUTH_ACTION_COUNT":"{before}"}}"#);
        json(answer)
    }

    fn request(&self, body: &[u8]) -> Response<Full<Bytes>> {
        let now = self.now();
        let answer = serde_json::from_slice::<request::Request<'_>>(body).map(|asked| {
            self.sim.with(|world| {
                world.advance_to(now);
                request::answer(world, &asked)
            })
        });
        match answer {
            Ok(Ok(found)) => {
                json(serde_json::json!({ "status": found.status, "body": found.body }).to_string())
            }
            Ok(Err(why)) => json(serde_json::json!({ "unanswered": why.to_string() }).to_string()),
            Err(error) => plain(StatusCode::BAD_REQUEST, error.to_string()),
        }
    }

    /// A new world begins in the present, however far the old one had run ahead.
    fn begin_anew(&self) {
        let present = self.clock.now();
        *self.origin.lock().unwrap_or_else(PoisonError::into_inner) = (present.as_millisecond(), present);
        self.sim.reset(present.as_millisecond());
    }

    /// What waits for messages is asked again when there may be some, until its time is over.
    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Lost> {
        let response = self.sim.handle(self.now(), request.clone())?;
        let Some(wait) = response.extensions().get::<Wait>().cloned() else { return Ok(response) };
        while self.speed > 0.0 && self.now() < wait.until && !*self.closing.borrow() {
            self.clock.sleep(GLANCE).await;
            let now = self.now();
            if self.sim.glance(now, |world| wait.is_over(world)) {
                let response = self.sim.handle(now, request.clone())?;
                // Somebody else may have been quicker.
                if response.extensions().get::<Wait>().is_none() {
                    return Ok(response);
                }
            }
        }
        Ok(response)
    }

    /// An error closes the connection without an answer.
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Lost> {
        let (parts, body) = request.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => return Ok(plain(StatusCode::BAD_REQUEST, "The body ended early.\n")),
        };
        // moto's own paths, so that whatever drives moto can drive this world.
        match (&parts.method, parts.uri.path()) {
            (&Method::GET, "/moto-api/data.json") => return Ok(json("{}")),
            (&Method::POST, "/moto-api/reset") => {
                self.begin_anew();
                (self.changed)(&self.sim);
                return Ok(json(r#"{"status":"ok"}"#));
            }
            (&Method::POST, "/moto-api/reset-auth") => return Ok(self.enforce_after(&body)),
            (&Method::GET, EVENTS_PATH) => return Ok(self.events(parts.uri.query().unwrap_or_default())),
            (&Method::POST, REQUEST_PATH) => return Ok(self.request(&body)),
            (method, FAULTS_PATH) => return Ok(self.faults(method, &body)),
            (method, TRAFFIC_PATH) => {
                let since = parts.uri.query().and_then(|query| query.strip_prefix("since="));
                return Ok(self.traffic(method, since, &body));
            }
            _ => {}
        }
        let response = match self.exchange(Request::from_parts(parts, body)).await {
            Ok(response) => response,
            Err(lost) => {
                if lost == Lost::Timeout {
                    self.clock.sleep(SILENCE).await;
                }
                (self.changed)(&self.sim);
                return Err(lost);
            }
        };
        if let Some(called) = response.extensions().get::<Called>() {
            let error = called.error.as_deref().unwrap_or("ok");
            tracing::info!("{} {}: {error}", called.service, called.operation);
            if called.mutates() && called.error.is_none() {
                (self.changed)(&self.sim);
            }
        }
        Ok(response.map(Full::new))
    }
}

/// Of what is to be cleared; None for all.
fn number(text: &str) -> Result<Option<u32>, String> {
    match text {
        "" => Ok(None),
        number => number.parse().map(Some).map_err(|_| format!("`{number}` is no number")),
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response
}

fn json(text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = plain(StatusCode::OK, text);
    let kind = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::World;
    use std::sync::Mutex;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const START: Millis = 1_767_323_045_000;

    /// What a client gets that sends `requests`, each on its own connection, and how often the world changed.
    fn exchange(speed: f64, requests: &[&str]) -> (Vec<String>, Sim, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let address = listener.local_addr().unwrap();
            let sim = Sim::new(World::new("123456789012", "us-east-1", 1, START));
            let changes = Arc::new(Mutex::new(0));
            let counted = changes.clone();
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            let ended = async { stopped.await.unwrap_or_default() };
            let server = tokio::spawn(serve(sim.clone(), listener, speed, ended, move |_| {
                *counted.lock().unwrap() += 1;
            }));
            // A client that keeps its connection open does not keep the server from stopping.
            let idle = TcpStream::connect(address).await.unwrap();
            let mut answers = Vec::new();
            for request in requests {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.unwrap();
                answers.push(answer);
            }
            stop.send(()).unwrap();
            server.await.unwrap().unwrap();
            drop(idle);
            let changes = *changes.lock().unwrap();
            (answers, sim, changes)
        })
    }

    fn sts(action: &str) -> String {
        let body = format!("Action={action}&Version=2011-06-15");
        format!(
            "POST / HTTP/1.1\r\nhost: sts.localhost\r\nconnection: close\r\ncontent-length: {}\r\n\
             content-type: application/x-www-form-urlencoded\r\n\r\n{body}",
            body.len()
        )
    }

    #[test]
    fn answers_calls_and_motos_own_paths() {
        let requests = [
            sts("GetCallerIdentity"),
            sts("AssumeRole&RoleArn=arn:aws:iam::123456789012:role/x&RoleSessionName=ci"),
            "GET /moto-api/data.json HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned(),
            "POST /moto-api/reset HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned(),
        ];
        let (answers, _, changes) = exchange(1.0, &requests.each_ref().map(String::as_str));
        assert!(answers.iter().all(|a| a.starts_with("HTTP/1.1 200 OK")), "{answers:#?}");
        assert!(answers[0].contains("<Account>123456789012</Account>"));
        // Reading does not count.
        assert_eq!(changes, 2);
    }

    #[test]
    fn tells_what_has_happened() {
        let assume = sts("AssumeRole&RoleArn=arn:aws:iam::123456789012:role/x&RoleSessionName=ci");
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let requests = [
            sts("GetCallerIdentity"),
            assume,
            get(EVENTS_PATH),
            get("/cutover/events?since=2"),
            get("/cutover/events?since=x"),
        ];
        let (answers, _, _) = exchange(0.0, &requests.each_ref().map(String::as_str));
        assert!(answers[2].contains(r#""call":"AssumeRole","n":1,"#), "{}", answers[2]);
        assert!(answers[3].ends_with("\r\n\r\n"), "{}", answers[3]);
        assert!(answers[4].starts_with("HTTP/1.1 400"), "{}", answers[4]);
    }

    #[test]
    fn streams_are_set_listed_and_cleared() {
        let request = |method: &str, path: &str, body: &str| {
            let length = body.len();
            format!(
                "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            )
        };
        let requests = [
            request("POST", TRAFFIC_PATH, r#"[{"balancer": "web", "rate": 250, "for": "1h"}]"#),
            request("POST", TRAFFIC_PATH, r#"[{"balancer": "web"}]"#),
            request("GET", TRAFFIC_PATH, ""),
            request("GET", &format!("{TRAFFIC_PATH}?since=5m"), ""),
            request("DELETE", TRAFFIC_PATH, "1"),
        ];
        let (answers, sim, _) = exchange(1.0, &requests.each_ref().map(String::as_str));
        assert!(answers[0].contains("250 requests/s to each rule of load balancer web"), "{}", answers[0]);
        assert!(answers[1].starts_with("HTTP/1.1 400") && answers[1].contains("rate"), "{}", answers[1]);
        assert!(answers[2].contains("250 requests/s") && answers[2].contains("otherwise"), "{}", answers[2]);
        assert!(answers[3].starts_with("HTTP/1.1 200"), "{}", answers[3]);
        assert!(answers[4].ends_with("\r\n\r\n1\n"), "{}", answers[4]);
        assert!(sim.with(|world| world.traffic.streams().is_empty()));
    }

    #[test]
    fn who_waits_for_messages_gets_one_as_soon_as_it_is_visible_or_none_in_the_end() {
        let sqs = |operation: &str, body: &str| {
            let length = body.len();
            format!(
                "POST / HTTP/1.1\r\nhost: sqs.localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\
                 content-type: application/x-amz-json-1.0\r\nx-amz-target: AmazonSQS.{operation}\r\n\r\n{body}"
            )
        };
        let url = "https://sqs.us-east-1.amazonaws.com/123456789012/jobs";
        let receive = sqs("ReceiveMessage", &format!(r#"{{"QueueUrl": "{url}", "WaitTimeSeconds": 20}}"#));
        let requests = [
            sqs("CreateQueue", r#"{"QueueName": "jobs"}"#),
            sqs(
                "SendMessage",
                &format!(r#"{{"QueueUrl": "{url}", "MessageBody": "late", "DelaySeconds": 5}}"#),
            ),
            receive.clone(),
            receive,
        ];
        let (answers, sim, _) = exchange(200.0, &requests.each_ref().map(String::as_str));
        assert!(answers[2].contains(r#""Body":"late""#), "{}", answers[2]);
        assert!(answers[3].ends_with("\r\n\r\n{}"), "{}", answers[3]);
        let passed = sim.with(|world| world.now) - START;
        assert!(passed >= 25_000, "{passed}: not before it was visible, and twenty seconds for nothing");
    }

    #[test]
    fn time_runs_at_the_wanted_speed() {
        let (_, sim, _) = exchange(1_000_000.0, &[&sts("GetCallerIdentity")]);
        let passed = sim.with(|world| world.now) - START;
        assert!(passed == 0 || passed >= 1_000_000, "{passed}");
        let (_, sim, _) = exchange(0.0, &[&sts("GetCallerIdentity")]);
        assert_eq!(sim.with(|world| world.now), START);
    }
}
