//! IP networks, version 4 and 6 alike as numbers.

use super::{Call, Failure};
use crate::value::{Number, Type, Value};
use std::net::{Ipv4Addr, Ipv6Addr};

type Result<T = Value> = std::result::Result<T, Failure>;

/// A network: its address as a number of `width` bits of which the first `prefix` are fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: u128,
    prefix: u32,
    width: u32,
}

impl Network {
    fn parse(text: &str) -> std::result::Result<Network, String> {
        let wrong = || format!("`{text}` is not an IP network such as 10.0.0.0/16 or fd00::/48");
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        if prefix.is_empty() || prefix.len() > 3 || !prefix.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        let prefix: u32 = prefix.parse().map_err(|_| wrong())?;
        let (address, width) = parse_v4(address)
            .map(|v4| (u128::from(v4), 32))
            .or_else(|| address.parse::<Ipv6Addr>().ok().map(|v6| (u128::from(v6), 128)))
            .ok_or_else(wrong)?;
        if prefix > width {
            return Err(wrong());
        }
        let network = Network { address: 0, prefix, width };
        Ok(Network { address: address & network.mask(), ..network })
    }

    /// The fixed bits.
    fn mask(self) -> u128 {
        self.all() & !self.host_mask()
    }

    fn host_mask(self) -> u128 {
        match self.width - self.prefix {
            0 => 0,
            128 => u128::MAX,
            bits => (1 << bits) - 1,
        }
    }

    fn all(self) -> u128 {
        if self.width == 128 { u128::MAX } else { u128::from(u32::MAX) }
    }

    fn address_text(self, address: u128) -> String {
        match u32::try_from(address) {
            Ok(v4) if self.width == 32 => Ipv4Addr::from(v4).to_string(),
            // Go writes IPv4 addresses mapped into IPv6 as what they are.
            _ => match Ipv6Addr::from(address).to_ipv4_mapped() {
                Some(v4) => v4.to_string(),
                None => v6_text(Ipv6Addr::from(address)),
            },
        }
    }

    fn text(self) -> String {
        let mapped = self.width == 128 && Ipv6Addr::from(self.address).to_ipv4_mapped().is_some();
        let prefix = if mapped && self.prefix >= 96 { self.prefix - 96 } else { self.prefix };
        format!("{}/{prefix}", self.address_text(self.address))
    }
}

/// Leading zeros are decimal, as Terraform has always read them.
fn parse_v4(text: &str) -> Option<u32> {
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() != 4 {
        return None;
    }
    parts.iter().try_fold(0u32, |address, part| {
        let digits = !part.is_empty() && part.len() <= 16 && part.bytes().all(|b| b.is_ascii_digit());
        let byte: u8 = if digits { part.parse::<u64>().ok()?.try_into().ok()? } else { return None };
        Some(address << 8 | u32::from(byte))
    })
}

/// Plain groups, never the `::1.2.3.4` form that std chooses for some addresses.
fn v6_text(address: Ipv6Addr) -> String {
    let groups = address.segments();
    let mut best = (0, 0);
    let mut start = 0;
    while start < groups.len() {
        let zeros = groups[start..].iter().take_while(|g| **g == 0).count();
        if zeros > best.1 && zeros > 1 {
            best = (start, zeros);
        }
        start += zeros.max(1);
    }
    let join = |groups: &[u16]| groups.iter().map(|g| format!("{g:x}")).collect::<Vec<_>>().join(":");
    if best.1 == 0 {
        return join(&groups);
    }
    format!("{}::{}", join(&groups[..best.0]), join(&groups[best.0 + best.1..]))
}

fn network(call: &Call) -> Result<Network> {
    Network::parse(call.str(0)).map_err(Failure::new)
}

/// A whole number as an offset: its size, and whether it counts from the end.
fn offset(call: &Call, i: usize) -> Result<(u128, bool)> {
    let n: &Number = call.args[i].as_number().ok_or_else(|| Failure::arg(i, "a number is required"))?;
    if !n.is_whole() {
        return Err(Failure::inside(i, "a whole number is required"));
    }
    let size =
        n.abs().to_string().parse().map_err(|_| Failure::new("the number is too large for an address"))?;
    Ok((size, n.is_negative()))
}

pub fn cidrhost(call: &Call) -> Result {
    let network = network(call)?;
    let (number, from_end) = offset(call, 1)?;
    let most = network.host_mask();
    let host = if from_end {
        most.checked_sub(number.saturating_sub(1))
    } else {
        // Terraform compares the last 64 bits, with a sign.
        let compared = number as u64 as i64;
        Some(number).filter(|n| *n <= network.all() && (compared < 0 || compared as u128 <= most))
    };
    let host = host.filter(|_| !(from_end && number == 0)).ok_or_else(|| {
        let bits = network.width - network.prefix;
        Failure::new(format!(
            "the network {} has only {bits} bits for hosts: too few for this number",
            network.text()
        ))
    })?;
    Ok(Value::string(network.address_text(network.address | host)))
}

