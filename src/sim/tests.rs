//! Worlds in which anything happens, by seed. The invariants are checked after every event (see
//! `World::must_be_sound`).

use super::faults::{CallFault, Fault, How, What, declare};
use super::service::ecs::ImageBehaviour;
use super::service::ecs::tests::{Net, balanced, call, define, fargate, ok, pass, pool};
use super::traffic::{self, Scope};
use super::world::{MINUTE, Millis, SECOND};
use super::{World, invariants};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value as Json, json};

/// What may happen next; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Act {
    Release(&'static str),
    Want(u8),
    WantHosts(u8),
    StopTask(u8),
    EndInstance(u8),
    Refresh,
    LoseZone,
    TakeSpot,
    NoCapacity,
    FailChecks,
    /// Requests a second.
    Send(u16),
    /// Seconds that targets have for draining.
    Drain(u8),
    Pass(u16),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        prop::sample::select(vec!["v1", "v2", "crash", "unhealthy", "slow", "flaky"]).prop_map(Act::Release),
        (0..6u8).prop_map(Act::Want),
        (0..5u8).prop_map(Act::WantHosts),
        any::<u8>().prop_map(Act::StopTask),
        any::<u8>().prop_map(Act::EndInstance),
        Just(Act::Refresh),
        Just(Act::LoseZone),
        Just(Act::TakeSpot),
        Just(Act::NoCapacity),
        Just(Act::FailChecks),
        (0..2_000u16).prop_map(Act::Send),
        (0..40u8).prop_map(Act::Drain),
        (1..900u16).prop_map(Act::Pass),
    ];
    prop::collection::vec(act, 1..25)
}

/// A cluster with hosts and a service on each kind of capacity, one of them behind a load balancer.
fn stage() -> World {
    let (mut world, net): (World, Net) = super::service::ecs::tests::world();
    pool(&mut world, &net, 2, false);
    ok(
        &mut world,
        "ecs",
        "RegisterTaskDefinition",
        json!({"family": "job", "containerDefinitions": [{"name": "job", "image": "job:v1", "memory": 500}]}),
    );
    ok(
        &mut world,
        "ecs",
        "CreateService",
        json!({"cluster": "main", "serviceName": "job", "taskDefinition": "job", "desiredCount": 3}),
    );
    let group = balanced(&mut world, &net, "ip");
    let definition = define(&mut world, "repo/web:v1");
    fargate(&mut world, &net, &group, &definition);
    let flaky = ImageBehaviour { boot_ms: 20 * SECOND, crash: 0.5, ..ImageBehaviour::default() };
    world.ecs.images.insert("repo/web:flaky".to_owned(), flaky);
    pass(&mut world, 10 * MINUTE);
    world
}

fn fault(world: &mut World, lasts: Millis, what: What) {
    let until = Some(world.now + lasts);
    declare(world, Fault { number: 0, from: world.now, until, what });
}

