//! Service Quotas: how much an account may run at once. Known are those that bound what rollouts start: vCPUs of EC2
//! and of Fargate ("Amazon EC2 endpoints and quotas", "Amazon ECS endpoints and quotas" of the AWS General Reference).
//!
//! AWS's own defaults are those of a new account; this one has had them raised, so that nothing is in the way. A fault
//! (`quota`) or RequestServiceQuotaIncrease sets others. Those of EC2 are enforced, those of Fargate are only told.

use super::{Answer, ApiError, Input, Operations, page, page_start};
use crate::World;
use crate::world::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// Values by quota code, where they are others than those of this account.
    granted: BTreeMap<String, f64>,
    requests: Vec<Request>,
}

/// Of a higher value.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    id: String,
    code: String,
    value: f64,
    made: Millis,
}

struct Quota {
    service: &'static str,
    code: &'static str,
    name: &'static str,
    /// AWS's default for new accounts.
    default: f64,
}

const fn quota(service: &'static str, code: &'static str, default: f64, name: &'static str) -> Quota {
    Quota { service, code, name, default }
}

/// What this account has of each: so much that nobody need count.
const RAISED: f64 = 10_000_000.0;

const STANDARD: &str = "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances";
const STANDARD_SPOT: &str = "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests";

static QUOTAS: &[Quota] = &[
    quota("ec2", "L-1216C47A", 5.0, STANDARD),
    quota("ec2", "L-1945791B", 0.0, "Running On-Demand Inf instances"),
    quota("ec2", "L-2C3B7624", 0.0, "Running On-Demand Trn instances"),
    quota("ec2", "L-34B43A08", 5.0, STANDARD_SPOT),
    quota("ec2", "L-3819A6DF", 0.0, "All G and VT Spot Instance Requests"),
    quota("ec2", "L-417A185B", 0.0, "Running On-Demand P instances"),
    quota("ec2", "L-6B0D517C", 0.0, "All Trn Spot Instance Requests"),
    quota("ec2", "L-6E869C2A", 0.0, "Running On-Demand DL instances"),
    quota("ec2", "L-7212CCBC", 0.0, "All P4, P3 and P2 Spot Instance Requests"),
    quota("ec2", "L-7295265B", 0.0, "Running On-Demand X instances"),
    quota("ec2", "L-74FC7D96", 0.0, "Running On-Demand F instances"),
    quota("ec2", "L-85EED4F7", 0.0, "All DL Spot Instance Requests"),
    quota("ec2", "L-88CF9481", 0.0, "All F Spot Instance Requests"),
    quota("ec2", "L-B5D1601B", 0.0, "All Inf Spot Instance Requests"),
    quota("ec2", "L-DB2E81BA", 0.0, "Running On-Demand G and VT instances"),
    quota("ec2", "L-E3A00192", 0.0, "All X Spot Instance Requests"),
    quota("fargate", "L-3032A538", 6.0, "Fargate On-Demand vCPU resource count"),
    quota("fargate", "L-36FBB829", 6.0, "Fargate Spot vCPU resource count"),
];

const SERVICES: &[(&str, &str)] =
    &[("ec2", "Amazon Elastic Compute Cloud (Amazon EC2)"), ("fargate", "AWS Fargate")];

pub const OPERATIONS: Operations = &[
    ("GetAWSDefaultServiceQuota", get_default),
    ("GetRequestedServiceQuotaChange", get_request),
    ("GetServiceQuota", get),
    ("ListAWSDefaultServiceQuotas", list_defaults),
    ("ListRequestedServiceQuotaChangeHistory", list_requests),
    ("ListRequestedServiceQuotaChangeHistoryByQuota", list_requests),
    ("ListServiceQuotas", list),
    ("ListServices", list_services),
    ("RequestServiceQuotaIncrease", request),
];

/// Whether there is such a quota.
pub fn is_known(code: &str) -> bool {
    QUOTAS.iter().any(|quota| quota.code == code)
}

