//! Data source `template_file`: a template with its variables filled in.

use crate::aws::AwsError;
use crate::builtin::{BuiltinData, Context};
use crate::diag::Diagnostic;
use crate::lang::eval::{Resolved, Scope};
use crate::lang::functions::render_template;
use crate::lang::syntax::Traversal;
use crate::schema::{ID, Object, TypeSchema, attributes};
use crate::value::{Type, Value, convert};
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use std::path::Path;

attributes! {
    TABLE:
    RENDERED: Str = computed("rendered");
    TEMPLATE: Str = required("template");
    VARS: StrMap = optional("vars");
}

static SCHEMA: TypeSchema =
    TypeSchema { doc: "A template with its variables filled in", ..TypeSchema::new("template_file", &TABLE) };

/// A template sees its variables only.
struct Outside<'a> {
    cx: &'a Context,
}

impl Scope for Outside<'_> {
    fn resolve(&self, t: &Traversal) -> Result<Resolved, Diagnostic> {
        Err(Diagnostic::error("unknown-name", format!("the template has no variable `{}`", t.root))
            .at(t.span))
    }

    fn base_dir(&self) -> &Path {
        &self.cx.root
    }
}

pub struct TemplateFile;

#[async_trait(?Send)]
impl BuiltinData for TemplateFile {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, cx: &Context, want: &Object) -> Result<Object, AwsError> {
        let vars = want.value("vars").filter(|v| !v.is_null()).cloned();
        let vars = vars.unwrap_or_else(|| Value::map(Type::String, Default::default()));
        let failed = |message: String| AwsError::failed("render", "InvalidTemplate", message);
        let rendered = render_template("template", &want.need(&TEMPLATE), &vars, &Outside { cx })
            .map_err(|problem| failed(problem.what))?;
        let text = convert(&rendered, &Type::String).map_err(|e| failed(e.to_string()))?;
        let mut object = want.clone();
        let id = hex::encode(Sha256::digest(text.as_str().unwrap_or_default().as_bytes()));
        object.put("rendered", Some(text));
        object.set(&ID, id);
        Ok(object)
    }
}
