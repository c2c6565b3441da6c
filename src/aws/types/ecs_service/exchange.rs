//! Other target groups for a service whose traffic ECS moves between two. ECS deploys into the one that does not serve,
//! so the one that does can only be exchanged when the traffic has left it: a deployment to the other group first, then
//! one back.

use super::table::*;
use crate::aws::{Aws, AwsError, Between, Op};
use crate::schema::Object;
use crate::value::Value;
use aws_sdk_ecs::types::Service;
use std::collections::BTreeMap;

/// The groups that tasks are in, by the ARN of their service: of services whose traffic ECS moves, and that have one
/// revision now. One call for 20.
pub async fn serving(aws: &Aws, services: &[Service]) -> Result<BTreeMap<String, Vec<String>>, AwsError> {
    let shifts = |s: &&Service| s.load_balancers().iter().any(|b| b.advanced_configuration().is_some());
    let mut by_revision: BTreeMap<String, String> = BTreeMap::new();
    for service in services.iter().filter(shifts) {
        if let [only] = service.current_service_revisions()
            && let Some((revision, arn)) = only.arn().zip(service.service_arn())
        {
            by_revision.insert(revision.to_owned(), arn.to_owned());
        }
    }
    let revisions: Vec<String> = by_revision.keys().cloned().collect();
    let mut serving = BTreeMap::new();
    for batch in revisions.chunks(20) {
        let call = aws.ecs.describe_service_revisions().set_service_revision_arns(Some(batch.to_vec()));
        let answer = call.send().await.op("DescribeServiceRevisions")?;
        for revision in answer.service_revisions() {
            let resolved = revision.resolved_configuration();
            let groups = resolved.into_iter().flat_map(|r| r.load_balancers());
            let groups = groups.filter_map(|b| b.target_group_arn().map(str::to_owned)).collect();
            if let Some(service) = revision.service_revision_arn().and_then(|arn| by_revision.get(arn)) {
                serving.insert(service.clone(), groups);
            }
        }
    }
    Ok(serving)
}

/// The deployment to the other group, where the one that serves is exchanged: that one stays what it is meanwhile.
pub fn between(live: &Object, want: &Object, changed: &[String]) -> Option<Between> {
    let serving = live.all(&SERVING);
    let mut blocks = want.all(&LOAD_BALANCER);
    let mut moves = false;
    for block in &mut blocks {
        let container = |b: &Object| (b.get(&balancer::CONTAINER_NAME), b.get(&balancer::CONTAINER_PORT));
        let old = live.all(&LOAD_BALANCER).into_iter().find(|old| container(old) == container(block));
        let (Some(was), Some(shall)) = (old.as_ref().and_then(pair), pair(block)) else { continue };
        let serves = |group: &Value| group.as_str().is_some_and(|arn| serving.iter().any(|s| s == arn));
        let Some(at) = was.iter().position(serves).filter(|at| !shall.contains(&was[*at])) else { continue };
        match at {
            0 => block.put("target_group_arn", Some(was[0].clone())),
            _ => {
                let mut advanced = block.block(&balancer::ADVANCED)?;
                advanced.put("alternate_target_group_arn", Some(was[1].clone()));
                block.set_blocks(&balancer::ADVANCED, vec![advanced]);
            }
        };
        moves = true;
    }
    let mut between = want.clone();
    between.set_blocks(&LOAD_BALANCER, blocks);
    let text = "deploy into its other target group, so that the one that serves can go".to_owned();
    moves.then(|| Between { want: between, changed: changed.to_vec(), text })
}

/// The two groups of a load balancer between which traffic moves.
fn pair(block: &Object) -> Option<[Value; 2]> {
    let alternate = block.block(&balancer::ADVANCED)?.value("alternate_target_group_arn")?.clone();
    Some([block.value("target_group_arn")?.clone(), alternate])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(declared: &str, alternate: &str) -> Object {
        let (mut advanced, mut block, mut service) = (Object::new(), Object::new(), Object::new());
        advanced.set(&balancer::ALTERNATE_TARGET_GROUP_ARN, alternate);
        block.set(&balancer::TARGET_GROUP_ARN, declared).set(&balancer::CONTAINER_NAME, "web");
        block.set_blocks(&balancer::ADVANCED, vec![advanced]);
        service.set_blocks(&LOAD_BALANCER, vec![block]);
        service
    }

    /// The pair that is deployed first.
    fn first(serving: &str, want: (&str, &str)) -> Option<[Value; 2]> {
        let mut live = service("blue", "green");
        live.set(&SERVING, vec![serving.to_owned()]);
        let between = between(&live, &service(want.0, want.1), &["load_balancer".to_owned()])?;
        pair(&between.want.all(&LOAD_BALANCER)[0])
    }

    #[test]
    fn what_serves_stays_until_the_traffic_has_left_it() {
        let pair = |a: &str, b: &str| Some([Value::string(a), Value::string(b)]);
        assert_eq!(first("blue", ("new-blue", "new-green")), pair("blue", "new-green"));
        assert_eq!(first("green", ("new-blue", "new-green")), pair("new-blue", "green"));
        assert_eq!(first("blue", ("new-blue", "green")), pair("blue", "green"));
        // The other one can be exchanged at once.
        assert_eq!(first("blue", ("blue", "new-green")), None);
    }
}
