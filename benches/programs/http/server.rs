//! The servers, which all answer alike.

use std::convert::Infallible;
use std::io::{self, BufRead, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::ValueEnum;
use http::{HeaderValue, Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sitebus_bus::Bus;
use sitebus_http::{Body, Http, Limits};
use tokio::net::{TcpListener, TcpSocket};

/// Which server to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Program {
    /// The plugin with its default settings: HTTP/2 detected, every deadline kept, no access log.
    Sitebus,
    /// hyper's HTTP/1 with the plugin's limits on heads, and nothing else: no table of connections, no drain.
    Hyper,
    /// The same without a time limit for heads, so without any timer.
    HyperUnlimited,
}

const HELLO: &[u8] = b"Hello, world!\n";
/// As the plugin's listeners have it.
const BACKLOG: u32 = 4096;

impl Program {
    /// Serves until stdin ends, and says on stdout where.
    pub(crate) fn serve(self) -> Result<()> {
        match self {
            Program::Sitebus => sitebus(),
            Program::Hyper => hyper(Some(Limits::default().header_time)),
            Program::HyperUnlimited => hyper(None),
        }
    }
}

fn sitebus() -> Result<()> {
    let bus = Bus::new("bench");
    let server = Http::new("http").listen("127.0.0.1:0")?.answer(|_| plugin_response()).subscribe(&bus)?;
    bus.start()?;
    say_where(server.addresses().first().context("the server has no address")?)?;
    wait_for_the_end()?;
    bus.exit()?;
    Ok(())
}

fn plugin_response() -> Response<Body> {
    let mut response = Response::new(Body::from(HELLO));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

fn hyper(header_time: Option<Duration>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let listener = runtime.block_on(async { listen() })?;
    say_where(listener.local_addr()?)?;
    // The runtime's own threads accept, as the plugin's do; this one only waits.
    runtime.spawn(accept(listener, builder(header_time)));
    wait_for_the_end()?;
    runtime.shutdown_background();
    Ok(())
}

fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_nodelay(true)?; // accepted sockets inherit it
    socket.bind(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)))?;
    socket.listen(BACKLOG)
}

fn builder(header_time: Option<Duration>) -> http1::Builder {
    let mut builder = http1::Builder::new();
    if header_time.is_some() {
        builder.timer(TokioTimer::new());
    }
    builder.header_read_timeout(header_time).max_header_size(Limits::default().header_bytes);
    builder
}

async fn accept(listener: TcpListener, builder: http1::Builder) {
    loop {
        // A bare server has no plan for this either.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let connection = builder.serve_connection(TokioIo::new(stream), service_fn(answer));
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }
}

async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(HELLO)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

fn say_where(address: impl std::fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{address}")?;
    out.flush()
}

/// Whoever started this process holds the other end of its stdin, and so cannot die without ending it.
fn wait_for_the_end() -> Result<()> {
    let end = thread::spawn(|| io::stdin().lock().lines().for_each(drop));
    end.join().map_err(|_| anyhow::anyhow!("reading stdin panicked"))
}
