//! Who makes the requests, and a generator for where wrk is not installed.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sitebus_benches::percentile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::wrk;

/// What a turn asks of the server.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) keep_alive: bool,
}

/// What came of it; times in microseconds.
pub(crate) struct Done {
    pub(crate) requests: u64,
    pub(crate) per_second: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

#[derive(Clone, Copy)]
pub(crate) enum Loader {
    Wrk,
    Own,
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.keep_alive, self.connections) {
            (true, 1) => f.write_str("one kept connection"),
            (true, count) => write!(f, "{count} kept connections"),
            (false, count) => write!(f, "a new connection for each request, {count} at a time"),
        }
    }
}

/// What answers longer than this counts as a failure.
const PATIENCE: Duration = Duration::from_secs(10);
const MOST_THREADS: usize = 2;

impl Loader {
    pub(crate) fn run(self, address: &str, load: Load, turn: Duration) -> Result<Done> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = cores.min(MOST_THREADS).min(load.connections);
        match self {
            Loader::Wrk => wrk::run(address, load, threads, turn),
            Loader::Own => own(address, load, threads, turn),
        }
    }
}

/// One task for each connection, which sends one request after the other until the time is over.
fn own(address: &str, load: Load, threads: usize, turn: Duration) -> Result<Done> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let begun = Instant::now();
    let latencies = runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..load.connections {
            tasks.spawn(client(address.to_owned(), load.keep_alive, begun + turn));
        }
        let mut all = Vec::new();
        while let Some(latencies) = tasks.join_next().await {
            all.extend(latencies.context("a client panicked")??);
        }
        anyhow::Ok(all)
    });
    let (took, mut latencies) = (begun.elapsed(), latencies?);
    ensure!(!latencies.is_empty(), "not one request was answered");
    latencies.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let per_second = latencies.len() as f64 / took.as_secs_f64();
    let (p50, p99) = (percentile(&latencies, 0.5), percentile(&latencies, 0.99));
    Ok(Done { requests: latencies.len() as u64, per_second, p50, p99 })
}

async fn client(address: String, keep_alive: bool, until: Instant) -> Result<Vec<f64>> {
    let close = if keep_alive { "" } else { "Connection: close\r\n" };
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\n{close}\r\n");
    let mut latencies = Vec::new();
    let mut kept = None;
    while Instant::now() < until {
        let begun = Instant::now();
        let exchange = async {
            let stream = match kept.take() {
                Some(stream) => stream,
                None => connect(&address).await?,
            };
            exchange(stream, &request, keep_alive).await
        };
        kept = tokio::time::timeout(PATIENCE, exchange).await.context("no answer in time")??;
        latencies.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    Ok(latencies)
}

async fn connect(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Returns the connection, if it is to be kept.
async fn exchange(mut stream: TcpStream, request: &str, keep_alive: bool) -> Result<Option<TcpStream>> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(512);
    loop {
        let read = stream.read_buf(&mut answer).await?;
        if is_whole(&answer)? {
            return Ok(keep_alive.then_some(stream));
        }
        ensure!(read > 0, "the server closed within an answer: {:?}", String::from_utf8_lossy(&answer));
    }
}

/// The servers here answer in one way: 200, with the length of the body.
fn is_whole(answer: &[u8]) -> Result<bool> {
    let Ok(text) = str::from_utf8(answer) else { return Ok(false) };
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ok(false) };
    ensure!(head.starts_with("HTTP/1.1 200 "), "the server answered: {head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.context("an answer without a length")?.parse::<usize>()?;
    Ok(body.len() >= length)
}
