//! Which addresses an instance may be on. Asked about every resolved address at every dial, because a name can
//! mean another machine the next time.
//!
//! Decided here: what is refused unless the operator's own configuration names it: the operator's own machine,
//! its link, the metadata services of clouds, and what is no single machine, in IPv4, in IPv6, and as IPv4 inside
//! IPv6. Private networks are where databases are, and allowed. Absent: names; a name proves nothing.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Metadata and platform services of clouds that lie outside the link-local networks.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];

/// The same over IPv6.
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
];

/// `fd00:ec2::/32`: Amazon's services for its machines: metadata, names, time, and the identities of pods on EKS. More
/// of them have come over the years.
const SERVICES_V6: [u16; 2] = [0xfd00, 0xec2];

/// The policy: what is refused in general, and which networks are allowed all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    allow: Vec<IpNet>,
}

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} is refused: {reason}")]
pub struct AddressRefused {
    /// Which address.
    pub address: IpAddr,
    /// What it is.
    pub reason: &'static str,
}

impl AddressPolicy {
    /// A policy with these exceptions.
    pub fn new(allow: Vec<IpNet>) -> Self {
        Self { allow }
    }

    /// Whether this address may be dialled.
    pub fn check(&self, address: IpAddr) -> Result<(), AddressRefused> {
        if self.names(address) {
            return Ok(());
        }
        let refusal = match address {
            IpAddr::V4(address) => refusal_v4(address),
            IpAddr::V6(address) => self.refusal_v6(address),
        };
        refusal.map_or(Ok(()), |reason| Err(AddressRefused { address, reason }))
    }

    fn names(&self, address: IpAddr) -> bool {
        self.allow.iter().any(|network| network.contains(&address))
    }

    fn refusal_v6(&self, address: Ipv6Addr) -> Option<&'static str> {
        let [first, second, ..] = address.segments();
        if address.is_unspecified() {
            Some("it is the unspecified address")
        } else if address.is_loopback() {
            Some("it is a loopback address")
        } else if address.is_multicast() {
            Some("it is a multicast address")
        } else if address.is_unicast_link_local() || first & 0xffc0 == 0xfec0 {
            Some("it is a link-local address")
        } else if [first, second] == SERVICES_V6 || METADATA_V6.contains(&address) {
            Some("it is a cloud's metadata service")
        } else {
            let inner = inner_v4(address)?;
            if self.names(IpAddr::V4(inner)) { None } else { refusal_v4(inner) }
        }
    }
}

fn refusal_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [first, ..] = address.octets();
    if first == 0 {
        Some("it is the unspecified address")
    } else if address.is_loopback() {
        Some("it is a loopback address")
    } else if address == Ipv4Addr::new(169, 254, 169, 254) || METADATA_V4.contains(&address) {
        Some("it is a cloud's metadata service")
    } else if address.is_link_local() {
        Some("it is a link-local address")
    } else if address.is_multicast() {
        Some("it is a multicast address")
    } else if address.is_broadcast() {
        Some("it is the broadcast address")
    } else if first >= 240 {
        Some("it is in a reserved network")
    } else {
        None
    }
}

/// The IPv4 address that a router, or the kernel, makes of this IPv6 address.
fn inner_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let last = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // Mapped, compatible, translated (RFC 2765); NAT64 with the well-known prefix and the one for local use.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        // ISATAP: an interface identifier that is an IPv4 address.
        | [_, _, _, _, 0 | 0x200, 0x5efe, high, low]
        // 6to4.
        | [0x2002, high, low, ..] => Some(last(high, low)),
        // Teredo hides the client's address by turning its bits.
        [0x2001, 0, _, _, _, _, high, low] => Some(last(!high, !low)),
        _ => None,
    }
}
