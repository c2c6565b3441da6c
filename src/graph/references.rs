//! What a reference means, and what is wrong with one whatever the values: that is told also where it is
//! never evaluated (in `try`, in the branch not taken, in a block without instances), as in Terraform.

use super::{Graph, ModuleId, Node};
use crate::addr::Mode;
use crate::config::{DeclKey, Repetition};
use crate::diag::{Diagnostic, nearest};
use crate::lang::eval::follow;
use crate::lang::syntax::{Step, Traversal};
use crate::schema::{Nesting, Table};
use crate::value::{Type, Value};
use std::sync::Arc;

impl Graph {
    /// Reports a reference of `user` that leads nowhere inside of what it names.
    pub(super) fn look_into(&mut self, id: ModuleId, t: &Traversal, user: &Node) {
        match &*t.root {
            "each" | "count" => {
                let around = self.repetition_around(id, user);
                let wrong = around.and_then(|around| misplaced(t, around));
                self.mistaken(user, wrong);
            }
            "self" if !matches!(user, Node::Resource(..) | Node::Steering(..)) => {
                self.mistaken(user, [self_outside(t)]);
            }
            _ => {
                let wrong = self.wrong_steps(id, t);
                self.misled |= !wrong.is_empty();
                self.mistaken(user, wrong);
            }
        }
    }

    /// A reference that shall name a declaration, and names something inside of it.
    pub(super) fn not_whole(&self, id: ModuleId, t: &Traversal) -> Option<Diagnostic> {
        if matches!(&*t.root, "var" | "local" | "module" | "path" | "terraform" | "self") {
            return None;
        }
        let (key, used) = reference_key(t)?;
        let resource = self.modules[id].module.resources.get(&key)?;
        let (step, rest) = t.steps.get(used..)?.split_first()?;
        match (step, &resource.repetition) {
            (Step::Index(..), Repetition::Single) => Some(superfluous_key(&key.to_string(), t)),
            (Step::Index(..), _) if rest.is_empty() => None,
            _ => {
                let d =
                    Diagnostic::error("expected-references", "only a whole declaration can be waited for");
                Some(d.at(t.span).help(format!("write `{key}`")))
            }
        }
    }

    /// What `each` and `count` would mean in an expression of `user`; None: it is not for us to say.
    fn repetition_around(&self, id: ModuleId, user: &Node) -> Option<&Repetition> {
        match user {
            Node::Resource(module, key) if *module == id => {
                let imported = self.modules[0].module.imports.iter().any(|i| i.for_each.is_some());
                let resource = self.modules[*module].module.resources.get(key)?;
                (!imported).then_some(&resource.repetition)
            }
            Node::Local(..) | Node::Output(..) | Node::Check(..) => Some(&Repetition::Single),
            _ => None,
        }
    }

    /// The same mistakes for who evaluates; where there are none it costs nothing.
    pub fn check_steps(&self, id: ModuleId, t: &Traversal) -> Result<(), Diagnostic> {
        let wrong = if self.misled { self.wrong_steps(id, t) } else { Vec::new() };
        wrong.into_iter().next().map_or(Ok(()), Err)
    }

    fn wrong_steps(&self, id: ModuleId, t: &Traversal) -> Vec<Diagnostic> {
        if matches!(&*t.root, "var" | "local" | "module" | "path" | "terraform" | "self") {
            return Vec::new();
        }
        let Some((key, used)) = reference_key(t) else { return Vec::new() };
        let Some(resource) = self.modules[id].module.resources.get(&key) else { return Vec::new() };
        let mut wrong = Vec::new();
        let steps = match (t.steps.get(used), &resource.repetition) {
            (None, _) => return wrong,
            (Some(Step::Index(..)), repetition) => {
                if matches!(repetition, Repetition::Single) {
                    wrong.push(superfluous_key(&key.to_string(), t));
                }
                &t.steps[used + 1..]
            }
            (Some(step @ Step::Attr(..)), repetition) => {
                wrong.extend(missing_key(&key, step, repetition));
                &t.steps[used..]
            }
        };
        let schema = match key.mode {
            Mode::Managed => self.provider.resource(&key.type_name),
            Mode::Data => self.provider.data(&key.type_name),
        };
        let wrong_step = schema.map(|schema| match steps {
            [Step::Attr(name, _), rest @ ..] if &**name == "id" => {
                follow(Value::unknown(Type::String), rest).map(|_| ())
            }
            steps => into_table(schema.table, steps, &key.to_string()),
        });
        wrong.extend(wrong_step.and_then(Result::err));
        wrong
    }