/// The quota for vCPUs that instances of a type count against (EC2 User Guide, "On-Demand Instance quotas", "Spot
/// Instance quotas"); None for those that are counted otherwise.
fn code_of(instance_type: &str, spot: bool) -> Option<&'static str> {
    let family: String = instance_type.chars().take_while(char::is_ascii_lowercase).collect();
    let (on_demand, of_spot) = match family.as_str() {
        "hpc" | "mac" | "u" => return None,
        "dl" => ("L-6E869C2A", "L-85EED4F7"),
        "inf" => ("L-1945791B", "L-B5D1601B"),
        "trn" => ("L-2C3B7624", "L-6B0D517C"),
        "vt" => ("L-DB2E81BA", "L-3819A6DF"),
        _ => match family.chars().next()? {
            'f' => ("L-74FC7D96", "L-88CF9481"),
            'g' => ("L-DB2E81BA", "L-3819A6DF"),
            'p' => ("L-417A185B", "L-7212CCBC"),
            'x' => ("L-7295265B", "L-E3A00192"),
            'a' | 'c' | 'd' | 'h' | 'i' | 'm' | 'r' | 't' | 'z' => ("L-1216C47A", "L-34B43A08"),
            _ => return None,
        },
    };
    Some(if spot { of_spot } else { on_demand })
}

/// How many vCPUs may run beside those of an instance of this type, and which instances count with it.
pub fn vcpus(world: &World, instance_type: &str, spot: bool) -> Option<(f64, impl Fn(&str, bool) -> bool)> {
    let code = code_of(instance_type, spot)?;
    let counts = move |of: &str, of_spot: bool| code_of(of, of_spot) == Some(code);
    Some((value(world, code), counts))
}

fn value(world: &World, code: &str) -> f64 {
    let declared = world.faults.quota(world.now, code);
    declared.or_else(|| world.servicequotas.granted.get(code).copied()).unwrap_or(RAISED)
}

fn illegal(message: impl Into<String>) -> ApiError {
    ApiError::new("IllegalArgumentException", message)
}

fn missing(message: &str) -> ApiError {
    ApiError::new("NoSuchResourceException", message)
}

fn of_service(input: &Json) -> Result<impl Iterator<Item = &'static Quota>, ApiError> {
    let service = input.text("ServiceCode").unwrap_or_default().to_owned();
    if !SERVICES.iter().any(|(code, _)| *code == service) {
        return Err(missing("The request failed because the specified service does not exist."));
    }
    Ok(QUOTAS.iter().filter(move |quota| quota.service == service))
}

fn find(input: &Json) -> Result<&'static Quota, ApiError> {
    let code = input.text("QuotaCode").unwrap_or_default();
    let found = of_service(input)?.find(|quota| quota.code == code);
    found.ok_or_else(|| missing("The request failed because the specified service quota does not exist."))
}

fn service_name(code: &str) -> &'static str {
    SERVICES.iter().find(|(service, _)| *service == code).map_or("", |(_, name)| name)
}

fn view(world: &World, quota: &Quota, value: f64, of_account: bool) -> Json {
    let (service, code) = (quota.service, quota.code);
    // Defaults belong to no account.
    let arn = match of_account {
        true => world.arn("servicequotas", &format!("{service}/{code}")),
        false => format!("arn:aws:servicequotas:{}::{service}/{code}", world.region),
    };
    json!({
        "ServiceCode": service, "ServiceName": service_name(service), "QuotaArn": arn, "QuotaCode": code,
        "QuotaName": quota.name, "Value": value, "Unit": "None", "Adjustable": true, "GlobalQuota": false,
        "QuotaAppliedAtLevel": "ACCOUNT",
        "UsageMetric": {
            "MetricNamespace": "AWS/Usage", "MetricName": "ResourceCount",
            "MetricDimensions": {
                "Class": class(quota), "Resource": "vCPU", "Service": if service == "ec2" { "EC2" } else { "Fargate" },
                "Type": "Resource",
            },
            "MetricStatisticRecommendation": "Maximum",
        },
    })
}

