//! Whether a request says properly to which host it goes (RFC 9112, 3.2).

use http::header::HOST;
use http::{HeaderMap, Version};

/// A request of HTTP/1.1 must have the field `Host`, none may have it twice, and its value must be a host and perhaps a
/// port. With HTTP/2 the host stands in `:authority`, so the field may be absent.
#[inline]
pub(crate) fn is_proper(version: Version, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => version != Version::HTTP_11,
        (Some(host), None) => is_host_and_port(host.as_bytes()),
        (Some(_), Some(_)) => false,
    }
}

/// `uri-host [ ":" port ]` (RFC 9110, 7.2). An empty one is for targets that have no host.
fn is_host_and_port(value: &[u8]) -> bool {
    if value.first() == Some(&b'[') {
        let Some(end) = value.iter().position(|byte| *byte == b']') else { return false };
        return is_ip_literal(&value[1..end]) && is_port(&value[end + 1..]);
    }
    let end = value.iter().position(|byte| *byte == b':').unwrap_or(value.len());
    is_name(&value[..end]) && is_port(&value[end..])
}

/// Nothing, or a colon and digits, of which there may be none (RFC 3986, 3.2.3).
fn is_port(rest: &[u8]) -> bool {
    match rest.split_first() {
        None => true,
        Some((b':', digits)) => digits.iter().all(u8::is_ascii_digit),
        Some(_) => false,
    }
}

/// `reg-name`, which IPv4 addresses are as well (RFC 3986, 3.2.2).
fn is_name(name: &[u8]) -> bool {
    let mut rest = name;
    while let Some((byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (byte, _) if is_plain(*byte) => after,
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => after,
            _ => return false,
        };
    }
    true
}

/// An address of IPv6, or of a version that is still to come (RFC 3986, 3.2.2). That it is one is the service's business;
/// what counts here is that it holds nothing that ends it early.
fn is_ip_literal(address: &[u8]) -> bool {
    !address.is_empty() && address.iter().all(|byte| is_plain(*byte) || *byte == b':')
}

/// `unreserved` and `sub-delims` (RFC 3986, 2).
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_from_what_is_none() {
        for good in [
            "",
            "a",
            "localhost",
            "example.com:80",
            "example.com:",
            "127.0.0.1:8080",
            "[::1]",
            "[::1]:80",
            "a_b",
            "xn--bcher-kva.example",
            "b%C3%BCcher.example",
            "[v1.x:y]",
        ] {
            assert!(is_host_and_port(good.as_bytes()), "{good}");
        }
        for bad in [
            "a b",
            "a/b",
            "user@a",
            "a:b",
            "a:80:80",
            "a,b c",
            "a?b",
            "a#b",
            "[::1",
            "::1",
            "[]",
            "[::1]80",
            "[a]b:1",
            "a%zz",
            "a%2",
            "b\u{fc}cher",
            "http://a",
            "a\t",
            "a\\b",
            "a\"",
        ] {
            assert!(!is_host_and_port(bad.as_bytes()), "{bad}");
        }
    }
}
