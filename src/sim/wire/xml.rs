//! XML: bodies of rest-xml requests → tree, and tree → answers of awsQuery, ec2Query and rest-xml.

use super::model::{Kind, Member, Place, Protocol, Service, ShapeId};
use super::{Malformed, Misshapen, scalar};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use serde_json::{Map, Value as Json};

#[derive(Debug, Default)]
pub struct Element {
    /// Without namespace prefix.
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub text: String,
    pub children: Vec<Element>,
}

/// Deeper than any API's shapes.
const MAX_DEPTH: usize = 128;

impl Element {
    /// The root element of a document.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(body).map_err(|e| Malformed::Document(e.to_string()))?;
        let bad = |e: quick_xml::Error| Malformed::Document(e.to_string());
        let mut reader = Reader::from_str(text);
        let mut open = vec![Element::default()];
        loop {
            let event = reader.read_event().map_err(bad)?;
            let last = open.last_mut().expect("the document itself is never closed");
            match event {
                Event::Start(start) => open.push(Element::start(&start)?),
                Event::Empty(start) => last.children.push(Element::start(&start)?),
                Event::End(_) => {
                    let done = open.pop().expect("the reader checks that tags match");
                    open.last_mut().expect("below it is the document").children.push(done);
                }
                Event::Text(text) => last.text += &text.xml10_content(),
                Event::CData(text) => last.text += &text.xml10_content(),
                Event::GeneralRef(reference) => {
                    let resolved = quick_xml::escape::unescape(&format!("&{};", &*reference))
                        .map(|c| c.into_owned())
                        .map_err(|e| Malformed::Document(e.to_string()))?;
                    last.text += &resolved;
                }
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
            if open.len() > MAX_DEPTH {
                return Err(Malformed::Document("nested too deeply".to_owned()));
            }
        }
        let document = open.swap_remove(0);
        document.children.into_iter().next().ok_or_else(|| Malformed::Document("no element".to_owned()))
    }

    fn start(start: &BytesStart) -> Result<Self, Malformed> {
        let mut element = Element { name: start.local_name().as_ref().to_owned(), ..Element::default() };
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|e| Malformed::Document(e.to_string()))?;
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|e| Malformed::Document(e.to_string()))?;
            element.attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
        }
        Ok(element)
    }

    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|c| c.name == name)
    }

    fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Element> {
        self.children.iter().filter(move |c| c.name == name)
    }
}

/// The members of a structure that travel in the body.
pub fn decode(service: &Service, id: ShapeId, element: &Element, at: &str) -> Result<Json, Malformed> {
    let mut tree = Map::new();
    for member in service.members(id).iter().filter(|m| m.place == Place::Body) {
        let at = if at.is_empty() { member.name.to_owned() } else { format!("{at}.{}", member.name) };
        if let Some(value) = decode_member(service, member, element, &at)? {
            tree.insert(member.name.to_owned(), value);
        }
    }
    Ok(Json::Object(tree))
}

fn decode_member(
    service: &Service,
    member: &Member,
    parent: &Element,
    at: &str,
) -> Result<Option<Json>, Malformed> {
    if member.attribute {
        let shape = service.shape(member.shape);
        let found = parent.attributes.iter().find(|(name, _)| *name == member.wire);
        return found
            .map(|(_, text)| scalar::from_text(shape, text).ok_or_else(|| Malformed::value(at, text, shape)))
            .transpose();
    }
    if let Kind::List { item, flattened, .. } = &service.shape(member.shape).kind
        && (*flattened || member.flattened)
    {
        let items: Vec<_> = parent
            .all(&member.wire)
            .enumerate()
            .map(|(i, e)| decode_value(service, *item, e, &format!("{at}.{}", i + 1)))
            .collect::<Result<_, _>>()?;
        return Ok((!items.is_empty()).then_some(Json::Array(items)));
    }
    parent.child(&member.wire).map(|e| decode_value(service, member.shape, e, at)).transpose()
}

fn decode_value(service: &Service, id: ShapeId, element: &Element, at: &str) -> Result<Json, Malformed> {
    let shape = service.shape(id);
    match &shape.kind {
        Kind::Structure(_) => decode(service, id, element, at),
        Kind::List { item, wire, .. } => element
            .all(wire)
            .enumerate()
            .map(|(i, e)| decode_value(service, *item, e, &format!("{at}.{}", i + 1)))
            .collect(),
        Kind::Map { key_wire, value, value_wire, .. } => {
            let mut map = Map::new();
            for entry in element.all("entry") {
                if let (Some(key), Some(content)) = (entry.child(key_wire), entry.child(value_wire)) {
                    map.insert(key.text.clone(), decode_value(service, *value, content, at)?);
                }
            }
            Ok(Json::Object(map))
        }
        _ => {
            scalar::from_text(shape, &element.text).ok_or_else(|| Malformed::value(at, &element.text, shape))
        }
    }
}

/// Writes elements one after another.
#[derive(Debug, Default)]
pub struct Writer {
    text: String,
}

impl Writer {
    pub fn document() -> Self {
        Self { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned() }
    }

