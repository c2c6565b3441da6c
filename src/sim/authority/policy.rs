//! Policy documents as statements. Documents were checked when they were stored: what cannot be read here is
//! left out, and so allows nothing.

use super::condition::Condition;
use super::pattern::Pattern;
use super::{Context, Principal};
use serde_json::{Map, Value as Json};

#[derive(Clone, Debug, Default)]
pub struct Policy {
    pub statements: Vec<Statement>,
}

#[derive(Clone, Debug)]
pub struct Statement {
    pub sid: Option<String>,
    pub allows: bool,
    actions: Listed,
    /// Trust policies have none: they speak of their own role.
    resources: Option<Listed>,
    principals: Option<Principals>,
    conditions: Vec<Condition>,
    /// Since 2012-10-17 texts hold variables.
    variables: bool,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Clone, Debug)]
struct Listed {
    texts: Vec<String>,
    all_but: bool,
}

#[derive(Clone, Debug)]
struct Principals {
    /// Kind (`AWS`, `Service`, `Federated`) and name; `*` for everybody.
    names: Vec<(String, String)>,
    all_but: bool,
}

/// How a resource's policy knows a principal: what else must allow the request depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    /// The whole account: its own policies decide.
    Account,
    /// The role of a session.
    Role,
    /// The very user or session, a service, or everybody.
    Itself,
}

impl Policy {
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text).map(|json| Self::read(&json)).unwrap_or_default()
    }

    fn read(json: &Json) -> Self {
        let variables = json.get("Version").and_then(Json::as_str) == Some("2012-10-17");
        let statements = match json.get("Statement") {
            Some(Json::Array(list)) => list.iter().filter_map(Json::as_object).collect(),
            Some(Json::Object(one)) => vec![one],
            _ => Vec::new(),
        };
        Self {
            statements: statements.into_iter().filter_map(|one| Statement::read(one, variables)).collect(),
        }
    }
}

impl Statement {
    fn read(json: &Map<String, Json>, variables: bool) -> Option<Self> {
        let effect = json.get("Effect")?.as_str()?;
        let conditions = match json.get("Condition") {
            Some(Json::Object(operators)) => Condition::read_all(operators),
            _ => Vec::new(),
        };
        Some(Self {
            sid: json.get("Sid").and_then(Json::as_str).filter(|sid| !sid.is_empty()).map(str::to_owned),
            allows: effect.eq_ignore_ascii_case("allow"),
            actions: Listed::read(json, "Action", "NotAction")?,
            resources: Listed::read(json, "Resource", "NotResource"),
            principals: Principals::read(json),
            conditions,
            variables,
        })
    }

    /// Action, resource and conditions; a statement without resources is about whatever it is attached to.
    pub fn applies(&self, action: &str, resource: &str, context: &Context) -> bool {
        let named = |text: &str| Pattern::new(&text.to_lowercase()).matches(&action.to_lowercase());
        let meant = |text: &str| {
            Pattern::expand(text, context, self.variables)
                .is_some_and(|pattern| pattern.matches_arn(resource))
        };
        self.actions.has(named)
            && self.resources.as_ref().is_none_or(|resources| resources.has(meant))
            && self.conditions.iter().all(|one| one.holds(context, self.variables))
    }

    /// None when a policy's statement does not speak of this principal.
    pub fn knows(&self, principal: &Principal) -> Option<Known> {
        let principals = self.principals.as_ref()?;
        let found = principals.names.iter().filter_map(|(kind, name)| known(kind, name, principal)).max();
        match (principals.all_but, found) {
            (false, found) => found,
            (true, None) => Some(Known::Itself),
            (true, Some(_)) => None,
        }
    }
}

impl Listed {
    fn read(json: &Map<String, Json>, name: &str, not: &str) -> Option<Self> {
        let (value, all_but) = match (json.get(name), json.get(not)) {
            (Some(value), _) => (value, false),
            (None, Some(value)) => (value, true),
            (None, None) => return None,
        };
        Some(Self { texts: texts(value), all_but })
    }

    fn has(&self, matches: impl Fn(&str) -> bool) -> bool {
        self.texts.iter().any(|text| matches(text)) != self.all_but
    }
}

impl Principals {
    fn read(json: &Map<String, Json>) -> Option<Self> {
        let (value, all_but) = match (json.get("Principal"), json.get("NotPrincipal")) {
            (Some(value), _) => (value, false),
            (None, Some(value)) => (value, true),
            (None, None) => return None,
        };
        let names = match value {
            Json::String(all) => vec![("*".to_owned(), all.clone())],
            Json::Object(kinds) => kinds
                .iter()
                .flat_map(|(kind, names)| texts(names).into_iter().map(move |name| (kind.clone(), name)))
                .collect(),
            _ => Vec::new(),
        };
        Some(Self { names, all_but })
    }
}

fn known(kind: &str, name: &str, principal: &Principal) -> Option<Known> {
    if (kind == "*" || kind == "AWS") && name == "*" {
        return Some(Known::Itself);
    }
    match principal {
        Principal::Service(service) => (kind == "Service" && name == service).then_some(Known::Itself),
        Principal::Federated(provider) => (kind == "Federated" && name == provider).then_some(Known::Itself),
        Principal::Account { arn, account, role } if kind == "AWS" => {
            let root = format!(":iam::{account}:root");
            if name == arn {
                Some(Known::Itself)
            } else if role.as_deref() == Some(name) {
                Some(Known::Role)
            } else if name == account || name.ends_with(&root) {
                Some(Known::Account)
            } else {
                None
            }
        }
        Principal::Account { .. } => None,
    }
}

/// A string, or a list of strings; numbers and booleans as they are written.
pub(super) fn texts(value: &Json) -> Vec<String> {
    match value {
        Json::String(one) => vec![one.clone()],
        Json::Array(list) => list.iter().flat_map(texts).collect(),
        Json::Bool(one) => vec![one.to_string()],
        Json::Number(one) => vec![one.to_string()],
        _ => Vec::new(),
    }
}