/// Whether AWS takes a call or refuses it is its affair; that the world stays sound is ours.
fn act(world: &mut World, act: &Act) {
    let may = |world: &mut World, service: &str, operation: &str, input: Json| {
        drop(call(world, service, operation, input));
    };
    match act {
        Act::Release(tag) => {
            let definition = define(world, &format!("repo/web:{tag}"));
            let input = json!({"cluster": "main", "service": "web", "taskDefinition": definition});
            may(world, "ecs", "UpdateService", input);
        }
        Act::Want(count) => {
            may(
                world,
                "ecs",
                "UpdateService",
                json!({"cluster": "main", "service": "web", "desiredCount": count}),
            );
        }
        Act::WantHosts(count) => {
            let input = json!({"AutoScalingGroupName": "hosts", "DesiredCapacity": count});
            may(world, "autoscaling", "SetDesiredCapacity", input);
        }
        Act::StopTask(which) => {
            let arns: Vec<String> = world.ecs.tasks.keys().cloned().collect();
            if let Some(arn) = arns.get(usize::from(*which) % arns.len().max(1)) {
                may(world, "ecs", "StopTask", json!({"cluster": "main", "task": arn}));
            }
        }
        Act::EndInstance(which) => {
            let ids: Vec<String> = world.ec2.instances.keys().cloned().collect();
            if let Some(id) = ids.get(usize::from(*which) % ids.len().max(1)) {
                may(world, "ec2", "TerminateInstances", json!({"InstanceIds": [id]}));
            }
        }
        Act::Refresh => {
            may(world, "autoscaling", "StartInstanceRefresh", json!({"AutoScalingGroupName": "hosts"}));
        }
        Act::LoseZone => fault(world, 20 * MINUTE, What::LostZone { zone: "us-east-1a".to_owned() }),
        Act::TakeSpot => fault(world, MINUTE, What::SpotInterruption { share: 0.5 }),
        Act::NoCapacity => {
            let (instance_type, zone) = ("t3.small".to_owned(), "*".to_owned());
            fault(world, 10 * MINUTE, What::NoCapacity { instance_type, zone });
        }
        Act::FailChecks => fault(world, 5 * MINUTE, What::UnhealthyTargets { group: "web".to_owned() }),
        Act::Send(rate) => {
            let order = json!([{"rate": rate, "client_errors": 0.01}]);
            let orders = serde_json::from_value(order).expect("an order");
            traffic::order::carry_out(world, orders).expect("declared");
        }
        Act::Drain(seconds) => {
            let delay =
                json!([{"Key": "deregistration_delay.timeout_seconds", "Value": seconds.to_string()}]);
            let group = world.elbv2.groups.keys().next().cloned();
            let input = json!({"TargetGroupArn": group, "Attributes": delay});
            may(world, "elasticloadbalancing", "ModifyTargetGroupAttributes", input);
        }
        Act::Pass(seconds) => pass(world, i64::from(*seconds) * SECOND),
    }
}

fn running(world: &mut World, name: &str) -> (Json, Json) {
    let input = json!({"cluster": "main", "services": [name]});
    let service = ok(world, "ecs", "DescribeServices", input)["services"][0].clone();
    (service["runningCount"].clone(), service["desiredCount"].clone())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_world_is_sound_and_recovers(acts in acts()) {
        let mut world = stage();
        for one in &acts {
            act(&mut world, one);
            let broken = invariants::broken(&world);
            prop_assert!(broken.is_empty(), "after {one:?}: {broken:?}");
            pass(&mut world, SECOND);
        }
        // A good release, enough hosts and time mend everything.
        crate::faults::clear(&mut world, None);
        act(&mut world, &Act::WantHosts(3));
        act(&mut world, &Act::Release("v1"));
        pass(&mut world, 3 * 60 * MINUTE);
        // Every request came to some end, and every one that was lost has its place and cause.
        let now = world.now;
        let sent = traffic::numbers(&mut world, &Scope::default(), 0, now);
        let lost = traffic::losses(&mut world, &Scope::default(), 0, now);
        prop_assert_eq!(sent.sent, sent.served() + sent.lost());
        prop_assert_eq!(sent.lost(), lost.iter().map(|loss| loss.requests).sum::<u64>());
        for name in ["web", "job"] {
            let (running, desired) = running(&mut world, name);
            prop_assert_eq!(running, desired, "{}", name);
        }
    }

    #[test]
    fn the_same_seed_and_calls_make_the_same_world(acts in acts()) {
        let run = || {
            let mut world = stage();
            acts.iter().for_each(|one| act(&mut world, one));
            pass(&mut world, 30 * MINUTE);
            serde_json::to_string(&world).expect("plain data")
        };
        prop_assert_eq!(run(), run());
    }
}

#[test]
fn a_world_that_is_not_sound_is_noticed() {
    let mut world = stage();
    assert_eq!(invariants::broken(&world), Vec::<String>::new());
    let instance = world.ec2.instances.keys().next().expect("there are hosts").clone();
    world.ec2.instances.remove(&instance);
    let told = invariants::broken(&world).join("\n");
    assert!(told.contains(&format!("group hosts has {instance}, which is gone")), "{told}");
    let mut world = stage();
    world.elbv2.registrations.clear();
    assert!(invariants::broken(&world).iter().all(|told| told.contains("is not registered")));
    assert!(!invariants::broken(&world).is_empty());
}

