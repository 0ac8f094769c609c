//! Listeners that are handed on, and taken over.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use sitebus_serve::{Address, BindError, Event, Host, Inherited, Item, Listener, Peer, Stream, accept};
use socket2::{Domain, Socket, Type};

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn unix(path: &Path) -> Address {
    address(&format!("unix:{}", path.display()))
}

fn parcel(listeners: impl IntoIterator<Item = Listener>) -> Inherited {
    let inherited = Inherited::nothing();
    inherited.put(listeners.into_iter().map(Listener::into_item));
    inherited
}

fn inherit(name: &str, address: &Address, from: &Inherited) -> Vec<Listener> {
    Listener::inherit(name, address, &[from]).unwrap()
}

#[test]
fn a_listener_is_found_by_what_it_is_bound_to_and_keeps_its_queue() {
    let listener = Listener::bind("shop", &address("127.0.0.1:0")).unwrap();
    let bound = listener.address().clone();
    let inherited = parcel([listener]);
    let client = TcpStream::connect(bound.tcp().unwrap()).unwrap();

    let elsewhere = address("127.0.0.2:0");
    assert!(inherit("shop", &elsewhere, &inherited).is_empty());
    let found = inherit("another", &bound, &inherited).remove(0);
    assert_eq!((found.name(), found.address(), found.asked()), ("another", &bound, &bound));
    assert!(!found.is_given());
    let descriptor = found.into_item().into_descriptor().unwrap();
    let socket = TcpListener::from(descriptor);
    assert_eq!(socket.accept().unwrap().1, client.local_addr().unwrap());
    let waits = socket.accept().unwrap_err();
    assert_eq!(waits.kind(), std::io::ErrorKind::WouldBlock, "it does not block");
}

#[test]
fn a_free_port_is_found_by_the_server_that_asked_for_it() {
    let any = address("127.0.0.1:0");
    let inherited = parcel([Listener::bind("shop", &any).unwrap(), Listener::bind("kitchen", &any).unwrap()]);
    let shop = inherit("shop", &any, &inherited);
    assert_eq!((shop.len(), shop[0].asked()), (1, &any));
    assert!(inherit("shop", &any, &inherited).is_empty(), "the other one is the kitchen's");
    assert_eq!(inherit("kitchen", &any, &inherited).len(), 1);
    assert!(inherited.left().is_empty());
}

#[test]
fn the_file_of_a_unix_socket_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let inherited = parcel([Listener::bind("shop", &unix(&path)).unwrap()]);
    UnixStream::connect(&path).unwrap();
    let found = inherit("shop", &unix(&path), &inherited);
    assert!(path.exists());
    drop(found);
    assert!(!path.exists(), "it is removed by whoever has the listener last");
}

#[test]
fn a_unix_socket_whose_file_was_replaced_is_not_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let inherited = parcel([Listener::bind("shop", &unix(&path)).unwrap()]);
    std::fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    assert!(inherit("shop", &unix(&path), &inherited).is_empty());
    assert!(path.exists() && inherited.left().is_empty());
    drop(other);
}

#[cfg(target_os = "linux")]
#[test]
fn an_abstract_socket_and_one_of_ipv6_are_found_too() {
    let name = address(&format!("unix:@sitebus-inherits-{}", std::process::id()));
    let six = Listener::bind("shop", &address("[::]:0")).unwrap();
    let all = address(&six.address().to_string());
    let inherited = parcel([Listener::bind("shop", &name).unwrap(), six]);
    assert_eq!(inherit("shop", &name, &inherited).len(), 1);
    assert_eq!(inherit("shop", &all, &inherited).len(), 1);
}

#[test]
fn what_nobody_wants_is_closed_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let tcp = Listener::bind("shop", &address("127.0.0.1:0")).unwrap();
    let bound = tcp.address().tcp().unwrap();
    let inherited = parcel([Listener::bind("shop", &unix(&path)).unwrap(), tcp]);
    inherited.put([Item::new("lock", "site")]);
    let left = Listener::left(&inherited);
    assert_eq!(left.len(), 2);
    assert!(left.iter().any(|listener| listener.address() == &unix(&path)));
    drop(left);
    assert!(!path.exists() && TcpStream::connect(bound).is_err());
    assert_eq!(inherited.left(), [("lock".to_owned(), "site".to_owned())]);
}

