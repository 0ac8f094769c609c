//! A restart that looked well and fails at the very last moment: the old image goes on, on the sockets that it had.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::net::TcpStream;

use sitebus_os::signal::Signal;
use sitebus_tests::{Folder, Site, get, own_program};

#[test]
fn an_image_that_cannot_be_executed_leaves_the_old_one_on_the_same_address() {
    let folder = Folder::small();
    folder.site("[http]\nlisten = [\"127.0.0.1:0\"]\n[[route]]\npath = \"/shop\"\napp = \"shop\"");
    let installed = folder.at("shop");
    fs::copy(own_program!(), &installed).unwrap();
    let site = Site::start(&installed, &folder);
    let (address, process) = (site.address(), site.child().id());

    // A request that has begun holds the drain, and so the end of the old image.
    let mut upload = site.connect();
    upload
        .send("POST /shop/upload HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\nexpect: 100-continue\r\n\r\n")
        .unwrap();
    assert_eq!(upload.head().unwrap().0, 100);
    site.signal(Signal::USR2);
    site.says("Bus STOPPING");
    folder.write("no-program", "this may not be executed");
    fs::rename(folder.at("no-program"), &installed).unwrap();
    upload.send("0123456789").unwrap();
    assert_eq!(upload.answer().unwrap().text(), "10 bytes\n");

    site.says_times(2, "Bus STARTED");
    let why = site.says("restart failed, so this is still the old image");
    assert!(why.contains("Permission denied"), "{why}");
    assert_eq!((site.address(), site.child().id()), (address, process));
    assert_eq!(get(address, "/").unwrap().status, 200);

    // And it can be restarted once the program is there again.
    fs::copy(own_program!(), folder.at("new")).unwrap();
    fs::rename(folder.at("new"), &installed).unwrap();
    site.signal(Signal::USR2);
    site.says_times(3, "Bus STARTED");
    assert_eq!((get(address, "/").unwrap().status, site.child().id()), (200, process));
    site.stop();
    TcpStream::connect(address).unwrap_err();
}
