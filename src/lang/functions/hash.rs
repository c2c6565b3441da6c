//! Digests, random and derived identifiers, and decryption.

use super::encoding::decode_base64;
use super::{Call, Failure};
use crate::value::{Type, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dashu_int::UBig;
use dashu_int::fast_div::ConstDivisor;
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use uuid::Uuid;

type Result<T = Value> = std::result::Result<T, Failure>;

pub fn md5_of(bytes: &[u8]) -> Vec<u8> {
    Md5::digest(bytes).to_vec()
}

pub fn sha1_of(bytes: &[u8]) -> Vec<u8> {
    Sha1::digest(bytes).to_vec()
}

pub fn sha256_of(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

pub fn sha512_of(bytes: &[u8]) -> Vec<u8> {
    Sha512::digest(bytes).to_vec()
}

fn hexadecimal(call: &Call, hash: fn(&[u8]) -> Vec<u8>) -> Result {
    Ok(Value::string(hex::encode(hash(call.str(0).as_bytes()))))
}

pub fn md5(call: &Call) -> Result {
    hexadecimal(call, md5_of)
}

pub fn sha1(call: &Call) -> Result {
    hexadecimal(call, sha1_of)
}

pub fn sha256(call: &Call) -> Result {
    hexadecimal(call, sha256_of)
}

pub fn sha512(call: &Call) -> Result {
    hexadecimal(call, sha512_of)
}

pub fn base64sha256(call: &Call) -> Result {
    Ok(Value::string(STANDARD.encode(sha256_of(call.str(0).as_bytes()))))
}

pub fn base64sha512(call: &Call) -> Result {
    Ok(Value::string(STANDARD.encode(sha512_of(call.str(0).as_bytes()))))
}

/// Known only while applying: its salt is random.
pub fn bcrypt(call: &Call) -> Result {
    const DEFAULT_COST: i64 = 10;
    let Some(salt) = call.scope.random() else { return Ok(Value::unknown(Type::String)) };
    if call.args.len() > 2 {
        return Err(Failure::arg(2, "there can be only one cost"));
    }
    let cost = if call.args.len() == 2 { call.whole(1)? } else { DEFAULT_COST };
    let cost = u32::try_from(cost).ok().filter(|c| (4..=31).contains(c));
    let cost = cost.ok_or_else(|| Failure::arg(1, "the cost must be from 4 to 31"))?;
    let hashed = ::bcrypt::hash_with_salt(call.str(0), cost, salt)
        .map_err(|e| Failure::new(format!("this cannot be hashed: {e}")))?;
    Ok(Value::string(hashed.format_for_version(::bcrypt::Version::TwoA)))
}

/// Known only while applying.
pub fn uuid(call: &Call) -> Result {
    Ok(match call.scope.random() {
        Some(bytes) => Value::string(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()),
        None => Value::unknown(Type::String),
    })
}

pub fn uuidv5(call: &Call) -> Result {
    let namespace = match call.str(0) {
        "dns" => Uuid::NAMESPACE_DNS,
        "url" => Uuid::NAMESPACE_URL,
        "oid" => Uuid::NAMESPACE_OID,
        "x500" => Uuid::NAMESPACE_X500,
        text => Uuid::parse_str(text)
            .map_err(|_| Failure::new("the namespace must be a UUID or one of dns, url, oid and x500"))?,
    };
    Ok(Value::string(Uuid::new_v5(&namespace, call.str(1).as_bytes()).to_string()))
}

// --- RSA (PKCS #1 v1.5) ---------------------------------------------------------------------------

pub fn rsadecrypt(call: &Call) -> Result {
    let cipher = decode_base64(call.str(0)).map_err(|what| Failure::arg(0, what))?;
    let (modulus, exponent) = private_key(call.str(1)).ok_or_else(|| {
        Failure::arg(1, "an RSA private key in PEM form, without a passphrase, is required")
    })?;
    let size = modulus.to_be_bytes().len();
    let message = UBig::from_be_bytes(&cipher);
    if message >= modulus || cipher.len() > size {
        return Err(Failure::arg(0, "the text was not encrypted for this key"));
    }
    let ring = ConstDivisor::new(modulus);
    let padded = ring.reduce(message).pow(&exponent).residue().to_be_bytes();
    // 00 02, at least eight random bytes that are not zero, 00, the text. The first 00 is not there: it
    // leads the number.
    let text = match padded.split_first() {
        Some((2, rest)) if padded.len() + 1 == size => {
            rest.iter().position(|b| *b == 0).filter(|zero| *zero >= 8).map(|zero| rest[zero + 1..].to_vec())
        }
        _ => None,
    };
    let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(Value::string).ok_or_else(|| Failure::arg(0, "the text cannot be decrypted with this key"))
}

/// Modulus and private exponent of a key in PKCS #1 or PKCS #8.
fn private_key(pem: &str) -> Option<(UBig, UBig)> {
    let body: String = pem
        .lines()
        .skip_while(|l| !l.starts_with("-----BEGIN"))
        .skip(1)
        .take_while(|l| !l.starts_with('-'))
        .collect();
    let der = decode_base64(body.trim()).ok()?;
    let (sequence, _) = der_item(&der, 0x30)?;
    let (_version, rest) = der_item(sequence, 0x02)?;
    let numbers = match der_item(rest, 0x02) {
        Some(_) => rest.to_vec(),
        None => {
            let (_algorithm, rest) = der_item(rest, 0x30)?;
            let (inner, _) = der_item(rest, 0x04)?;
            let (inner, _) = der_item(inner, 0x30)?;
            der_item(inner, 0x02)?.1.to_vec()
        }
    };
    let (modulus, rest) = der_item(&numbers, 0x02)?;
    let (_public, rest) = der_item(rest, 0x02)?;
    let (exponent, _) = der_item(rest, 0x02)?;
    let modulus = UBig::from_be_bytes(modulus);
    (!modulus.is_zero()).then(|| (modulus, UBig::from_be_bytes(exponent)))
}

/// The content of the first item, which must have this tag, and what follows it.
fn der_item(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        _ => {
            let count = usize::from(short & 0x7f);
            let digits = rest.get(..count).filter(|d| d.len() <= 4)?;
            (digits.iter().fold(0, |n, d| n << 8 | usize::from(*d)), &rest[count..])
        }
    };
    (first == tag && rest.len() >= length).then(|| rest.split_at(length))
}