#[test]
fn what_the_manager_gives_is_found_by_its_name_and_by_its_address() {
    let sockets = || (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let given = parcel(sockets().map(|socket| Listener::given("web", socket).unwrap()));
    let both = inherit("shop", &address("systemd:web"), &given);
    assert_eq!(both.len(), 2);
    assert!(both.iter().all(|listener| listener.is_given() && listener.asked() == &address("systemd:web")));

    let bound = both[0].address().clone();
    let again = parcel(both);
    let found = inherit("shop", &bound, &again);
    assert_eq!((found.len(), found[0].asked()), (1, &bound));
    let again = parcel(found);
    let found = inherit("shop", &address("systemd:web"), &again);
    assert!(found.len() == 1 && found[0].is_given(), "its name is never lost");
}

#[test]
fn the_file_of_what_the_manager_gives_is_the_managers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let given = parcel([Listener::given("web", UnixListener::bind(&path).unwrap()).unwrap()]);
    drop(inherit("shop", &unix(&path), &given));
    assert!(path.exists());
}

#[test]
fn a_name_that_the_manager_does_not_know_is_answered_with_those_that_it_does() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let given = parcel([Listener::given("site.socket", socket).unwrap()]);
    let error = Listener::inherit("shop", &address("systemd:web"), &[&given]).unwrap_err();
    assert!(matches!(&error, BindError::NotGiven { given, .. } if given == &["site.socket"]));
    let said = error.to_string();
    assert!(said.contains("site.socket") && said.contains("FileDescriptorName=web"), "{said}");
    assert_eq!(given.left().len(), 1, "whoever wants it can still have it");

    for nothing in [
        Listener::bind("shop", &address("systemd:web")).unwrap_err(),
        Listener::inherit("shop", &address("systemd:web"), &[]).unwrap_err(),
    ] {
        assert!(nothing.to_string().contains("start the socket unit"), "{nothing}");
    }
}

#[test]
fn a_socket_for_both_families_is_no_socket_of_ipv6_alone() {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
    socket.set_only_v6(false).unwrap();
    socket.bind(&"[::]:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(1).unwrap();
    let both = TcpListener::from(socket);
    let bound = Address::from(both.local_addr().unwrap());
    let given = parcel([Listener::given("web", both).unwrap()]);
    let error = Listener::inherit("shop", &bound, &[&given]).unwrap_err();
    assert!(matches!(error, BindError::Unfit { .. }));
    assert!(error.to_string().contains("BindIPv6Only=ipv6-only"), "{error}");
}

#[test]
fn what_does_not_listen_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let said = Listener::given("web", connection).unwrap_err().to_string();
    assert!(said.contains("no stream socket that listens"), "{said}");
    Listener::given("web", UnixDatagram::unbound().unwrap()).unwrap_err();
    Listener::given("web", tempfile::tempfile().unwrap()).unwrap_err();
    let item = Item::new("listener", "shop").with_data("127.0.0.1:0");
    let inherited = Inherited::nothing();
    inherited.put([item]);
    Listener::inherit("shop", &address("127.0.0.1:0"), &[&inherited]).unwrap_err();
    assert!(Listener::left(&inherited).is_empty());
}

#[test]
fn damaged_data_make_a_listener_that_is_only_known_by_what_it_is_bound_to() {
    for data in ["", "\0\0\0", "\0file\0file 1\0file x y\0given\0nonsense", "127.0.0.1:0\0ours ours"] {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let bound = Address::from(socket.local_addr().unwrap());
        let inherited = Inherited::nothing();
        inherited.put([Item::new("listener", "shop").with_descriptor(socket).with_data(data)]);
        assert_eq!(inherit("shop", &bound, &inherited).len(), 1, "{data:?}");
    }
}

struct Nobody;

impl Host for Nobody {
    async fn accepted(&mut self, _: Stream, _: Peer) {}
    fn report(&mut self, event: Event<'_>) {
        assert!(matches!(event, Event::Kept));
    }
}

#[test]
fn a_door_that_keeps_its_listener_gives_it_back_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let soon = Instant::now() + Duration::from_secs(20);
    let (door, accepting) = accept(Listener::bind("shop", &unix(&path)).unwrap(), Nobody);
    runtime.spawn(accepting);
    door.wait_running(soon).unwrap();
    door.keep();
    let kept = door.take_kept(soon).unwrap();
    drop(runtime);
    let client = UnixStream::connect(&path).unwrap();
    let item = kept.into_item();
    let listener = UnixListener::from(item.descriptor().unwrap().as_fd().try_clone_to_owned().unwrap());
    listener.accept().unwrap();
    drop(client);
    assert!(door.take_kept(soon).is_none(), "there is one only");
}
