//! JSON on the wire (awsJson) and the value tree differ by names, timestamps and nulls only.

use super::model::{Kind, Service, ShapeId};
use super::{Malformed, Misshapen, scalar};
use serde_json::{Map, Value as Json};

pub fn decode(service: &Service, id: ShapeId, wire: &Json, at: &str) -> Result<Json, Malformed> {
    let shape = service.shape(id);
    let wrong = || Malformed::value(at, &brief(wire), shape);
    Ok(match (&shape.kind, wire) {
        (Kind::Structure(members), Json::Object(fields)) => {
            let mut tree = Map::new();
            for member in members {
                match fields.get(member.wire.as_ref()) {
                    None | Some(Json::Null) => {}
                    Some(value) => {
                        let at = if at.is_empty() {
                            member.name.to_owned()
                        } else {
                            format!("{at}.{}", member.name)
                        };
                        tree.insert(member.name.to_owned(), decode(service, member.shape, value, &at)?);
                    }
                }
            }
            Json::Object(tree)
        }
        (Kind::List { item, .. }, Json::Array(items)) => {
            let each = items.iter().enumerate().filter(|(_, v)| !v.is_null());
            each.map(|(i, v)| decode(service, *item, v, &format!("{at}.{}", i + 1)))
                .collect::<Result<_, _>>()?
        }
        (Kind::Map { value, .. }, Json::Object(entries)) => {
            let each = entries.iter().filter(|(_, v)| !v.is_null());
            each.map(|(k, v)| Ok((k.clone(), decode(service, *value, v, &format!("{at}.{k}"))?)))
                .collect::<Result<Map<_, _>, _>>()
                .map(Json::Object)?
        }
        (Kind::Timestamp(_), Json::Number(n)) => {
            n.as_f64().and_then(scalar::from_epoch).map(scalar::tree_time).ok_or_else(wrong)?
        }
        (Kind::Timestamp(_), Json::String(text)) => scalar::from_text(shape, text).ok_or_else(wrong)?,
        (Kind::Integer, Json::Number(_)) => scalar::integer(wire).map(Json::from).ok_or_else(wrong)?,
        (Kind::Float, Json::Number(_))
        | (Kind::Boolean, Json::Bool(_))
        | (Kind::Text | Kind::Blob, Json::String(_))
        | (Kind::Document, _) => wire.clone(),
        _ => return Err(wrong()),
    })
}

pub fn encode(service: &Service, id: ShapeId, tree: &Json, at: &str) -> Result<Json, Misshapen> {
    let shape = service.shape(id);
    let wrong = || Misshapen::new(at, shape, tree);
    Ok(match (&shape.kind, tree) {
        (Kind::Structure(_), Json::Object(fields)) => {
            Misshapen::check_members(service, id, fields, at)?;
            let mut wire = Map::new();
            for member in service.members(id) {
                if let Some(value) = fields.get(member.name).filter(|v| !v.is_null()) {
                    let at = format!("{at}.{}", member.name);
                    wire.insert(member.wire.to_string(), encode(service, member.shape, value, &at)?);
                }
            }
            Json::Object(wire)
        }
        (Kind::List { item, .. }, Json::Array(items)) => {
            items.iter().map(|v| encode(service, *item, v, at)).collect::<Result<_, _>>()?
        }
        (Kind::Map { value, .. }, Json::Object(entries)) => entries
            .iter()
            .map(|(k, v)| Ok((k.clone(), encode(service, *value, v, at)?)))
            .collect::<Result<Map<_, _>, _>>()
            .map(Json::Object)?,
        (Kind::Timestamp(format), Json::String(text)) => match format {
            None | Some(super::model::TimeFormat::Epoch) => {
                scalar::parse_time(text).map(scalar::epoch).ok_or_else(wrong)?
            }
            Some(_) => scalar::to_text(shape, None, tree).map(Json::String).ok_or_else(wrong)?,
        },
        (Kind::Integer, Json::Number(_)) => scalar::integer(tree).map(Json::from).ok_or_else(wrong)?,
        (Kind::Float, Json::Number(_))
        | (Kind::Boolean, Json::Bool(_))
        | (Kind::Text | Kind::Blob, Json::String(_))
        | (Kind::Document, _) => tree.clone(),
        _ => return Err(wrong()),
    })
}

/// The start of a value, for messages.
pub fn brief(value: &Json) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().take(80).collect()
}
