//! The small providers that stand in most modules: what they make lives in the state, or in files beside
//! the configuration. Nothing here asks AWS.

pub mod data;
mod random;
pub mod types;

pub use random::{Entropy, Random};

use crate::aws::{AwsError, Job};
use crate::clock::Clock;
use crate::schema::{Object, TypeSchema};
use async_trait::async_trait;
use std::path::PathBuf;

/// Local names of the providers whose types these are.
pub const PROVIDERS: &[&str] = &["terraform", "random", "time", "local", "null", "template"];

/// What the small providers see of the world.
#[derive(Clone, Debug)]
pub struct Context {
    pub clock: Clock,
    /// The environment's directory: relative file names start here.
    pub root: PathBuf,
    pub entropy: Entropy,
}

/// One resource type without an API behind it: an object is what creation and updates hand back.
#[async_trait(?Send)]
pub trait BuiltinType: Sync {
    fn schema(&self) -> &'static TypeSchema;

    /// What it is now, from what the state knows; None: it is gone.
    fn read(&self, _cx: &Context, known: &Object) -> Result<Option<Object>, AwsError> {
        Ok(Some(known.clone()))
    }

    async fn create(&self, cx: &Context, job: &Job<'_>) -> Result<Object, AwsError>;

    /// By default what is wanted, over what is.
    async fn update(&self, _cx: &Context, job: &Job<'_>) -> Result<Object, AwsError> {
        Ok(over(job.live, job.want))
    }

    async fn delete(&self, _cx: &Context, _job: &Job<'_>) -> Result<(), AwsError> {
        Ok(())
    }

    /// What an id that a person gives (`import`) says; None: it cannot be imported.
    fn import(&self, _id: &str) -> Option<Object> {
        None
    }
}

/// One data source without an API behind it.
#[async_trait(?Send)]
pub trait BuiltinData: Sync {
    fn schema(&self) -> &'static TypeSchema;

    /// `want` is wholly known. The answer has every attribute of the table, declared ones included.
    async fn read(&self, cx: &Context, want: &Object) -> Result<Object, AwsError>;
}

/// `live` with all that `want` says.
fn over(live: &Object, want: &Object) -> Object {
    let mut object = live.clone();
    for (name, value) in want.0.iter() {
        if object.value(name).is_none() || crate::schema::ID.row.name != &**name {
            object.put(name, Some(value.clone()));
        }
    }
    object
}
