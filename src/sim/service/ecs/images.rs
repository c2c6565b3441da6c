//! How containers behave, by image.

use super::State;
use crate::sim::World;
use crate::sim::world::{Millis, SECOND};
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
}

impl Default for ImageBehaviour {
    fn default() -> Self {
        ImageBehaviour { boot_ms: 5 * SECOND, crash: 0.0, healthy: true }
    }
}

fn matches(pattern: &str, image: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = image.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// What was set for the image, or what its tag says (`crash`, `unhealthy`, `slow`), or the default with a
/// boot time of 5 to 10 seconds.
pub fn behaviour(world: &mut World, image: &str) -> ImageBehaviour {
    let state: &State = &world.ecs;
    let set = state.images.get(image).or_else(|| {
        state.images.iter().find(|(pattern, _)| matches(pattern, image)).map(|(_, behaviour)| behaviour)
    });
    if let Some(behaviour) = set {
        return behaviour.clone();
    }
    let tag =
        image.rsplit_once('/').map_or(image, |(_, name)| name).split_once(':').map_or("", |(_, tag)| tag);
    let boot_ms = 5 * SECOND + (world.random() % 5_000) as Millis;
    ImageBehaviour {
        boot_ms: if tag.contains("slow") { boot_ms + 90 * SECOND } else { boot_ms },
        crash: if tag.contains("crash") { 1.0 } else { 0.0 },
        healthy: !tag.contains("unhealthy"),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_whole_references() {
        assert!(matches("repo/app:*", "repo/app:v1"));
        assert!(matches("*crash*", "repo/app:crash-1"));
        assert!(!matches("repo/app", "repo/app:v1"));
        assert!(!matches("*:v1", "repo/app:v12"));
    }
}
