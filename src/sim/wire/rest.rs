//! REST bindings: what of an input is in the path, the query string and headers, and back for outputs.

use super::model::{Kind, Operation, Place, Protocol, Service, ShapeId};
use super::xml::{Element, Encoder, Writer};
use super::{Malformed, Misshapen, json, scalar};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json};

/// The operation a method and path mean; of several, the one that says most (literals before labels).
pub fn find<'s>(service: &'s Service, parts: &http::request::Parts) -> Option<&'s Operation> {
    let query = query_pairs(parts);
    let fits = |operation: &&Operation| {
        let (path, literals) = split_path(operation.path);
        operation.method == parts.method.as_str()
            && labels(path, parts.uri.path()).is_some()
            && literals.iter().all(|(k, v)| query.iter().any(|(qk, qv)| qk == k && (v.is_empty() || qv == v)))
            && (service.name != "s3" || said(service, operation, parts, &query).is_some())
    };
    let weight = |operation: &&Operation| {
        let (path, literals) = split_path(operation.path);
        let said = said(service, operation, parts, &query).unwrap_or(0);
        (path.split('/').filter(|s| !s.starts_with('{')).count(), literals.len(), said)
    };
    service.operations.values().filter(fits).max_by_key(weight)
}

/// How many of the members that an operation needs stand in query and headers; None if one is missing. S3
/// tells a copy from a put, and a part from an object, by these alone.
fn said(
    service: &Service,
    operation: &Operation,
    parts: &http::request::Parts,
    query: &[(String, String)],
) -> Option<usize> {
    let mut count = 0;
    for member in service.members(operation.input?).iter().filter(|member| member.required) {
        let there = match member.place {
            Place::Query => query.iter().any(|(name, _)| *name == member.wire),
            Place::Header => parts.headers.contains_key(member.wire.as_ref()),
            _ => continue,
        };
        if !there {
            return None;
        }
        count += 1;
    }
    Some(count)
}

/// A bucket in the host's name goes to the front of the path: `bucket.s3.amazonaws.com/key`.
pub fn to_path_style(parts: &mut http::request::Parts) {
    let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.or(parts.uri.host()).map(str::to_owned) else { return };
    let name = host.split(':').next().unwrap_or_default();
    let ends = [".localhost", ".s3.", ".s3-"].into_iter().filter_map(|mark| match mark {
        ".localhost" => name.strip_suffix(mark).map(str::len),
        _ => name.find(mark),
    });
    let Some(bucket) =
        ends.min().map(|end| &name[..end]).filter(|bucket| !bucket.is_empty() && *bucket != "s3")
    else {
        return;
    };
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    if let Ok(uri) = format!("/{bucket}{}{query}", parts.uri.path()).parse() {
        parts.uri = uri;
    }
}

/// The body without the frames of `aws-chunked`: `SIZE[;chunk-signature=…]`, data, …, a last one of size 0.
pub fn unframed(parts: &http::request::Parts, body: &[u8]) -> Option<Vec<u8>> {
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !header("x-amz-content-sha256").starts_with("STREAMING-")
        && !header("content-encoding").contains("aws-chunked")
    {
        return None;
    }
    let mut plain = Vec::new();
    let mut rest = body;
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let head = std::str::from_utf8(&rest[..end]).ok()?;
        let size = usize::from_str_radix(head.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(plain);
        }
        plain.extend(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 2 + size + 2..)?;
    }
}

fn split_path(path: &'static str) -> (&'static str, Vec<(&'static str, &'static str)>) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let literals = query.split('&').filter(|q| !q.is_empty());
    (path, literals.map(|q| q.split_once('=').unwrap_or((q, ""))).collect())
}