    /// `<name xmlns="…">…</name>`
    pub fn root(&mut self, name: &str, namespace: &str, content: impl FnOnce(&mut Self)) {
        self.text += &format!("<{name} xmlns=\"{}\">", quick_xml::escape::escape(namespace));
        content(self);
        self.text += &format!("</{name}>");
    }

    pub fn element<R>(&mut self, name: &str, content: impl FnOnce(&mut Self) -> R) -> R {
        self.text += &format!("<{name}>");
        let before = self.text.len();
        let result = content(self);
        if self.text.len() == before {
            self.text.truncate(before - 1);
            self.text += "/>";
        } else {
            self.text += &format!("</{name}>");
        }
        result
    }

    pub fn leaf(&mut self, name: &str, text: &str) {
        self.element(name, |w| w.escaped(text));
    }

    pub fn text(&mut self, text: &str) {
        self.escaped(text);
    }

    fn escaped(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.text += "&amp;",
                '<' => self.text += "&lt;",
                '>' => self.text += "&gt;",
                // A reader would turn a bare one into a newline.
                '\r' => self.text += "&#xD;",
                // XML 1.0 has no way to carry these.
                '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' => {}
                _ => self.text.push(c),
            }
        }
    }

    pub fn finish(self) -> String {
        self.text
    }
}

/// Writes the members of an answer that travel in its body.
pub struct Encoder<'a> {
    pub service: &'a Service,
    pub protocol: Protocol,
}

impl Encoder<'_> {
    pub fn members(&self, to: &mut Writer, id: ShapeId, tree: &Json, at: &str) -> Result<(), Misshapen> {
        let Json::Object(fields) = tree else {
            return Err(Misshapen::new(at, self.service.shape(id), tree));
        };
        Misshapen::check_members(self.service, id, fields, at)?;
        for member in self.service.members(id).iter().filter(|m| m.place == Place::Body && !m.attribute) {
            let at = format!("{at}.{}", member.name);
            match fields.get(member.name).filter(|v| !v.is_null()) {
                Some(value) => self.member(to, member, value, &at)?,
                None => self.absent(to, member, &at),
            }
        }
        Ok(())
    }

    /// Query services answer their top-level lists even when there is nothing in them.
    fn absent(&self, to: &mut Writer, member: &Member, at: &str) {
        let list = matches!(self.service.shape(member.shape).kind, Kind::List { .. });
        let top = at.bytes().filter(|b| *b == b'.').count() == 1;
        if list && top && self.protocol != Protocol::RestXml {
            to.element(&member.wire, |_| ());
        }
    }

    fn member(&self, to: &mut Writer, member: &Member, value: &Json, at: &str) -> Result<(), Misshapen> {
        let shape = self.service.shape(member.shape);
        if let (Kind::List { item, flattened, .. }, Json::Array(items)) = (&shape.kind, value)
            && (*flattened || member.flattened)
        {
            return items.iter().try_for_each(|v| self.element(to, &member.wire, *item, v, None, at));
        }
        self.element(to, &member.wire, member.shape, value, member.format, at)
    }

    /// One element, with a structure's attribute members in its tag.
    fn element(
        &self,
        to: &mut Writer,
        name: &str,
        id: ShapeId,
        value: &Json,
        format: Option<super::model::TimeFormat>,
        at: &str,
    ) -> Result<(), Misshapen> {
        let attributes = self.service.members(id).iter().filter(|m| m.attribute);
        let mut with: Vec<(&str, &str)> = Vec::new();
        for member in attributes {
            if let Some(text) = value.get(member.name).and_then(Json::as_str) {
                with.push((&member.wire, text));
            }
        }
        if with.is_empty() {
            return to.element(name, |to| self.content(to, id, value, format, at));
        }
        to.text += &format!("<{name}");
        for (key, text) in with {
            // The only attribute AWS has is S3's xsi:type.
            to.text += " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
            to.text += &format!(" {key}=\"{}\"", quick_xml::escape::escape(text));
        }
        to.text += ">";
        self.content(to, id, value, format, at)?;
        to.text += &format!("</{name}>");
        Ok(())
    }

    fn content(
        &self,
        to: &mut Writer,
        id: ShapeId,
        value: &Json,
        format: Option<super::model::TimeFormat>,
        at: &str,
    ) -> Result<(), Misshapen> {
        let shape = self.service.shape(id);
        match (&shape.kind, value) {
            (Kind::Structure(_), _) => self.members(to, id, value, at),
            (Kind::List { item, wire, .. }, Json::Array(items)) => {
                items.iter().try_for_each(|v| self.element(to, wire, *item, v, None, at))
            }
            (Kind::Map { key_wire, value: content, value_wire, .. }, Json::Object(entries)) => {
                entries.iter().filter(|(_, v)| !v.is_null()).try_for_each(|(k, v)| {
                    to.element("entry", |to| {
                        to.leaf(key_wire, k);
                        self.element(to, value_wire, *content, v, None, at)
                    })
                })
            }
            _ => {
                let text =
                    scalar::to_text(shape, format, value).ok_or_else(|| Misshapen::new(at, shape, value))?;
                to.escaped(&text);
                Ok(())
            }
        }
    }
}
