//! How containers behave, by image.

use super::State;
use crate::World;
use crate::faults::like;
use crate::world::{Millis, SECOND};
use serde::{Deserialize, Serialize};

/// What a container of an image does once it runs. Kept in [`State::images`] by image reference, or by a
/// pattern with `*` in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageBehaviour {
    /// From the container's start until the application answers.
    pub boot_ms: Millis,
    /// 0 to 1: how probable it is that a container exits with code 1 shortly after its start.
    pub crash: f64,
    /// Whether health checks (of the container and of a load balancer) are answered well.
    pub healthy: bool,
    /// What it writes to its log when it crashes or is not healthy: lines, `${NAME}` for an environment variable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub says: Vec<String>,
    /// What it makes of requests.
    #[serde(flatten)]
    pub work: Work,
}

/// How the application in a container answers requests.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Work {
    /// 0 to 1: the share of requests that are answered with an error of its own (5xx).
    pub errors: f64,
    /// Mean response time while there is little to do.
    pub latency_ms: f64,
    /// Time of one CPU that a request takes.
    pub cpu_ms: f64,
}

impl Default for Work {
    fn default() -> Self {
        Work { errors: 0.0, latency_ms: 50.0, cpu_ms: 5.0 }
    }
}

impl Default for ImageBehaviour {
    fn default() -> Self {
        ImageBehaviour {
            boot_ms: 5 * SECOND,
            crash: 0.0,
            healthy: true,
            says: Vec::new(),
            work: Work::default(),
        }
    }
}

fn set<'w>(world: &'w World, image: &str) -> Option<&'w ImageBehaviour> {
    let state: &State = &world.ecs;
    let fits = || state.images.iter().find(|(pattern, _)| like(pattern, image)).map(|(_, set)| set);
    state.images.get(image).or_else(fits)
}

/// What was set that it writes.
pub(super) fn says<'w>(world: &'w World, image: &str) -> &'w [String] {
    set(world, image).map_or(&[], |behaviour| &behaviour.says)
}

fn tag(image: &str) -> &str {
    image.rsplit_once('/').map_or(image, |(_, name)| name).split_once(':').map_or("", |(_, tag)| tag)
}

/// What was set for the image, or what its tag says (`crash`, `unhealthy`, `slow`, `errors`), or the default with a
/// boot time of 5 to 10 seconds.
pub fn behaviour(world: &mut World, image: &str) -> ImageBehaviour {
    if let Some(behaviour) = set(world, image) {
        return behaviour.clone();
    }
    let tag = tag(image);
    let boot_ms = 5 * SECOND + (world.random() % 5_000) as Millis;
    ImageBehaviour {
        boot_ms: if tag.contains("slow") { boot_ms + 90 * SECOND } else { boot_ms },
        crash: if tag.contains("crash") { 1.0 } else { 0.0 },
        healthy: !tag.contains("unhealthy"),
        says: Vec::new(),
        work: Work { errors: if tag.contains("errors") { 0.5 } else { 0.0 }, ..Work::default() },
    }
}
