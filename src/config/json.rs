//! `.tf.json`: which properties are arguments and which are blocks, so that the trees are the same as
//! those of the native syntax.

use crate::addr::Mode;
use crate::diag::{Diagnostic, Diagnostics, Sources, Span};
use crate::lang::json::{Json, Kind, Member, Reading, read};
use crate::lang::syntax::{Attribute, Block, Body, Ident};
use crate::schema::Table;

/// Reads a `.tf.json` file.
pub fn parse_json_file(
    sources: &Sources,
    file: crate::diag::FileId,
    table: TableOf<'_>,
) -> (Body, Vec<Diagnostic>) {
    let (json, errors) = read(sources, file);
    let mut diags = Diagnostics::default();
    diags.extend(errors);
    let mut reader = Reader { diags: &mut diags, table };
    let mut body = Body { span: json.span, ..Body::default() };
    for object in reader.objects(&json, "the configuration") {
        reader.body(object, Shape::File, &mut body);
    }
    (body, diags.into_iter().collect())
}

/// The attribute table of a resource type or data source, if it is known.
pub type TableOf<'t> = &'t dyn Fn(Mode, &str) -> Option<&'static Table>;

/// What a JSON object stands for.
#[derive(Clone, Copy)]
enum Shape {
    File,
    /// Arguments only.
    Arguments(Reading),
    Variable,
    Output,
    Module,
    Provider,
    Terraform,
    Cloud,
    /// `moved`, `removed`, `import`.
    Refactoring,
    Check,
    Lifecycle,
    Provisioner,
    /// None: the type is not known.
    Resource(Option<&'static Table>),
    Nested(Option<&'static Table>),
    Dynamic(Option<&'static Table>),
}

enum Property {
    Argument(Reading),
    /// With so many labels.
    Block(usize),
}

impl Shape {
    fn property(self, name: &str) -> Property {
        use Property::{Argument, Block};
        use Reading::{Literal, References, Templates};
        match (self, name) {
            (Shape::File, "resource" | "data" | "ephemeral") => Block(2),
            (Shape::File, "variable" | "output" | "module" | "provider" | "check") => Block(1),
            (Shape::File, _) => Block(0),
            (Shape::Arguments(reading), _) => Argument(reading),
            (Shape::Variable, "type") => Argument(References),
            (Shape::Variable, "default" | "description") => Argument(Literal),
            (Shape::Variable, "validation") | (Shape::Output, "precondition") => Block(0),
            (Shape::Output, "description") => Argument(Literal),
            (Shape::Module, "source" | "version") => Argument(Literal),
            (Shape::Module, "providers") => Argument(References),
            (Shape::Provider, "alias" | "version") => Argument(Literal),
            (
                Shape::Provider,
                "assume_role"
                | "assume_role_with_web_identity"
                | "default_tags"
                | "ignore_tags"
                | "endpoints",
            ) => Block(0),
            (Shape::Terraform, "required_version") => Argument(Literal),
            (Shape::Terraform, "experiments") => Argument(References),
            (Shape::Terraform, "backend" | "provider_meta") => Block(1),
            (Shape::Terraform, "required_providers" | "cloud") => Block(0),
            (Shape::Cloud, "workspaces") => Block(0),
            (Shape::Cloud, _) => Argument(Literal),
            (Shape::Refactoring, "from" | "to" | "provider") => Argument(References),
            (Shape::Refactoring, "lifecycle") => Block(0),
            (Shape::Refactoring | Shape::Resource(_), "provisioner") => Block(1),
            (Shape::Check, "data") => Block(2),
            (Shape::Check, "assert") => Block(0),
            (Shape::Lifecycle, "ignore_changes" | "replace_triggered_by") => Argument(References),
            (Shape::Lifecycle, "precondition" | "postcondition") => Block(0),
            (Shape::Provisioner, "when" | "on_failure") => Argument(References),
            (Shape::Provisioner, "connection") => Block(0),
            (Shape::Resource(_), "provider") => Argument(References),
            (Shape::Resource(_), "lifecycle" | "connection") => Block(0),
            (Shape::Resource(_) | Shape::Output | Shape::Module, "depends_on") => Argument(References),
            (Shape::Resource(_) | Shape::Nested(_), "dynamic") => Block(1),
            (Shape::Resource(Some(table)) | Shape::Nested(Some(table)), _) => match table.row(name) {
                Some(row) if row.block_table().is_some() && !row.also_attribute => Block(0),
                _ => Argument(Templates),
            },
            (Shape::Resource(None) | Shape::Nested(None), "timeouts") => Block(0),
            (Shape::Dynamic(_), "content") => Block(0),
            (Shape::Dynamic(_), "iterator") => Argument(References),
            _ => Argument(Templates),
        }
    }

    fn inner(self, kind: &str, labels: &[Ident], table: TableOf<'_>) -> Shape {
        let label = labels.first().map(|l| &*l.name).unwrap_or_default();
        let of = |table: Option<&'static Table>, name: &str| {
            table.and_then(|t| t.row(name)).and_then(|row| row.block_table()).map(|(_, inner)| inner)
        };
        match (self, kind) {
            (Shape::File, "resource") => Shape::Resource(table(Mode::Managed, label)),
            (Shape::File | Shape::Check, "data") => Shape::Resource(table(Mode::Data, label)),
            (Shape::File, "ephemeral") => Shape::Resource(None),
            (Shape::File, "variable") => Shape::Variable,
            (Shape::File, "output") => Shape::Output,
            (Shape::File, "module") => Shape::Module,
            (Shape::File, "provider") => Shape::Provider,
            (Shape::File, "terraform") => Shape::Terraform,
            (Shape::File, "moved" | "removed" | "import") => Shape::Refactoring,
            (Shape::File, "check") => Shape::Check,
            (Shape::Terraform, "backend") => Shape::Arguments(Reading::Literal),
            (Shape::Terraform, "cloud") => Shape::Cloud,
            (_, "lifecycle") => Shape::Lifecycle,
            (_, "provisioner") => Shape::Provisioner,
            (Shape::Resource(t) | Shape::Nested(t), "dynamic") => Shape::Dynamic(of(t, label)),
            (Shape::Dynamic(t), "content") => Shape::Nested(t),
            (Shape::Resource(t) | Shape::Nested(t), name) => Shape::Nested(of(t, name)),
            _ => Shape::Arguments(Reading::Templates),
        }
    }
}

struct Reader<'a> {
    diags: &'a mut Diagnostics,
    table: TableOf<'a>,
}

/// One object of the file: its span and properties.
type Object<'j> = (Span, &'j [Member]);

