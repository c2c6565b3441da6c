//! Faults as clients meet them.

use super::*;
use crate::Sim;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::json;

const START: Millis = 1_767_323_045_000;

fn sim() -> Sim {
    let sim = Sim::new(World::new("123456789012", "us-east-1", 1, START));
    sim.with(|world| world.faults.throttling = false);
    sim
}

fn call(sim: &Sim, now: Millis, operation: &str, input: &Json) -> Result<Response<Bytes>, Lost> {
    let request = Request::post("/")
        .header("x-amz-target", format!("AmazonEC2ContainerServiceV20141113.{operation}"))
        .header("authorization", "AWS4-HMAC-SHA256 Credential=AKID/20260102/us-east-1/ecs/aws4_request");
    sim.handle(now, request.body(Bytes::from(input.to_string())).unwrap())
}

fn clusters(sim: &Sim, now: Millis) -> usize {
    let answer = call(sim, now, "ListClusters", &json!({})).unwrap();
    let answer: Json = serde_json::from_slice(answer.body()).unwrap();
    answer["clusterArns"].as_array().unwrap().len()
}

fn fails(sim: &Sim, how: How, times: u32) {
    let call = CallFault {
        how,
        service: "ecs".to_owned(),
        operation: "CreateCluster".to_owned(),
        probability: 1.0,
        times: Some(times),
    };
    sim.with(|world| declare(world, Fault { number: 0, from: 0, until: None, what: What::Calls(call) }));
}

#[test]
fn patterns_match_whole_texts() {
    assert!(like("repo/app:*", "repo/app:v1") && like("*crash*", "repo/app:crash-1") && like("*", ""));
    assert!(!like("repo/app", "repo/app:v1") && !like("*:v1", "repo/app:v12"));
}

#[test]
fn a_lost_call_was_carried_out_or_not() {
    for (how, lost, made) in [
        (How::Timeout, Lost::Timeout, 0),
        (How::Reset, Lost::Reset, 0),
        (How::TimeoutAfter, Lost::Timeout, 1),
        (How::ResetAfter, Lost::Reset, 1),
    ] {
        let sim = sim();
        fails(&sim, how, 1);
        let create = |now| call(&sim, now, "CreateCluster", &json!({"clusterName": "a"}));
        assert_eq!(create(START).err(), Some(lost), "{how:?}");
        assert_eq!(clusters(&sim, START), made, "{how:?}");
        // It struck as often as it should.
        assert_eq!(create(START + 1).unwrap().status(), StatusCode::OK);
        assert_eq!(clusters(&sim, START), 1);
    }
}

#[test]
fn a_killed_caller_gets_no_answer_and_changes_nothing_and_that_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("world.json");
    let sim = sim().saving_to(&path);
    let create = |sim: &Sim, now, name: &str| call(sim, now, "CreateCluster", &json!({"clusterName": name}));
    create(&sim, START, "a").unwrap();
    let kill = Fault { number: 0, from: START + 60_000, until: None, what: What::Kill };
    sim.with(|world| declare(world, kill));
    assert_eq!(clusters(&sim, START + 59_000), 1);
    assert_eq!(create(&sim, START + 61_000, "b").err(), Some(Lost::Caller));
    // Who comes next finds the world as it was then, and is not killed again.
    let again = Sim::new(World::load(&path).expect("readable").expect("there"));
    assert_eq!(again.with(|world| world.now), START + 61_000);
    assert_eq!(clusters(&again, START + 61_000), 1);
    assert_eq!(create(&again, START + 62_000, "b").unwrap().status(), StatusCode::OK);
}

#[test]
fn refusals_have_the_codes_of_the_service() {
    let sim = sim();
    for (how, status, code) in [
        (How::Throttle, 400, "ThrottlingException"),
        (How::InternalError, 500, "ServerException"),
        (How::Unavailable, 503, "ServiceUnavailable"),
        (How::ExpiredCredentials, 403, "ExpiredTokenException"),
        (How::AccessDenied, 403, "AccessDenied"),
    ] {
        fails(&sim, how, 1);
        let answer = call(&sim, START, "CreateCluster", &json!({})).unwrap();
        let body: Json = serde_json::from_slice(answer.body()).unwrap();
        let told = body["__type"].as_str().unwrap_or_default();
        assert!(answer.status() == status && told.starts_with(code), "{how:?}: {} {body}", answer.status());
    }
    assert_eq!(clusters(&sim, START), 0);
}

#[test]
fn stale_reads_answer_with_what_was() {
    let sim = sim();
    let call_fault = CallFault {
        how: How::Stale(5_000),
        service: "*".to_owned(),
        operation: "*".to_owned(),
        probability: 1.0,
        times: None,
    };
    let fault = Fault { number: 0, from: 0, until: Some(START + 60_000), what: What::Calls(call_fault) };
    sim.with(|world| declare(world, fault));
    call(&sim, START + 10_000, "CreateCluster", &json!({"clusterName": "a"})).unwrap();
    assert_eq!(clusters(&sim, START + 11_000), 0);
    assert_eq!(clusters(&sim, START + 16_000), 1);
}