/// The values of `{Label}`s, the last of which may be greedy (`{Key+}`). A slash at the end says nothing:
/// Route 53's model has one after `rrset`, and clients leave it out.
fn labels(template: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut found = Vec::new();
    // A greedy label keeps the slashes at its end: they are part of S3's keys.
    let path = if template.ends_with("+}") { path.strip_prefix('/')? } else { path.trim_matches('/') };
    let mut rest = path.split('/');
    for segment in template.trim_matches('/').split('/') {
        let Some(label) = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) else {
            if rest.next() != Some(segment) {
                return None;
            }
            continue;
        };
        if let Some(greedy) = label.strip_suffix('+') {
            let tail: Vec<_> = rest.by_ref().map(decode).collect();
            found.push((greedy, Some(tail.join("/")).filter(|text| !text.is_empty())?));
        } else {
            found.push((label, rest.next().filter(|s| !s.is_empty()).map(decode)?));
        }
    }
    rest.next().is_none().then_some(found)
}

fn query_pairs(parts: &http::request::Parts) -> Vec<(String, String)> {
    let query = parts.uri.query().unwrap_or("");
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

pub fn decode(
    service: &Service,
    operation: &Operation,
    parts: &http::request::Parts,
    body: &[u8],
) -> Result<Json, Malformed> {
    let Some(input) = operation.input else { return Ok(Json::Object(Map::new())) };
    let labels = labels(split_path(operation.path).0, parts.uri.path()).unwrap_or_default();
    let query = query_pairs(parts);
    let has_body = service.members(input).iter().any(|m| m.place == Place::Body);
    let mut tree = Map::new();
    if has_body
        && !body.is_empty()
        && let Json::Object(members) = document(service, input, body)?
    {
        tree = members;
    }
    for member in service.members(input) {
        let wire = member.wire.as_ref();
        let value = match member.place {
            Place::Path => {
                let label = labels.iter().find(|(name, _)| *name == wire).map(|(_, text)| text.as_str());
                label.map(|text| from_text(service, member.shape, text, member.name)).transpose()?
            }
            Place::Query => {
                let texts = query.iter().filter(|(k, _)| k == wire).map(|(_, v)| v.as_str());
                many_from_text(service, member.shape, texts, member.name)?
            }
            Place::Header => {
                let texts = parts.headers.get_all(wire).iter().filter_map(|v| v.to_str().ok());
                many_from_text(service, member.shape, texts, member.name)?
            }
            Place::Headers => {
                let named = parts.headers.iter().filter_map(|(name, value)| {
                    let rest = name.as_str().strip_prefix(&wire.to_ascii_lowercase())?;
                    Some((rest.to_owned(), Json::from(value.to_str().ok()?)))
                });
                Some(Json::Object(named.collect()))
            }
            Place::Payload => payload(service, member.shape, body)?,
            Place::Body | Place::Status => None,
        };
        if let Some(value) = value {
            tree.insert(member.name.to_owned(), value);
        }
    }
    Ok(Json::Object(tree))
}

/// A body in the form that the service speaks.
fn document(service: &Service, id: ShapeId, body: &[u8]) -> Result<Json, Malformed> {
    if service.protocols[0] == Protocol::RestJson {
        let wire: Json = serde_json::from_slice(body).map_err(|e| Malformed::Document(e.to_string()))?;
        return json::decode(service, id, &wire, "");
    }
    super::xml::decode(service, id, &Element::parse(body)?, "")
}

fn payload(service: &Service, id: ShapeId, body: &[u8]) -> Result<Option<Json>, Malformed> {
    Ok(match &service.shape(id).kind {
        Kind::Blob => Some(Json::String(STANDARD.encode(body))),
        Kind::Text => Some(Json::String(String::from_utf8_lossy(body).into_owned())),
        _ if body.is_empty() => None,
        _ => Some(document(service, id, body)?),
    })
}

fn from_text(service: &Service, id: ShapeId, text: &str, at: &str) -> Result<Json, Malformed> {
    let shape = service.shape(id);
    scalar::from_text(shape, text).ok_or_else(|| Malformed::value(at, text, shape))
}

fn many_from_text<'t>(
    service: &Service,
    id: ShapeId,
    mut texts: impl Iterator<Item = &'t str>,
    at: &str,
) -> Result<Option<Json>, Malformed> {
    if let Kind::List { item, .. } = service.shape(id).kind {
        let items: Vec<_> = texts.map(|t| from_text(service, item, t, at)).collect::<Result<_, _>>()?;
        return Ok((!items.is_empty()).then_some(Json::Array(items)));
    }
    texts.next().map(|text| from_text(service, id, text, at)).transpose()
}