    /// The declarations that a reference in a module means.
    pub fn targets(&self, id: ModuleId, t: &Traversal) -> Result<Vec<Node>, Box<Diagnostic>> {
        let entry = &self.modules[id];
        let module = &entry.module;
        let step = t.attr(0);
        let name = |what: &str| {
            step.ok_or_else(|| {
                Diagnostic::error("incomplete-reference", format!("`{}` needs a name after it", t.root))
                    .at(t.span)
                    .help(format!("write `{}.<name>`: {what}", t.root))
            })
        };
        match &*t.root {
            "each" | "count" | "self" => Ok(Vec::new()),
            "path" if !matches!(step, Some("module" | "root" | "cwd")) => {
                Err(Box::new(no_member(t, "`module`, `root` and `cwd`")))
            }
            "terraform" if !matches!(step, Some("workspace" | "env")) => {
                Err(Box::new(no_member(t, "`workspace`")))
            }
            "path" | "terraform" => Ok(Vec::new()),
            "var" => {
                let name = name("a variable of this module")?;
                match module.variables.get_key_value(name) {
                    Some((name, _)) => Ok(vec![Node::Variable(id, name.clone())]),
                    None => Err(self.undeclared("variable", name, t, module.variables.keys(), |n| {
                        format!("variable \"{n}\" {{ }}")
                    })),
                }
            }
            "local" => {
                let name = name("a local of this module")?;
                match module.locals.get_key_value(name) {
                    Some((name, _)) => Ok(vec![Node::Local(id, name.clone())]),
                    None => Err(self.undeclared("local", name, t, module.locals.keys(), |n| {
                        format!("locals {{ {n} = … }}")
                    })),
                }
            }
            "module" => {
                let name = name("a module block")?;
                match entry.children.get(name) {
                    Some(child) => Ok(self.module_targets(*child, t)),
                    // Its directory could not be read: already reported.
                    None if module.calls.contains_key(name) => Ok(Vec::new()),
                    None => Err(self.undeclared("module", name, t, module.calls.keys(), |n| {
                        format!("module \"{n}\" {{ … }}")
                    })),
                }
            }
            _ => self.resource_target(id, t),
        }
    }

    fn module_targets(&self, child: ModuleId, t: &Traversal) -> Vec<Node> {
        let module = &self.modules[child].module;
        // The first attribute after the instance key, if any; the key may be written as an attribute.
        let entry = &self.modules[child];
        let call = entry.parent.and_then(|parent| self.modules[parent].module.calls.get(&entry.name));
        let by_key = call.is_some_and(|call| matches!(call.repetition, Repetition::ForEach(_)));
        let output = t.steps.iter().skip(if by_key { 2 } else { 1 }).find_map(|s| match s {
            crate::lang::syntax::Step::Attr(name, _) => Some(name),
            crate::lang::syntax::Step::Index(..) => None,
        });
        let mut targets = vec![Node::Call(child)];
        match output {
            // One that there is not is told where it is evaluated: `try(…)` may ask for it.
            Some(name) => {
                let output = module.outputs.get_key_value(&**name);
                targets.extend(output.map(|(name, _)| Node::Output(child, name.clone())));
            }
            None => self.subtree(child, &mut targets),
        }
        targets
    }

    /// Everything that happens in a module and those inside it.
    fn subtree(&self, id: ModuleId, into: &mut Vec<Node>) {
        let module = &self.modules[id].module;
        into.extend(module.outputs.keys().map(|n| Node::Output(id, n.clone())));
        into.extend(module.resources.keys().map(|k| Node::Resource(id, k.clone())));
        self.modules[id].children.values().for_each(|child| self.subtree(*child, into));
    }