#[test]
fn faults_begin_and_end_by_themselves() {
    let sim = sim();
    let fault = |from, until, what| Fault { number: 0, from: START + from, until, what };
    let zone = "us-east-1a";
    sim.with(|world| {
        declare(world, fault(60_000, Some(START + 120_000), What::LostZone { zone: zone.to_owned() }));
        let input = json!({"clusterName": "theirs"});
        let (service, operation) = ("ecs".to_owned(), "CreateCluster".to_owned());
        declare(world, fault(60_000, None, What::Edit { service, operation, input }));
        for (at, lost) in [(59_000, false), (60_000, true), (119_000, true), (120_000, false)] {
            world.advance_to(START + at);
            assert_eq!(world.faults.no_capacity(world.now, "t3.micro", zone), lost, "{at}");
        }
        assert!(world.faults.declared().is_empty());
    });
    assert_eq!(clusters(&sim, START + 120_000), 1);
}

#[test]
fn too_many_calls_are_throttled_until_the_bucket_fills_up() {
    let sim = sim();
    sim.with(|world| world.faults.throttling = true);
    let accepted = |now| {
        (0..40).filter(|_| call(&sim, now, "CreateCluster", &json!({})).unwrap().status() == 200).count()
    };
    assert_eq!(accepted(START), 20);
    assert_eq!(accepted(START + 3_000), 3);
}

fn ec2(sim: &Sim, now: Millis, query: &str) -> (StatusCode, String) {
    let request = Request::post("/")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", "AWS4-HMAC-SHA256 Credential=AKID/20260102/us-east-1/ec2/aws4_request");
    let body = Bytes::from(format!("{query}&Version=2016-11-15"));
    let answer = sim.handle(now, request.body(body).unwrap()).unwrap();
    (answer.status(), String::from_utf8_lossy(answer.body()).into_owned())
}

fn made(sim: &Sim, now: Millis) -> String {
    let (_, answer) = ec2(sim, now, "Action=CreateVpc&CidrBlock=10.0.0.0/16");
    let id = answer.split("<vpcId>").nth(1).and_then(|rest| rest.split('<').next());
    id.unwrap_or_else(|| panic!("no id in {answer}")).to_owned()
}

#[test]
fn new_ids_are_unknown_for_a_while_and_then_to_no_call() {
    let sim = sim();
    let what = What::Ec2Delay { by: 10_000 };
    sim.with(|world| declare(world, Fault { number: 0, from: 0, until: None, what }));
    let vpc = made(&sim, START);
    let asked = format!("Action=DescribeVpcs&VpcId.1={vpc}");
    let dependent = format!("Action=CreateSubnet&VpcId={vpc}&CidrBlock=10.0.1.0/24");
    for query in [&asked, &dependent] {
        let (status, answer) = ec2(&sim, START, query);
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(answer.contains("<Code>InvalidVpcID.NotFound</Code>"), "{answer}");
    }
    // Lists and filters know it, and it can be taken back.
    assert!(ec2(&sim, START, "Action=DescribeVpcs").1.contains(&vpc));
    assert_eq!(ec2(&sim, START, &format!("Action=DeleteVpc&VpcId={}", made(&sim, START))).0, StatusCode::OK);
    for query in [&asked, &dependent] {
        assert_eq!(ec2(&sim, START + 10_001, query).0, StatusCode::OK);
    }
}

#[test]
fn few_new_ids_are_unknown_by_default_the_same_for_a_seed_and_none_in_a_prompt_world() {
    let unknown = |sim: Sim| {
        let unknown = |id: String| {
            let (status, _) = ec2(&sim, START, &format!("Action=DescribeVpcs&VpcId.1={id}"));
            (status != StatusCode::OK).then_some(id)
        };
        (0..40).filter_map(|_| unknown(made(&sim, START))).collect::<Vec<_>>()
    };
    let found = unknown(sim());
    assert!((1..=15).contains(&found.len()), "{found:?}");
    assert_eq!(found, unknown(sim()));
    let prompt = sim();
    prompt.with(|world| world.faults.make_prompt());
    assert_eq!(unknown(prompt), Vec::<String>::new());
}

#[test]
fn what_is_taken_back_has_ended() {
    let mut world = World::new("123456789012", "us-east-1", 1, START);
    let lost = What::LostZone { zone: "us-east-1a".to_owned() };
    declare(&mut world, Fault { number: 0, from: START, until: None, what: lost });
    declare(&mut world, Fault { number: 0, from: START + 60_000, until: None, what: What::Kill });
    world.advance_to(START + 1_000);
    assert!(world.faults.lost_zone(world.now, "us-east-1a"));
    assert_eq!((clear(&mut world, Some(1)), clear(&mut world, Some(1)), clear(&mut world, None)), (1, 0, 1));
    world.advance_to(START + 120_000);
    assert!(world.faults.declared().is_empty() && !world.faults.kills());
}