/// Status, headers and body of an answer.
pub fn encode(
    service: &Service,
    operation: &Operation,
    tree: &Json,
) -> Result<http::Response<Vec<u8>>, Misshapen> {
    let mut answer = http::Response::new(Vec::new());
    *answer.status_mut() = http::StatusCode::from_u16(operation.status).unwrap_or_default();
    let Some(output) = operation.output else { return Ok(answer) };
    for member in service.members(output) {
        let Some(value) = tree.get(member.name).filter(|v| !v.is_null()) else { continue };
        match member.place {
            Place::Status => {
                let status = scalar::integer(value).and_then(|n| u16::try_from(n).ok());
                *answer.status_mut() =
                    status.and_then(|n| http::StatusCode::from_u16(n).ok()).unwrap_or_default();
            }
            Place::Header => put_header(service, &mut answer, member, value)?,
            Place::Headers => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    let name = HeaderName::try_from(format!("{}{name}", member.wire).to_ascii_lowercase());
                    if let (Ok(name), Some(Ok(value))) = (name, value.as_str().map(HeaderValue::from_str)) {
                        answer.headers_mut().insert(name, value);
                    }
                }
            }
            _ => {}
        }
    }
    // A part of an object.
    if service.name == "s3" && tree.get("ContentRange").is_some() {
        *answer.status_mut() = http::StatusCode::PARTIAL_CONTENT;
    }
    *answer.body_mut() = match service.protocols[0] {
        Protocol::RestJson => json_body(service, output, tree)?,
        _ => body(service, output, tree)?,
    };
    Ok(answer)
}

fn put_header(
    service: &Service,
    answer: &mut http::Response<Vec<u8>>,
    member: &super::model::Member,
    value: &Json,
) -> Result<(), Misshapen> {
    let shape = service.shape(member.shape);
    let wrong = || Misshapen::new(member.name, shape, value);
    let format = member.format.or(Some(super::model::TimeFormat::Rfc822));
    let text = scalar::to_text(shape, format, value).ok_or_else(wrong)?;
    let name = HeaderName::try_from(member.wire.to_ascii_lowercase()).map_err(|_| wrong())?;
    answer.headers_mut().insert(name, HeaderValue::from_str(&text).map_err(|_| wrong())?);
    Ok(())
}

fn body(service: &Service, output: ShapeId, tree: &Json) -> Result<Vec<u8>, Misshapen> {
    let encoder = Encoder { service, protocol: Protocol::RestXml };
    let members = service.members(output);
    let (name, id, tree) = match members.iter().find(|m| m.place == Place::Payload) {
        Some(member) => {
            let value = tree.get(member.name).unwrap_or(&Json::Null);
            let wrong = || Misshapen::new(member.name, service.shape(member.shape), value);
            match (&service.shape(member.shape).kind, value) {
                (_, Json::Null) => return Ok(vec![]),
                (Kind::Blob, Json::String(text)) => return STANDARD.decode(text).map_err(|_| wrong()),
                (Kind::Text, Json::String(text)) => return Ok(text.clone().into_bytes()),
                _ => (member.wire.as_ref(), member.shape, value),
            }
        }
        None if members.iter().all(|m| m.place != Place::Body) && !members.is_empty() => return Ok(vec![]),
        None => (root(service, service.shape(output).name), output, tree),
    };
    let mut writer = Writer::document();
    let mut result = Ok(());
    writer.root(name, &namespace(service), |w| match tree.get("LocationConstraint") {
        // The one answer that is a text and no structure.
        place if name == "LocationConstraint" => w.text(place.and_then(Json::as_str).unwrap_or_default()),
        _ => result = encoder.members(w, id, tree, ""),
    });
    result.map(|()| writer.finish().into_bytes())
}