/// `Standard/OnDemand`, as the usage metrics have it.
fn class(quota: &Quota) -> String {
    let market = if quota.name.contains("Spot") { "Spot" } else { "OnDemand" };
    if quota.service == "fargate" {
        return format!("Standard/{market}");
    }
    let words = quota.name.trim_start_matches("Running On-Demand ").trim_start_matches("All ");
    format!("{}/{market}", words.split(' ').next().unwrap_or_default())
}

fn get(world: &mut World, input: &Json) -> Answer {
    let quota = find(input)?;
    Ok(json!({ "Quota": view(world, quota, value(world, quota.code), true) }))
}

fn get_default(world: &mut World, input: &Json) -> Answer {
    let quota = find(input)?;
    Ok(json!({ "Quota": view(world, quota, quota.default, false) }))
}

fn paged(all: Vec<Json>, input: &Json, member: &str) -> Answer {
    let token = input.text("NextToken");
    if token.is_some_and(|token| page_start(token).is_none()) {
        return Err(ApiError::new("InvalidPaginationTokenException", "Invalid pagination token."));
    }
    let limit = input.int("MaxResults").and_then(|n| usize::try_from(n).ok()).unwrap_or(100);
    let (items, next) = page(all, token, limit);
    let mut answer = json!({ member: items });
    if let Some(next) = next {
        answer["NextToken"] = next.into();
    }
    Ok(answer)
}

fn list(world: &mut World, input: &Json) -> Answer {
    let code = input.text("QuotaCode");
    let wanted = of_service(input)?.filter(|quota| code.is_none_or(|code| quota.code == code));
    let all = wanted.map(|quota| view(world, quota, value(world, quota.code), true)).collect();
    paged(all, input, "Quotas")
}

fn list_defaults(world: &mut World, input: &Json) -> Answer {
    let all = of_service(input)?.map(|quota| view(world, quota, quota.default, false)).collect();
    paged(all, input, "Quotas")
}

fn list_services(_: &mut World, input: &Json) -> Answer {
    let all = SERVICES.iter().map(|(code, name)| json!({ "ServiceCode": code, "ServiceName": name }));
    paged(all.collect(), input, "Services")
}

fn request_view(world: &World, request: &Request) -> Json {
    let Some(quota) = QUOTAS.iter().find(|quota| quota.code == request.code) else { return Json::Null };
    json!({
        "Id": request.id, "RequestType": "ManualChange", "ServiceCode": quota.service,
        "ServiceName": service_name(quota.service), "QuotaCode": quota.code, "QuotaName": quota.name,
        "DesiredValue": request.value, "Status": "APPROVED", "Created": World::timestamp(request.made),
        "LastUpdated": World::timestamp(request.made), "GlobalQuota": false, "Unit": "None",
        "QuotaArn": world.arn("servicequotas", &format!("{}/{}", quota.service, quota.code)),
        "Requester": json!({ "accountId": world.account }).to_string(), "QuotaRequestedAtLevel": "ACCOUNT",
    })
}

/// Granted at once: here nobody reads cases.
fn request(world: &mut World, input: &Json) -> Answer {
    let quota = find(input)?;
    let wanted = input.get("DesiredValue").and_then(Json::as_f64).unwrap_or_default();
    if wanted <= value(world, quota.code) {
        return Err(illegal(
            "You must provide a quota value greater than the current quota value in the request.",
        ));
    }
    let request = Request { id: world.hex(32), code: quota.code.to_owned(), value: wanted, made: world.now };
    world.servicequotas.granted.insert(request.code.clone(), wanted);
    let mut view = request_view(world, &request);
    view["Status"] = "PENDING".into();
    world.servicequotas.requests.push(request);
    Ok(json!({ "RequestedQuota": view }))
}

