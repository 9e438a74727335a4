//! Where a request comes from.

use std::net::IpAddr;

use crate::Scope;

/// The network that a request comes from; `None` where everybody comes from the same one.
pub fn network(scope: &Scope) -> Option<String> {
    named(&address(scope)?)
}

/// The block around it; `None` where everybody comes from the same one.
pub fn block(scope: &Scope) -> Option<String> {
    block_of(&address(scope)?)
}

fn address(scope: &Scope) -> Option<String> {
    let local = scope.settings().is_local().then(|| scope.header("x-dev-address")).flatten();
    local.or_else(|| scope.header("cf-connecting-ip"))
}

/// An IPv4 address, or the /64 of an IPv6 one, which is what a customer is given. This machine itself is nobody's address:
/// on a developer's machine all come from there.
fn named(address: &str) -> Option<String> {
    let address = address.trim().parse::<IpAddr>().ok()?.to_canonical();
    match address {
        _ if address.is_loopback() => None,
        IpAddr::V4(v4) => Some(v4.to_string()),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Some(format!("{a:x}:{b:x}:{c:x}:{d:x}::/64"))
        }
    }
}

/// An IPv4 /24 or an IPv6 /48: whoever rents machines is given one, and changes addresses within it.
fn block_of(address: &str) -> Option<String> {
    let address = address.trim().parse::<IpAddr>().ok()?.to_canonical();
    match address {
        _ if address.is_loopback() => None,
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            Some(format!("{a}.{b}.{c}.0/24"))
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            Some(format!("{a:x}:{b:x}:{c:x}::/48"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_or_a_customer_s_share() {
        for (address, name) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::/64")),
            ("2001:db8:1:2::9", Some("2001:db8:1:2::/64")),
            ("127.0.0.1", None),
            ("::1", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(named(address).as_deref(), name, "{address}");
        }
    }

    #[test]
    fn a_block_is_what_a_customer_of_a_hosting_company_is_given() {
        for (address, name) in [
            ("192.0.2.1", Some("192.0.2.0/24")),
            ("::ffff:192.0.2.254", Some("192.0.2.0/24")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1::/48")),
            ("2001:db8:1:ffff::9", Some("2001:db8:1::/48")),
            ("127.0.0.1", None),
            ("x", None),
        ] {
            assert_eq!(block_of(address).as_deref(), name, "{address}");
        }
    }
}