    fn resource_target(&self, id: ModuleId, t: &Traversal) -> Result<Vec<Node>, Box<Diagnostic>> {
        let module = &self.modules[id].module;
        let Some((key, _)) = reference_key(t) else {
            let mut d =
                Diagnostic::error("unknown-name", format!("there is nothing named `{}`", t.root)).at(t.span);
            let roots = ["var", "local", "module", "data", "each", "count", "path", "terraform", "self"];
            d = match nearest(&t.root, roots) {
                Some(near) => d.help(format!("did you mean `{near}.…`?")),
                None => d.help(format!("a string is written in quotes: \"{}\"", t.root)),
            };
            return Err(Box::new(d));
        };
        let node = Node::Resource(id, key.clone());
        if self.has(&node) {
            return Ok(vec![node]);
        }
        let what = if key.mode == Mode::Data { "data source" } else { "resource" };
        let d =
            Diagnostic::error("undeclared-resource", format!("there is no {what} `{key}` in this module"))
                .at(t.span);
        if !self.may_compare(module.resources.len()) {
            return Err(Box::new(d.help("declare it, or correct the name")));
        }
        let names: Vec<String> =
            module.resources.keys().filter(|k| k.mode == key.mode).map(|k| k.to_string()).collect();
        let wanted = key.to_string();
        Err(Box::new(match nearest(&wanted, names.iter().map(String::as_str)) {
            Some(near) => d.help(format!("did you mean `{near}`?")),
            None if names.is_empty() => d.help("declare it: this module has none"),
            None => d.help(format!("declare it, or refer to one that this module has: {}", few(&names))),
        }))
    }

    pub fn no_output(&self, child: ModuleId, name: &str, t: &Traversal) -> Diagnostic {
        let module = &self.modules[child].module;
        *self.undeclared("output", name, t, module.outputs.keys(), |n| {
            format!("output \"{n}\" {{ value = … }}` in `{}", module.dir.display())
        })
    }

    fn undeclared<'n>(
        &self,
        what: &str,
        name: &str,
        t: &Traversal,
        known: impl ExactSizeIterator<Item = &'n Arc<str>>,
        declaration: impl Fn(&str) -> String,
    ) -> Box<Diagnostic> {
        let d = Diagnostic::error("undeclared", format!("there is no {what} `{name}`")).at(t.span);
        let near = if self.may_compare(known.len()) { nearest(name, known.map(|n| &**n)) } else { None };
        Box::new(match near {
            Some(near) => d.help(format!("did you mean `{near}`?")),
            None => d.help(format!("declare it: `{}`", declaration(name))),
        })
    }

    fn may_compare(&self, names: usize) -> bool {
        let left = self.comparisons.get();
        self.comparisons.set(left.saturating_sub(names));
        left >= names
    }
}

/// `each` or `count` where there is none, or something that they do not have.
fn misplaced(t: &Traversal, around: &Repetition) -> Option<Diagnostic> {
    match (&*t.root, t.attr(0), around) {
        ("each", Some("key" | "value"), Repetition::Single | Repetition::Count(_)) => Some(each_outside(t)),
        ("each", Some(name), _) if !matches!(name, "key" | "value") => {
            Some(no_member(t, "`key` and `value`"))
        }
        ("count", Some("index"), Repetition::Single | Repetition::ForEach(_)) => Some(count_outside(t)),
        ("count", Some(name), _) if name != "index" => Some(no_member(t, "`index`")),
        _ => None,
    }
}

pub fn no_member(t: &Traversal, members: &str) -> Diagnostic {
    Diagnostic::error("unknown-name", format!("`{}` has only {members}", t.root)).at(t.span)
}

pub fn self_outside(t: &Traversal) -> Diagnostic {
    Diagnostic::error("self-outside", "`self` is known only in postconditions and provisioners")
        .at(t.span)
        .help("refer to the resource by its name")
}

pub fn each_outside(t: &Traversal) -> Diagnostic {
    Diagnostic::error("each-outside", "`each` is known only where `for_each` is set")
        .at(t.span)
        .help("add `for_each = …` to this block")
}

pub fn count_outside(t: &Traversal) -> Diagnostic {
    Diagnostic::error("count-outside", "`count.index` is known only where `count` is set")
        .at(t.span)
        .help("add `count = …` to this block")
}