fn get_request(world: &mut World, input: &Json) -> Answer {
    let id = input.text("RequestId").unwrap_or_default();
    let found = world.servicequotas.requests.iter().find(|request| request.id == id);
    let found = found.ok_or_else(|| missing("The specified quota change request does not exist."))?;
    Ok(json!({ "RequestedQuota": request_view(world, found) }))
}

fn list_requests(world: &mut World, input: &Json) -> Answer {
    let (service, code) = (input.text("ServiceCode"), input.text("QuotaCode"));
    let all = world.servicequotas.requests.iter().map(|request| request_view(world, request));
    let wanted = all.filter(|view| {
        service.is_none_or(|service| view["ServiceCode"] == service)
            && code.is_none_or(|code| view["QuotaCode"] == code)
            && input.text("Status").is_none_or(|status| view["Status"] == status)
    });
    paged(wanted.collect(), input, "RequestedQuotas")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        World::new("123456789012", "us-east-1", 1, 1_700_000_000_000)
    }

    fn ok(world: &mut World, operation: &str, input: Json) -> Json {
        super::super::call(world, "servicequotas", operation, &input).expect(operation)
    }

    #[test]
    fn an_account_has_more_than_awss_default_and_may_ask_for_more_still() {
        let mut world = world();
        let standard = json!({ "ServiceCode": "ec2", "QuotaCode": "L-1216C47A" });
        let default = ok(&mut world, "GetAWSDefaultServiceQuota", standard.clone());
        assert_eq!(default["Quota"]["Value"], 5.0);
        let own = ok(&mut world, "GetServiceQuota", standard.clone());
        assert_eq!(own["Quota"]["Value"], RAISED);
        assert_eq!(own["Quota"]["QuotaArn"], "arn:aws:servicequotas:us-east-1:123456789012:ec2/L-1216C47A");
        let mut more = standard.clone();
        more["DesiredValue"] = json!(RAISED + 1.0);
        let id = ok(&mut world, "RequestServiceQuotaIncrease", more.clone())["RequestedQuota"]["Id"].clone();
        let asked = ok(&mut world, "GetRequestedServiceQuotaChange", json!({ "RequestId": id }));
        assert_eq!(asked["RequestedQuota"]["Status"], "APPROVED");
        assert_eq!(ok(&mut world, "GetServiceQuota", standard)["Quota"]["Value"], RAISED + 1.0);
        let again = super::super::call(&mut world, "servicequotas", "RequestServiceQuotaIncrease", &more);
        assert_eq!(again.expect_err("no more").code, "IllegalArgumentException");
    }

    #[test]
    fn unknown_quotas_are_no_resources() {
        let mut world = world();
        for input in [
            json!({ "ServiceCode": "ec2", "QuotaCode": "L-00000000" }),
            json!({ "ServiceCode": "nowhere", "QuotaCode": "L-1216C47A" }),
            json!({ "ServiceCode": "fargate", "QuotaCode": "L-1216C47A" }),
        ] {
            let error = super::super::call(&mut world, "servicequotas", "GetServiceQuota", &input);
            assert_eq!(error.expect_err("unknown").code, "NoSuchResourceException");
        }
        let listed = ok(&mut world, "ListServiceQuotas", json!({ "ServiceCode": "fargate" }));
        assert_eq!(listed["Quotas"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn families_count_together_by_their_letters() {
        for (name, code) in [
            ("m5.large", Some("L-1216C47A")),
            ("im4gn.large", Some("L-1216C47A")),
            ("t4g.nano", Some("L-1216C47A")),
            ("inf2.xlarge", Some("L-1945791B")),
            ("g5.xlarge", Some("L-DB2E81BA")),
            ("vt1.3xlarge", Some("L-DB2E81BA")),
            ("u-6tb1.metal", None),
            ("hpc6a.48xlarge", None),
        ] {
            assert_eq!(code_of(name, false), code, "{name}");
        }
        assert_eq!(code_of("m5.large", true), Some("L-34B43A08"));
    }
}
