//! A plan as JSON, for tools. `format_version` goes up when something that stood here changes.

use crate::plan::steps::rollouts;
use crate::plan::{Action, Change, Plan};
use crate::schema::Object;
use crate::value::{Kind, Value, to_json};
use serde_json::{Map, Value as Json, json};

pub const FORMAT_VERSION: &str = "1.0";

pub fn plan(plan: &Plan) -> Json {
    let outputs: Map<String, Json> = plan
        .outputs
        .iter()
        .map(|(name, o)| {
            let after = if o.sensitive { Json::Null } else { known(&o.after) };
            let entry = json!({
                "changed": o.changed,
                "sensitive": o.sensitive,
                "after": after,
                "after_unknown": unknown(&o.after),
            });
            (name.clone(), entry)
        })
        .collect();
    json!({
        "format_version": FORMAT_VERSION,
        "empty": plan.is_empty(),
        "summary": {
            "create": plan.count(Action::Create),
            "update": plan.count(Action::Update),
            "replace": plan.count(Action::Replace),
            "delete": plan.count(Action::Delete),
            "read": plan.count(Action::Read),
            "none": plan.count(Action::None),
            "import": plan.changes.iter().filter(|c| c.importing.is_some()).count(),
            "move": plan.changes.iter().filter(|c| c.previous.is_some()).count(),
            "forget": plan.count(Action::Forget),
        },
        "changes": plan.changes.iter().map(|c| change(c)).collect::<Vec<_>>(),
        "rollouts": rollouts(plan),
        "outputs": outputs,
        "checks": plan.checks,
    })
}

fn change(change: &Change) -> Json {
    let attributes: Vec<Json> = change
        .attributes
        .iter()
        .map(|a| {
            let hide = |v: Json| if a.sensitive { Json::Null } else { v };
            json!({
                "name": a.name,
                "before": hide(a.before.as_ref().map_or(Json::Null, known)),
                "after": hide(known(&a.after)),
                "after_unknown": unknown(&a.after),
                "sensitive": a.sensitive,
                "cause": a.cause,
                "replaces": a.replaces,
            })
        })
        .collect();
    json!({
        "address": change.address,
        "type": change.address.type_name,
        "provider": change.provider,
        "action": change.action,
        "reason": change.reason,
        "id": change.id,
        "previous_address": change.previous,
        "importing": change.importing.as_ref().map(|id| json!({ "id": id })),
        "create_before_destroy": change.create_before_destroy,
        "attributes": attributes,
        "after": object(&change.after),
        "after_unknown": Json::Object(
            change.after.0.iter().filter(|(_, v)| !v.is_wholly_known()).map(|(k, v)| (k.to_string(), unknown(v))).collect(),
        ),
        "rollout": change.rollout,
    })
}

fn object(object: &Object) -> Json {
    Json::Object(
        object.0.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.to_string(), known(v))).collect(),
    )
}

/// The known parts; unknown and sensitive ones are null.
pub fn known(value: &Value) -> Json {
    if value.marks.sensitive || value.is_unknown() || crate::state::is_digest(value) {
        return Json::Null;
    }
    match &value.kind {
        Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
            Json::Array(items.iter().map(known).collect())
        }
        Kind::Map(_, items) | Kind::Object(items) => {
            Json::Object(items.iter().map(|(k, v)| (k.to_string(), known(v))).collect())
        }
        _ => to_json(value).unwrap_or(Json::Null),
    }
}

/// True where unknown, in the value's own shape (as Terraform's `after_unknown`).
pub fn unknown(value: &Value) -> Json {
    if value.is_unknown() {
        return Json::Bool(true);
    }
    if value.is_wholly_known() {
        return Json::Bool(false);
    }
    match &value.kind {
        Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
            Json::Array(items.iter().map(unknown).collect())
        }
        Kind::Map(_, items) | Kind::Object(items) => Json::Object(
            items
                .iter()
                .filter(|(_, v)| !v.is_wholly_known())
                .map(|(k, v)| (k.to_string(), unknown(v)))
                .collect(),
        ),
        _ => Json::Bool(false),
    }
}