pub fn cidrnetmask(call: &Call) -> Result {
    let network = network(call)?;
    if network.width != 32 {
        return Err(Failure::new("IPv6 networks have no netmask"));
    }
    Ok(Value::string(network.address_text(network.mask())))
}

pub fn cidrsubnet(call: &Call) -> Result {
    let network = network(call)?;
    let newbits = call.whole(1)?;
    let room = network.width - network.prefix;
    if newbits > i64::from(room) {
        return Err(Failure::new(format!(
            "the network {} has only {room} bits left, not {newbits} to extend it by",
            network.text()
        )));
    }
    let (number, from_end) = offset(call, 2)?;
    // Terraform looks at no more than 64 bits here, and takes negative numbers for what their bits are: the
    // whole address changes with them.
    let most = if (0..64).contains(&newbits) { (1u64 << newbits) - 1 } else { u64::MAX };
    let none = || {
        Failure::new(format!(
            "with {newbits} more bits the subnets count from 0 to {most}; there is no such one"
        ))
        .help("extend the prefix by more bits, or use a smaller number")
    };
    if number as u64 > most {
        return Err(none());
    }
    let Some(prefix) = u32::try_from(i64::from(network.prefix) + newbits).ok() else {
        return Ok(Value::string("<nil>"));
    };
    let shift = network.width - prefix;
    let offset = match number.checked_shl(shift) {
        _ if number == 0 => 0,
        Some(offset) if offset >> shift == number => offset,
        _ => return Err(none()),
    };
    let address = match from_end {
        true => (offset.wrapping_sub(1) & !network.address).wrapping_add(1),
        false => network.address | offset,
    };
    if address > network.all() {
        return Err(none());
    }
    Ok(Value::string(Network { address, prefix, ..network }.text()))
}

/// Consecutive networks, each at the first place after the one before that it can be aligned to. Unlike
/// cidrsubnet it extends a prefix by 32 bits at most.
pub fn cidrsubnets(call: &Call) -> Result {
    let network = network(call).map_err(|f| Failure::arg(0, f.what))?;
    let room = network.width - network.prefix;
    let mut items = Vec::new();
    let mut next = Some(network.address);
    for i in 1..call.args.len() {
        let newbits = call.whole(i).map_err(|failure| Failure::arg(i, failure.what))?;
        let newbits = u32::try_from(newbits).ok().filter(|n| *n >= 1);
        let newbits =
            newbits.ok_or_else(|| Failure::arg(i, "the prefix must be extended by at least one bit"))?;
        if newbits > 32 {
            return Err(Failure::arg(i, "the prefix can be extended by 32 bits at most"));
        }
        if newbits > room {
            let what = format!("the network {} has only {room} bits left, not {newbits}", network.text());
            return Err(Failure::arg(i, what));
        }
        let subnet = Network { prefix: network.prefix + newbits, ..network };
        let step = subnet.host_mask();
        // The predecessor of address 0, where Terraform starts from, is the last address.
        if network.address == 0 {
            return Err(Failure::arg(1, format!("there is no room left for this in {}", network.text())));
        }
        let full = || Failure::arg(i, format!("there is no room left for this in {}", network.text()));
        let aligned = next.and_then(|n| n.checked_add(step)).ok_or_else(full)? & !step;
        if aligned & network.mask() != network.address {
            return Err(full());
        }
        items.push(Value::string(Network { address: aligned, ..subnet }.text()));
        next = aligned.checked_add(step).and_then(|n| n.checked_add(1));
    }
    Ok(Value::list(Type::String, items))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_read_and_print_as_in_go() {
        for (text, want) in [
            ("10.1.2.3/16", "10.1.0.0/16"),
            ("010.001.0.0/24", "10.1.0.0/24"),
            ("fe80::1/48", "fe80::/48"),
            ("::ffff:192.168.0.0/112", "192.168.0.0/16"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(Network::parse(text).unwrap().text(), want);
        }
        for text in
            ["", "10.0.0.0", "10.0.0.0/33", "10.256.0.0/8", "10.0.0/8", "::/129", "a/8", "10.0.0.0/+8"]
        {
            assert!(Network::parse(text).is_err(), "{text}");
        }
        assert_eq!(v6_text("fd00:0:0:6::".parse().unwrap()), "fd00:0:0:6::");
    }
}