/// A release that is good, one that is not, a refresh, a lost zone, spot interruptions, failing checks.
fn turbulent(act_on: impl Fn(&mut World, usize), halfway: impl Fn(World) -> World) -> World {
    let acts = [
        Act::Release("v2"),
        Act::Pass(60),
        Act::Release("crash"),
        Act::WantHosts(4),
        Act::Pass(600),
        Act::Refresh,
        Act::Want(5),
        Act::FailChecks,
        Act::Pass(800),
        Act::LoseZone,
        Act::TakeSpot,
        Act::EndInstance(3),
        Act::Pass(900),
    ];
    let mut world = stage();
    world.log.keep(usize::MAX);
    for (at, one) in acts.iter().enumerate() {
        act(&mut world, one);
        act_on(&mut world, at);
        if at == 6 {
            world = halfway(world);
        }
    }
    pass(&mut world, 30 * MINUTE);
    world
}

fn told(world: &World, from: u64) -> String {
    world.log.since(from).flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn the_same_seed_and_calls_tell_the_same_story_byte_for_byte() {
    let whole = turbulent(|_, _| (), |world| world);
    let story = told(&whole, 0);
    for what in
        ["\"service\":\"ecs\"", "\"kind\":\"target\"", "\"kind\":\"fault\"", "has reached a steady state"]
    {
        assert!(story.contains(what), "nothing of {what}");
    }
    // Whether somebody reads meanwhile makes no difference.
    let reads = |world: &mut World, _| {
        ok(world, "ecs", "DescribeServices", json!({"cluster": "main", "services": ["web"]}));
    };
    assert!(story == told(&turbulent(reads, |world| world), 0));
    // Saved and loaded in the middle: what was told before is in the file, the rest goes on.
    let before = std::cell::RefCell::new((0, String::new()));
    let reload = |world: World| {
        let text = serde_json::to_string(&world).expect("plain data");
        *before.borrow_mut() = (world.log.next(), told(&world, 0));
        serde_json::from_str::<World>(&text).expect("it was just written")
    };
    let loaded = turbulent(|_, _| (), reload);
    let (next, first) = before.into_inner();
    assert!(story == first + &told(&loaded, next));
    assert!(next > 50 && loaded.log.next() > next + 50, "the middle is in the middle");
}

#[test]
fn the_log_keeps_no_more_than_it_shall() {
    let mut world = World::new("123456789012", "us-east-1", 1, 0);
    world.log.keep(2);
    for state in ["pending", "running", "stopping"] {
        world.tell("ec2", "instance", "i-1", state, None);
    }
    assert_eq!(told(&world, 0).lines().count(), 2);
    assert!(told(&world, 0).contains("\"n\":3") && told(&world, 4).is_empty());
    world.log.keep(0);
    world.tell("ec2", "instance", "i-1", "stopped", None);
    assert!(told(&world, 0).is_empty() && world.log.next() == 4);
}

#[test]
fn a_world_saved_in_the_middle_goes_on_as_if_it_had_not_been() {
    let calls = |how| {
        What::Calls(CallFault {
            how,
            service: "*".into(),
            operation: "*".into(),
            probability: 0.5,
            times: None,
        })
    };
    let begun = || {
        let mut world = stage();
        fault(&mut world, 60 * MINUTE, calls(How::Throttle));
        act(&mut world, &Act::Release("v2"));
        pass(&mut world, 40 * SECOND);
        world
    };
    let (mut whole, half) = (begun(), begun());
    let text = serde_json::to_string(&half).expect("plain data");
    let mut half: World = serde_json::from_str(&text).expect("it was just written");
    for world in [&mut whole, &mut half] {
        pass(world, 30 * MINUTE);
    }
    assert!(
        serde_json::to_string(&whole).expect("plain data")
            == serde_json::to_string(&half).expect("plain data")
    );
}
