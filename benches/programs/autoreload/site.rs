//! The small sites that are reloaded, each in a process of its own.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::{Result, bail};
use http::Response;
use sitebus_autoreload::{Autoreload, Brake, Settings};
use sitebus_bus::Bus;
use sitebus_http::{Body, Http};
use sitebus_os::alone::Alone;
use sitebus_restart::{Image, Inherited, Restart};

/// What is read at the start, and answered.
pub(crate) const TOKEN: &str = "token_.py";

pub(crate) fn run(image: Image, role: &str, port: u16, folder: &Path) -> Result<()> {
    match role {
        "sitebus" => sitebus(image, port, folder),
        "plain" => plain(port, folder),
        _ => bail!("there is no role '{role}'"),
    }
}

fn sitebus(image: Image, port: u16, folder: &Path) -> Result<()> {
    let inherited = Inherited::receive(&Alone::claim()?)?;
    let token = fs::read_to_string(folder.join(TOKEN))?;
    let bus = Bus::new("bench");
    Restart::new(image, inherited.clone()).subscribe(&bus);
    let brake = Brake { times: usize::MAX, ..Brake::default() };
    Autoreload::new(Settings { brake, ..Settings::of([folder]) }).subscribe(&bus)?;
    let server = Http::new("http").listen(&format!("127.0.0.1:{port}"))?.inherit(&inherited);
    server.answer(move |_| Response::new(Body::from(token.clone()))).subscribe(&bus)?;
    bus.start()?;
    bail!("{}", bus.block())
}

/// What somebody else restarts.
fn plain(port: u16, folder: &Path) -> Result<()> {
    let token = fs::read_to_string(folder.join(TOKEN))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    for stream in listener.incoming() {
        let mut stream = stream?;
        let _ = stream.read(&mut [0; 1024]);
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{token}", token.len());
    }
    Ok(())
}
