//! The embedded AWS on a loopback port, for the aws CLI, boto3 and other people's tests.

use super::Sim;
use super::wire::Called;
use super::world::Millis;
use crate::clock::Clock;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A world behind a port, with its own flow of time: from the world's now on, `speed` times real time.
struct Server<F> {
    sim: Sim,
    clock: Clock,
    /// The world's and the clock's time at the start.
    origin: (Millis, jiff::Timestamp),
    speed: f64,
    changed: F,
}

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
    let origin = (sim.with(|world| world.now), clock.now());
    let server = Arc::new(Server { sim, clock, origin, speed, changed });
    let (closing, closed) = watch::channel(false);
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
        async move { Ok::<_, Infallible>(server.answer(request).await) }
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
        let (world, real) = self.origin;
        let elapsed = self.clock.now().as_millisecond() - real.as_millisecond();
        world + (elapsed as f64 * self.speed) as Millis
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => return plain(StatusCode::BAD_REQUEST, "The body ended early.\n"),
        };
        // moto's own two paths, so that whatever drives moto can drive this world.
        match (&parts.method, parts.uri.path()) {
            (&Method::GET, "/moto-api/data.json") => return json("{}"),
            (&Method::POST, "/moto-api/reset") => {
                self.sim.reset();
                (self.changed)(&self.sim);
                return json(r#"{"status":"ok"}"#);
            }
            _ => {}
        }
        let response = self.sim.handle(self.now(), Request::from_parts(parts, body));
        if let Some(called) = response.extensions().get::<Called>() {
            let error = called.error.as_deref().unwrap_or("ok");
            tracing::info!("{} {}: {error}", called.service, called.operation);
            if called.mutates() && called.error.is_none() {
                (self.changed)(&self.sim);
            }
        }
        response.map(Full::new)
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
}

fn json(text: &'static str) -> Response<Full<Bytes>> {
    let mut response = plain(StatusCode::OK, text);
    let kind = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}
