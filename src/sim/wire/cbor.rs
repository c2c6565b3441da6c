//! CBOR on the wire (Smithy's RPC v2) ⇄ tree: by way of the JSON codec's rules for names, with CBOR's own
//! forms of timestamps (tag 1) and blobs (bytes).

use super::model::{Kind, Service, ShapeId};
use super::{Malformed, Misshapen, scalar};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ciborium::Value as Cbor;
use serde_json::{Map, Number, Value as Json};

/// Tag of a time given in seconds since the epoch (RFC 8949, 3.4.2).
const EPOCH_TAG: u64 = 1;

/// An empty body is an empty input: operations without input send none.
pub fn decode(service: &Service, input: Option<ShapeId>, body: &[u8]) -> Result<Json, Malformed> {
    let Some(input) = input.filter(|_| !body.is_empty()) else { return Ok(Json::Object(Map::new())) };
    let value: Cbor = ciborium::from_reader(body).map_err(|e| Malformed::Document(e.to_string()))?;
    decode_value(service, input, &value, "")
}

fn decode_value(service: &Service, id: ShapeId, wire: &Cbor, at: &str) -> Result<Json, Malformed> {
    let shape = service.shape(id);
    let shown = || match (number(wire), wire.as_text()) {
        (Some(number), _) => number.to_string(),
        (None, Some(text)) => text.chars().take(80).collect(),
        (None, None) => format!("{wire:?}").chars().take(80).collect(),
    };
    let wrong = || Malformed::value(at, &shown(), shape);
    Ok(match (&shape.kind, wire) {
        (Kind::Structure(members), Cbor::Map(entries)) => {
            let mut tree = Map::new();
            for (key, value) in entries {
                let member = members.iter().find(|m| key.as_text() == Some(m.wire.as_ref()));
                if let Some(member) = member.filter(|_| !value.is_null()) {
                    let at =
                        if at.is_empty() { member.name.to_owned() } else { format!("{at}.{}", member.name) };
                    tree.insert(member.name.to_owned(), decode_value(service, member.shape, value, &at)?);
                }
            }
            Json::Object(tree)
        }
        (Kind::List { item, .. }, Cbor::Array(items)) => {
            let each = items.iter().enumerate();
            each.map(|(i, v)| decode_value(service, *item, v, &format!("{at}.{}", i + 1)))
                .collect::<Result<_, _>>()?
        }
        (Kind::Map { value, .. }, Cbor::Map(entries)) => {
            let mut tree = Map::new();
            for (k, v) in entries {
                let key = k.as_text().ok_or_else(wrong)?.to_owned();
                tree.insert(key, decode_value(service, *value, v, at)?);
            }
            Json::Object(tree)
        }
        (Kind::Timestamp(_), Cbor::Tag(EPOCH_TAG, seconds)) => {
            let seconds = number(seconds).ok_or_else(wrong)?;
            scalar::from_epoch(seconds).map(scalar::tree_time).ok_or_else(wrong)?
        }
        (Kind::Integer, Cbor::Integer(n)) => {
            i64::try_from(i128::from(*n)).map(Json::from).map_err(|_| wrong())?
        }
        (Kind::Integer, Cbor::Float(f)) => {
            scalar::integer(&Json::from(*f)).map(Json::from).ok_or_else(wrong)?
        }
        // NaN and the infinities are no numbers to any service.
        (Kind::Float, _) => number(wire).and_then(Number::from_f64).map(Json::Number).ok_or_else(wrong)?,
        (Kind::Boolean, Cbor::Bool(b)) => Json::Bool(*b),
        (Kind::Text, Cbor::Text(text)) => Json::String(text.clone()),
        (Kind::Blob, Cbor::Bytes(bytes)) => Json::String(STANDARD.encode(bytes)),
        _ => return Err(wrong()),
    })
}

fn number(value: &Cbor) -> Option<f64> {
    match value {
        Cbor::Float(f) => Some(*f),
        Cbor::Integer(n) => Some(i128::from(*n) as f64),
        _ => None,
    }
}

pub fn encode(service: &Service, output: Option<ShapeId>, tree: &Json) -> Result<Vec<u8>, Misshapen> {
    let value = match output {
        Some(output) => encode_value(service, output, tree, "")?,
        None => Cbor::Map(vec![]),
    };
    Ok(bytes(&value))
}

pub fn bytes(value: &Cbor) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).expect("writing to memory cannot fail");
    out
}

fn encode_value(service: &Service, id: ShapeId, tree: &Json, at: &str) -> Result<Cbor, Misshapen> {
    let shape = service.shape(id);
    let wrong = || Misshapen::new(at, shape, tree);
    Ok(match (&shape.kind, tree) {
        (Kind::Structure(_), Json::Object(fields)) => {
            Misshapen::check_members(service, id, fields, at)?;
            let mut wire = Vec::new();
            for member in service.members(id) {
                if let Some(value) = fields.get(member.name).filter(|v| !v.is_null()) {
                    let value = encode_value(service, member.shape, value, &format!("{at}.{}", member.name))?;
                    wire.push((Cbor::Text(member.wire.to_string()), value));
                }
            }
            Cbor::Map(wire)
        }
        (Kind::List { item, .. }, Json::Array(items)) => {
            Cbor::Array(items.iter().map(|v| encode_value(service, *item, v, at)).collect::<Result<_, _>>()?)
        }
        (Kind::Map { value, .. }, Json::Object(entries)) => Cbor::Map(
            entries
                .iter()
                .map(|(k, v)| Ok((Cbor::Text(k.clone()), encode_value(service, *value, v, at)?)))
                .collect::<Result<_, _>>()?,
        ),
        (Kind::Timestamp(_), Json::String(text)) => {
            let time = scalar::parse_time(text).ok_or_else(wrong)?;
            Cbor::Tag(EPOCH_TAG, Box::new(Cbor::Float(time.as_millisecond() as f64 / 1000.0)))
        }
        (Kind::Integer, Json::Number(_)) => Cbor::Integer(scalar::integer(tree).ok_or_else(wrong)?.into()),
        (Kind::Float, Json::Number(n)) => Cbor::Float(n.as_f64().ok_or_else(wrong)?),
        (Kind::Boolean, Json::Bool(b)) => Cbor::Bool(*b),
        (Kind::Text, Json::String(text)) => Cbor::Text(text.clone()),
        (Kind::Blob, Json::String(text)) => Cbor::Bytes(STANDARD.decode(text).map_err(|_| wrong())?),
        _ => return Err(wrong()),
    })
}