pub fn superfluous_key(what: &str, t: &Traversal) -> Diagnostic {
    Diagnostic::error("no-such-instance", format!("`{what}` has no such instance"))
        .at(t.span)
        .help(format!("it has neither `count` nor `for_each`: write `{what}` without a key"))
}

/// An attribute of all instances at once.
pub fn missing_key(key: &DeclKey, step: &Step, repetition: &Repetition) -> Option<Diagnostic> {
    let Step::Attr(attribute, span) = step else { return None };
    let (many, index) = match repetition {
        Repetition::Count(_) => ("count", "[0]"),
        Repetition::ForEach(_) => ("for_each", "[\"key\"]"),
        Repetition::Single | Repetition::Enabled(_) => return None,
    };
    let problem = format!("`{key}` has `{many}`: say which instance is meant");
    Some(
        Diagnostic::error("missing-instance-key", problem)
            .at(*span)
            .help(format!("write `{key}{index}.{attribute}`, or `{key}[*].{attribute}` for all")),
    )
}

/// Follows constant steps through an attribute table; `path` is what leads to it.
fn into_table(table: &Table, steps: &[Step], path: &str) -> Result<(), Diagnostic> {
    let (name, span, rest) = match steps {
        [] => return Ok(()),
        [Step::Attr(name, span), rest @ ..] => (name, *span, rest),
        [Step::Index(key, span), ..] => {
            let d = Diagnostic::error("invalid-index", format!("`{path}` is one object: it takes no index"));
            return Err(match key.as_str() {
                Some(name) => d.at(*span).help(format!("write `{path}.{name}`")),
                None => d.at(*span).help("name one of its attributes: `.…`"),
            });
        }
    };
    let Some(row) = table.row(name) else { return Err(no_attribute(table, name, path).at(span)) };
    let path = format!("{path}.{name}");
    let Some((nesting, inner)) = row.block_table().filter(|_| !row.also_attribute) else {
        return follow(Value::unknown(row.ty()), rest).map(|_| ());
    };
    match (nesting, rest) {
        (_, []) => Ok(()),
        (Nesting::Single, rest) => into_table(inner, rest, &path),
        (Nesting::List, [Step::Index(..), rest @ ..]) => into_table(inner, rest, &format!("{path}[0]")),
        (Nesting::List, [Step::Attr(attribute, span), ..]) => {
            let d = Diagnostic::error("unknown-attribute", format!("`{path}` is a list of blocks")).at(*span);
            Err(d.help(format!("write `{path}[0].{attribute}`, or `{path}[*].{attribute}` for all")))
        }
        (Nesting::Set, [Step::Attr(_, span) | Step::Index(_, span), ..]) => {
            let d =
                Diagnostic::error("invalid-index", format!("`{path}` is a set of blocks: they have no keys"));
            Err(d.at(*span).help(format!("go through all: `[for x in {path} : … if …]`, or `one({path})`")))
        }
    }
}

fn no_attribute(table: &Table, name: &str, path: &str) -> Diagnostic {
    let d = Diagnostic::error("unknown-attribute", format!("`{path}` has no attribute `{name}`"));
    match nearest(name, table.rows.iter().map(|row| row.name).chain(["id"])) {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => {
            let names: Vec<String> = table.rows.iter().map(|row| row.name.to_owned()).collect();
            d.help(format!("it has {}", few(&names)))
        }
    }
}

/// `data.aws_ami.x.id` → (data.aws_ami.x, 2): the declaration named, and the steps used up.
pub fn reference_key(t: &Traversal) -> Option<(DeclKey, usize)> {
    if &*t.root == "data" {
        let key = DeclKey { mode: Mode::Data, type_name: t.name(0)?.clone(), name: t.name(1)?.clone() };
        return Some((key, 2));
    }
    let key = DeclKey { mode: Mode::Managed, type_name: t.root.clone(), name: t.name(0)?.clone() };
    Some((key, 1))
}

/// The first of them, and how many more.
fn few(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let first = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        Some(more) => format!("{first} and {more} more"),
        None => first,
    }
}