impl Reader<'_> {
    /// An object, or an array of objects.
    fn objects<'j>(&mut self, json: &'j Json, what: &str) -> Vec<Object<'j>> {
        match &json.kind {
            Kind::Object(members) => vec![(json.span, members)],
            Kind::Array(items) => items.iter().flat_map(|item| self.objects(item, what)).collect(),
            Kind::Null | Kind::Error => Vec::new(),
            _ => {
                self.diags.push(
                    Diagnostic::error("expected-object", format!("{what} must be an object"))
                        .label(json.span, format!("this is {}", json.describe()))
                        .help("write `{ … }`, or an array of such objects for several"),
                );
                Vec::new()
            }
        }
    }

    fn body(&mut self, (_, members): Object<'_>, shape: Shape, into: &mut Body) {
        for member in members {
            let name = &member.name;
            // A comment.
            if name.value == "//" {
                continue;
            }
            match shape.property(&name.value) {
                Property::Argument(reading) => {
                    if let Some(first) = into.attribute(&name.value) {
                        let first = first.name.span;
                        self.diags.push(
                            Diagnostic::error(
                                "duplicate",
                                format!("the argument `{}` is set twice", name.value),
                            )
                            .label(name.span, "set again here")
                            .label(first, "first set here")
                            .help("remove one of them"),
                        );
                        continue;
                    }
                    let expr = member.value.expr(reading, self.diags);
                    let span = name.span.to(member.value.span);
                    into.attributes.push(Attribute { name: name.ident(), expr, span });
                }
                Property::Block(labels) => {
                    self.blocks(&name.ident(), Vec::new(), labels, &member.value, shape, into);
                }
            }
        }
    }

    /// The blocks of one kind: an object for each label yet to come, then one body or an array of bodies.
    fn blocks(
        &mut self,
        kind: &Ident,
        labels: Vec<Ident>,
        missing: usize,
        json: &Json,
        shape: Shape,
        into: &mut Body,
    ) {
        let what = format!("`{}`", kind.name);
        let objects = self.objects(json, &what);
        if missing == 0 {
            for object in objects {
                let inner = shape.inner(&kind.name, &labels, self.table);
                let header = labels.last().unwrap_or(kind).span;
                let mut body = Body { span: object.0, ..Body::default() };
                self.body(object, inner, &mut body);
                let span = header.to(object.0);
                into.blocks.push(Block { kind: kind.clone(), labels: labels.clone(), body, span, header });
            }
            return;
        }
        for (span, members) in objects {
            if members.is_empty() {
                self.diags.push(
                    Diagnostic::error("block-labels", format!("{what} needs a name"))
                        .at(span)
                        .help("the name is a property of this object: `{ \"<name>\": { … } }`"),
                );
            }
            for member in members {
                let mut labels = labels.clone();
                labels.push(member.name.ident());
                self.blocks(kind, labels, missing - 1, &member.value, shape, into);
            }
        }
    }
}
