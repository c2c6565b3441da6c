//! As much of X.509 as an import needs (RFC 5280, section 4.1): whose certificate it is, who issued it, until
//! when, and what key it has.

use crate::world::Millis;
use base64::Engine as _;

#[derive(Debug, PartialEq, Eq)]
pub struct X509 {
    pub issuer: String,
    /// The subject's common name, or the first alternative one.
    pub domain: String,
    pub names: Vec<String>,
    /// `0a:1b:…`
    pub serial: String,
    pub not_before: Millis,
    pub not_after: Millis,
    /// As ACM calls it.
    pub key_algorithm: String,
}

/// Of the first certificate in a PEM text.
pub fn parse(pem: &str) -> Option<X509> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let text: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    read(&der)
}

/// Tags of the elements that are used.
const SEQUENCE: u8 = 0x30;
const OID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const UTC_TIME: u8 = 0x17;

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const CURVES: &[(&[u8], &str)] = &[
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], "EC_prime256v1"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x22], "EC_secp384r1"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], "EC_secp521r1"),
];

/// One element: its tag, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn elements(mut der: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    while let Some((tag, content, rest)) = element(der) {
        found.push((tag, content));
        der = rest;
    }
    found
}

fn read(der: &[u8]) -> Option<X509> {
    let (_, certificate, _) = element(der)?;
    let (_, tbs, _) = element(certificate)?;
    let mut parts = elements(tbs);
    if parts.first()?.0 == VERSION {
        parts.remove(0);
    }
    let [(_, serial), _, (_, issuer), (_, validity), (_, subject), (_, key), rest @ ..] = &parts[..] else {
        return None;
    };
    let times = elements(validity);
    let mut names =
        rest.iter().find(|(tag, _)| *tag == EXTENSIONS).map(|(_, all)| alternatives(all)).unwrap_or_default();
    let own = common_name(subject);
    let domain = own.or_else(|| names.first().cloned())?;
    if !names.contains(&domain) {
        names.insert(0, domain.clone());
    }
    Some(X509 {
        issuer: common_name(issuer).unwrap_or_default(),
        domain,
        names,
        serial: serial.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"),
        not_before: time(times.first()?)?,
        not_after: time(times.get(1)?)?,
        key_algorithm: key_algorithm(key)?,
    })
}

/// A name is a sequence of sets of (type, value).
fn common_name(name: &[u8]) -> Option<String> {
    let pairs = elements(name).into_iter().flat_map(|(_, set)| elements(set)).map(|(_, pair)| elements(pair));
    pairs
        .filter_map(|pair| match pair[..] {
            [(OID, COMMON_NAME), (_, value)] => String::from_utf8(value.to_vec()).ok(),
            _ => None,
        })
        .next_back()
}

fn alternatives(extensions: &[u8]) -> Vec<String> {
    let all = element(extensions).map(|(_, all, _)| elements(all)).unwrap_or_default();
    for (_, extension) in all {
        let parts = elements(extension);
        let value = parts.iter().find(|(tag, _)| *tag == OCTETS);
        if let (Some((OID, ALTERNATIVE_NAMES)), Some((_, value))) = (parts.first(), value) {
            let names = element(value).map(|(_, names, _)| elements(names)).unwrap_or_default();
            let dns = names.into_iter().filter(|(tag, _)| *tag == DNS_NAME);
            return dns.filter_map(|(_, name)| String::from_utf8(name.to_vec()).ok()).collect();
        }
    }
    Vec::new()
}

/// `260102030405Z`, before 2050, or with four digits of the year.
fn time((tag, text): &(u8, &[u8])) -> Option<Millis> {
    let text = std::str::from_utf8(text).ok()?;
    let text = match (*tag, text.get(..2)?.parse::<u8>().ok()?) {
        (UTC_TIME, 50..) => format!("19{text}"),
        (UTC_TIME, _) => format!("20{text}"),
        _ => text.to_owned(),
    };
    let at = |from: usize, to: usize| text.get(from..to);
    let iso =
        format!("{}-{}-{}T{}:{}:{}Z", at(0, 4)?, at(4, 6)?, at(6, 8)?, at(8, 10)?, at(10, 12)?, at(12, 14)?);
    Some(iso.parse::<jiff::Timestamp>().ok()?.as_millisecond())
}

fn key_algorithm(key: &[u8]) -> Option<String> {
    let parts = elements(key);
    let [(SEQUENCE, algorithm), (_, bits)] = parts[..] else { return None };
    match elements(algorithm)[..] {
        [(OID, RSA), ..] => {
            // Behind the count of unused bits: a sequence of modulus and exponent; the sign takes a byte.
            let (_, numbers, _) = element(bits.get(1..)?)?;
            let (_, modulus, _) = element(numbers)?;
            let bytes = modulus.iter().skip_while(|byte| **byte == 0).count();
            Some(format!("RSA_{}", bytes * 8))
        }
        [_, (OID, curve)] => CURVES.iter().find(|(oid, _)| *oid == curve).map(|(_, name)| (*name).to_owned()),
        _ => None,
    }
}
