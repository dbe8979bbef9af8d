//! Tables of addresses, and the law that an allowed network allows what lies in it and nothing else.

use proptest::prelude::*;

use super::*;

const REFUSED: [&str; 46] = [
    "0.0.0.0",
    "0.1.2.3",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "fd00:ec2::254",
    "fd00:ec2::253",
    "fd00:ec2::23",
    "fd00:ec2::1",
    "fd00:ec2:ffff:ffff:ffff:ffff:ffff:ffff",
    "fd00:c1::a9fe:a9fe",
    "fd20:ce::254",
    "fd00:42::42",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "::ffff:224.0.0.1",
    "::ffff:255.255.255.255",
    "::127.0.0.1",
    "::169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::169.254.169.254",
    "64:ff9b:1:2:3:4:169.254.169.254",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::1",
    "2001:0:1:2:3:4:80ff:fffe",
    "2a01::5efe:127.0.0.1",
    "2a01::200:5efe:169.254.169.254",
];

const ALLOWED: [&str; 16] = [
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "8.8.8.8",
    "192.0.0.1",
    "1.0.0.1",
    "fd00::1",
    "2001:db8::1",
    "2a00:1450::1",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:a00:1::1",
    "fd00:ec1:ffff::254",
    "fd00:ec3::254",
    "fd00:c1::1",
];

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn allowing(network: &str) -> AddressPolicy {
    AddressPolicy::new(vec![network.parse().unwrap()])
}

#[test]
fn what_is_no_database_server_is_refused() {
    for text in REFUSED {
        assert!(AddressPolicy::default().check(address(text)).is_err(), "{text}");
    }
}

#[test]
fn private_and_public_networks_are_allowed() {
    for text in ALLOWED {
        assert_eq!(AddressPolicy::default().check(address(text)), Ok(()), "{text}");
    }
}

#[test]
fn a_named_network_is_allowed_and_its_neighbour_is_not() {
    let policy = allowing("127.0.0.0/8");
    for text in ["127.0.0.1", "127.9.9.9", "::ffff:127.0.0.1"] {
        assert_eq!(policy.check(address(text)), Ok(()), "{text}");
    }
    for text in ["::1", "169.254.169.254", "0.0.0.0"] {
        assert!(policy.check(address(text)).is_err(), "{text}");
    }
    assert_eq!(allowing("::1/128").check(address("::1")), Ok(()));
}

#[test]
fn a_refusal_names_the_address_and_says_what_it_is() {
    let refused = AddressPolicy::default().check(address("169.254.169.254")).unwrap_err();
    assert_eq!(refused.to_string(), "169.254.169.254 is refused: it is a cloud's metadata service");
}

proptest! {
    #[test]
    fn an_address_is_allowed_if_a_network_names_exactly_it(bits: u32) {
        let address = IpAddr::V4(Ipv4Addr::from_bits(bits));
        prop_assert_eq!(AddressPolicy::new(vec![IpNet::from(address)]).check(address), Ok(()));
    }

    #[test]
    fn a_refused_address_is_refused_in_every_wrapping(bits: u32) {
        let inner = Ipv4Addr::from_bits(bits);
        let policy = AddressPolicy::default();
        let [high, low] = [(bits >> 16) as u16, (bits & 0xffff) as u16];
        let refused = policy.check(IpAddr::V4(inner)).is_err();
        for wrapped in [
            inner.to_ipv6_mapped(),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
        ] {
            prop_assert_eq!(policy.check(IpAddr::V6(wrapped)).is_err(), refused);
        }
    }
}