fn json_body(service: &Service, output: ShapeId, tree: &Json) -> Result<Vec<u8>, Misshapen> {
    let members = service.members(output);
    if let Some(member) = members.iter().find(|m| m.place == Place::Payload) {
        let value = tree.get(member.name).unwrap_or(&Json::Null);
        let wrong = || Misshapen::new(member.name, service.shape(member.shape), value);
        return match (&service.shape(member.shape).kind, value) {
            (_, Json::Null) => Ok(vec![]),
            (Kind::Blob, Json::String(text)) => STANDARD.decode(text).map_err(|_| wrong()),
            (Kind::Text, Json::String(text)) => Ok(text.clone().into_bytes()),
            _ => Ok(json::encode(service, member.shape, value, "")?.to_string().into_bytes()),
        };
    }
    let elsewhere = |name: &str| members.iter().any(|m| m.name == name && m.place != Place::Body);
    let mut inside = tree.clone();
    if let Json::Object(fields) = &mut inside {
        fields.retain(|name, _| !elsewhere(name));
    }
    Ok(json::encode(service, output, &inside, "")?.to_string().into_bytes())
}

/// S3 calls its documents otherwise than its model does (API reference, "Response Syntax" of each).
fn root(service: &Service, shape: &'static str) -> &'static str {
    if service.name != "s3" {
        return shape;
    }
    match shape {
        "ListBucketsOutput" => "ListAllMyBucketsResult",
        "ListObjectsOutput" | "ListObjectsV2Output" => "ListBucketResult",
        "ListObjectVersionsOutput" => "ListVersionsResult",
        "ListPartsOutput" => "ListPartsResult",
        "ListMultipartUploadsOutput" => "ListMultipartUploadsResult",
        "DeleteObjectsOutput" => "DeleteResult",
        "CreateMultipartUploadOutput" => "InitiateMultipartUploadResult",
        "CompleteMultipartUploadOutput" => "CompleteMultipartUploadResult",
        "GetBucketLocationOutput" => "LocationConstraint",
        "GetBucketVersioningOutput" => "VersioningConfiguration",
        "GetBucketTaggingOutput" | "GetObjectTaggingOutput" => "Tagging",
        "GetBucketLifecycleConfigurationOutput" => "LifecycleConfiguration",
        "GetBucketCorsOutput" => "CORSConfiguration",
        "GetBucketAclOutput" => "AccessControlPolicy",
        "GetBucketAccelerateConfigurationOutput" => "AccelerateConfiguration",
        "GetBucketLoggingOutput" => "BucketLoggingStatus",
        "GetBucketRequestPaymentOutput" => "RequestPaymentConfiguration",
        "GetBucketWebsiteOutput" => "WebsiteConfiguration",
        other => other,
    }
}

/// The namespace of a rest-xml service's documents; botocore's models give it for requests only.
pub fn namespace(service: &Service) -> String {
    match service.name {
        "s3" => "http://s3.amazonaws.com/doc/2006-03-01/".to_owned(),
        name => format!("https://{name}.amazonaws.com/doc/{}/", service.version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_give_labels() {
        let found = labels("/2013-04-01/hostedzone/{Id}/rrset/", "/2013-04-01/hostedzone/Z1/rrset").unwrap();
        assert_eq!(found, [("Id", "Z1".to_owned())]);
        assert_eq!(labels("/2013-04-01/hostedzone/{Id}", "/2013-04-01/hostedzone/Z1/rrset"), None);
        let found = labels("/{Bucket}/{Key+}", "/b/a/%20c").unwrap();
        assert_eq!(found, [("Bucket", "b".to_owned()), ("Key", "a/ c".to_owned())]);
    }
}
