//! A server that answers every connection with one byte.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use sitebus_serve::{Address, Door, Event, Host, Listener, Peer, Stream, accept};

pub(crate) fn late() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[derive(Clone)]
pub(crate) struct OneByte {
    pub(crate) room: Arc<Semaphore>,
    pub(crate) said: Arc<Mutex<Vec<String>>>,
    pub(crate) held: Arc<Mutex<Vec<Stream>>>,
    pub(crate) hold: bool,
}

impl OneByte {
    pub(crate) fn with_room(room: usize) -> OneByte {
        OneByte {
            room: Arc::new(Semaphore::new(room)),
            said: Arc::default(),
            held: Arc::default(),
            hold: false,
        }
    }
}

impl Host for OneByte {
    async fn accepted(&mut self, mut stream: Stream, _: Peer) {
        let permit = Arc::clone(&self.room).acquire_owned().await.unwrap();
        if self.hold {
            permit.forget();
            self.held.lock().unwrap().push(stream);
            return;
        }
        tokio::spawn(async move {
            let _ = stream.write_all(b"!").await;
            let _ = stream.shutdown().await;
            drop(permit);
        });
    }

    fn report(&mut self, event: Event<'_>) {
        self.said.lock().unwrap().push(event.to_string());
    }
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

pub(crate) fn open(runtime: &Runtime, host: OneByte) -> (Door, SocketAddr) {
    open_at("127.0.0.1:0", runtime, host)
}

pub(crate) fn open_at(at: &str, runtime: &Runtime, host: OneByte) -> (Door, SocketAddr) {
    let listener = Listener::bind("test", &at.parse::<Address>().unwrap()).unwrap();
    let (door, accepting) = accept(listener, host);
    runtime.spawn(accepting);
    door.wait_running(late()).unwrap();
    let address = door.address().tcp().unwrap();
    (door, address)
}

/// Whether the byte came.
pub(crate) fn answered(mut stream: TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).is_ok() && answer == b"!"
}
