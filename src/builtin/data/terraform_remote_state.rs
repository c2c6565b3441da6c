//! Data source `terraform_remote_state`: another root's outputs, from a state file on this machine.

use crate::aws::AwsError;
use crate::builtin::{BuiltinData, Context};
use crate::schema::{ID, Object, TypeSchema, attributes};
use crate::value::{Map, Value, from_json, parse_type, value_of_type};
use async_trait::async_trait;
use serde_json::Value as Json;
use std::path::PathBuf;
use std::sync::Arc;

attributes! {
    TABLE:
    BACKEND: Str = required("backend");
    CONFIG: Any = optional("config").doc("`{ path = \"../network/terraform.tfstate\" }`");
    DEFAULTS: Any = optional("defaults").doc("Outputs to use where the state has none");
    OUTPUTS: Any = computed("outputs");
    WORKSPACE: Str = optional("workspace");
}

static SCHEMA: TypeSchema =
    TypeSchema { doc: "Another root's outputs", ..TypeSchema::new("terraform_remote_state", &TABLE) };

fn problem(code: &str, message: impl Into<String>) -> AwsError {
    AwsError::failed("read", code, message)
}

/// Where the backend `local` keeps the state.
fn path(cx: &Context, want: &Object) -> Result<PathBuf, AwsError> {
    let config = want.value("config").and_then(Value::as_map);
    let text = |name: &str| config.and_then(|c| c.get(name)).and_then(Value::as_str);
    let workspace = want.get(&WORKSPACE).filter(|w| !w.is_empty() && w != "default");
    Ok(match workspace {
        Some(workspace) => {
            let directory = text("workspace_dir").unwrap_or("terraform.tfstate.d");
            cx.root.join(directory).join(workspace).join("terraform.tfstate")
        }
        None => cx.root.join(text("path").unwrap_or("terraform.tfstate")),
    })
}

/// Outputs of a Terraform state (with types), or of one of ours.
fn outputs(state: &Json) -> Result<Map, AwsError> {
    let mut outputs = Map::new();
    for (name, output) in state.get("outputs").and_then(Json::as_object).into_iter().flatten() {
        let json = output.get("value").unwrap_or(&Json::Null);
        let typed =
            output.get("type").and_then(parse_type).and_then(|ty| value_of_type(json, &ty, &|_| None));
        let mut value = typed.unwrap_or_else(|| from_json(json));
        if output.get("sensitive").and_then(Json::as_bool) == Some(true) {
            value = value.sensitive();
        }
        let sealed = value.any(&mut |v| v.as_str().is_some_and(|s| s.starts_with("digest:v1:")));
        if sealed {
            let message = format!("output `{name}` is sensitive: Cutover's state holds a digest of it only");
            return Err(problem("SealedOutput", message));
        }
        outputs.insert(Arc::from(name.as_str()), value);
    }
    Ok(outputs)
}

pub struct TerraformRemoteState;

#[async_trait(?Send)]
impl BuiltinData for TerraformRemoteState {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, cx: &Context, want: &Object) -> Result<Object, AwsError> {
        let backend = want.need(&BACKEND);
        if backend != "local" {
            let message = format!(
                "the backend `{backend}` cannot be read yet, only `local`; pass what you need as variables"
            );
            return Err(problem("UnsupportedBackend", message));
        }
        let path = path(cx, want)?;
        let text = std::fs::read_to_string(&path)
            .map_err(|e| problem("NoState", format!("cannot read `{}`: {e}", path.display())))?;
        let state: Json = serde_json::from_str(&text)
            .map_err(|e| problem("DamagedState", format!("`{}` is no state: {e}", path.display())))?;
        let mut all = want.value("defaults").and_then(Value::as_map).cloned().unwrap_or_default();
        all.extend(outputs(&state)?);
        let mut object = want.clone();
        object.put("outputs", Some(Value::object(all)));
        object.set(&ID, path.display().to_string());
        Ok(object)
    }
}
