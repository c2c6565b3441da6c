//! Requests as clients write them, answers as AWS does, for each protocol.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

fn world() -> World {
    World::new("123456789012", "us-east-1", 1, 1_767_323_045_000)
}

fn request(service: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> http::Request<Bytes> {
    let scope = format!(
        "AWS4-HMAC-SHA256 Credential=AKID/20260102/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    );
    let mut request = http::Request::post("/").header(AUTHORIZATION, scope);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");

fn text(response: &Response<Bytes>) -> String {
    String::from_utf8(response.body().to_vec()).unwrap()
}

fn decode_form(service: &str, operation: &str, body: &str) -> Json {
    let service = model::service(service).unwrap();
    let form = query::Form::parse(body.as_bytes());
    let input = service.operations[operation].input;
    query::decode(service, service.protocols[0], input, &form).unwrap()
}

fn encode_xml(service: &str, operation: &str, answer: &Json) -> String {
    let service = model::service(service).unwrap();
    let call =
        Call { service, protocol: service.protocols[0], request_id: "r-1".to_owned(), bodiless: false };
    text(&call.encode(&service.operations[operation], answer).unwrap())
}

#[test]
fn ec2_forms_have_flat_lists() {
    let tree = decode_form(
        "ec2",
        "DescribeSubnets",
        "Action=DescribeSubnets&Version=2016-11-15&SubnetId.2=b&SubnetId.1=a&SubnetId.10=j\
         &Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-1&Filter.1.Value.2=vpc-2&MaxResults=5&DryRun=false",
    );
    let expect = json!({
        "SubnetIds": ["a", "b", "j"],
        "Filters": [{"Name": "vpc-id", "Values": ["vpc-1", "vpc-2"]}],
        "MaxResults": 5,
        "DryRun": false,
    });
    assert_eq!(tree, expect);
}

#[test]
fn ec2_forms_nest() {
    let tree = decode_form(
        "ec2",
        "CreateLaunchTemplate",
        "LaunchTemplateName=x&LaunchTemplateData.BlockDeviceMapping.1.Ebs.VolumeSize=30\
         &LaunchTemplateData.TagSpecification.1.ResourceType=instance\
         &LaunchTemplateData.TagSpecification.1.Tag.1.Key=k&LaunchTemplateData.TagSpecification.1.Tag.1.Value=",
    );
    let data = &tree["LaunchTemplateData"];
    assert_eq!(data["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"], 30);
    assert_eq!(data["TagSpecifications"][0]["Tags"], json!([{"Key": "k", "Value": ""}]));
}

#[test]
fn query_forms_name_list_members() {
    let tree = decode_form(
        "elasticloadbalancing",
        "CreateTargetGroup",
        "Name=t&Port=80&HealthCheckEnabled=true&Matcher.HttpCode=200&Tags.member.1.Key=a&Tags.member.1.Value=b",
    );
    let expect = json!({
        "Name": "t", "Port": 80, "HealthCheckEnabled": true, "Matcher": {"HttpCode": "200"},
        "Tags": [{"Key": "a", "Value": "b"}],
    });
    assert_eq!(tree, expect);
    // An empty list is written as an empty value.
    let tree = decode_form("autoscaling", "DescribeAutoScalingGroups", "AutoScalingGroupNames=");
    assert_eq!(tree, json!({"AutoScalingGroupNames": []}));
    let tree =
        decode_form("autoscaling", "PutScheduledUpdateGroupAction", "StartTime=2026-01-02T03%3A04%3A05Z");
    assert_eq!(tree, json!({"StartTime": "2026-01-02T03:04:05Z"}));
}

#[test]
fn ec2_answers_as_ec2_does() {
    let answer = json!({"Subnets": [{"SubnetId": "subnet-1", "Tags": [{"Key": "a&b", "Value": "<"}],
        "MapPublicIpOnLaunch": false, "Ipv6CidrBlockAssociationSet": []}]});
    let expect = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <DescribeSubnetsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
        <requestId>r-1</requestId><subnetSet><item>\
        <mapPublicIpOnLaunch>false</mapPublicIpOnLaunch><subnetId>subnet-1</subnetId>\
        <ipv6CidrBlockAssociationSet/>\
        <tagSet><item><key>a&amp;b</key><value>&lt;</value></item></tagSet>\
        </item></subnetSet></DescribeSubnetsResponse>";
    let sorted = |text: &str| {
        let mut parts: Vec<_> = text.split('<').map(str::to_owned).collect();
        parts.sort();
        parts
    };
    let found = encode_xml("ec2", "DescribeSubnets", &answer);
    assert_eq!(sorted(&found), sorted(expect), "{found}");
    // A list that nothing is in is still there; an operation without output says it succeeded.
    assert!(encode_xml("ec2", "DescribeSubnets", &json!({})).contains("<subnetSet/>"));
    assert!(encode_xml("ec2", "DeleteVpc", &json!({})).contains("<return>true</return>"));
}

#[test]
fn query_wraps_results() {
    let answer = json!({"AutoScalingGroups": [], "NextToken": "n"});
    let found = encode_xml("autoscaling", "DescribeAutoScalingGroups", &answer);
    let expect = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <DescribeAutoScalingGroupsResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">\
        <DescribeAutoScalingGroupsResult><AutoScalingGroups/><NextToken>n</NextToken>\
        </DescribeAutoScalingGroupsResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>\
        </DescribeAutoScalingGroupsResponse>";
    assert_eq!(found, expect);
    let found = encode_xml("iam", "GetAccountSummary", &json!({"SummaryMap": {"Users": 3}}));
    assert!(
        found.contains("<SummaryMap><entry><key>Users</key><value>3</value></entry></SummaryMap>"),
        "{found}"
    );
}

#[test]
fn timestamps_travel_as_each_protocol_has_them() {
    let found = encode_xml(
        "autoscaling",
        "DescribeAutoScalingGroups",
        &json!({"AutoScalingGroups": [{"CreatedTime": "2026-01-02T03:04:05Z"}]}),
    );
    assert!(found.contains("<CreatedTime>2026-01-02T03:04:05.000Z</CreatedTime>"), "{found}");
    let ecs = model::service("ecs").unwrap();
    let output = ecs.operations["DescribeServices"].output.unwrap();
    let tree = json!({"services": [{"createdAt": "2026-01-02T03:04:05.5Z"}]});
    let wire = json::encode(ecs, output, &tree, "").unwrap();
    assert_eq!(wire, json!({"services": [{"createdAt": 1_767_323_045.5}]}));
    assert_eq!(json::decode(ecs, output, &wire, "").unwrap(), tree);
}

#[test]
fn cbor_comes_back_as_sent() {
    let service = model::service("monitoring").unwrap();
    let input = service.operations["PutMetricData"].input;
    let tree = json!({"Namespace": "N", "MetricData": [{"MetricName": "m", "Value": 1.5, "StorageResolution": 60,
        "Timestamp": "2026-01-02T03:04:05Z", "Dimensions": [{"Name": "a", "Value": "b"}]}]});
    let wire = cbor::encode(service, input, &tree).unwrap();
    assert_eq!(cbor::decode(service, input, &wire).unwrap(), tree);
    assert_eq!(cbor::decode(service, input, b"").unwrap(), json!({}));
}

#[test]
fn route53_reads_path_and_body() {
    let body = r#"<?xml version="1.0"?><ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/">
        <ChangeBatch><Changes><Change><Action>UPSERT</Action><ResourceRecordSet><Name>a.b.</Name><Type>A</Type><TTL>60</TTL>
        <ResourceRecords><ResourceRecord><Value>&quot;x&quot; &#38; y</Value></ResourceRecord></ResourceRecords>
        </ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"#;
    let request = http::Request::post("/2013-04-01/hostedzone/Z1/rrset")
        .body(Bytes::from_static(body.as_bytes()))
        .unwrap();
    let service = model::service("route53").unwrap();
    let (parts, body) = request.into_parts();
    let operation = rest::find(service, &parts).unwrap();
    assert_eq!(operation.name, "ChangeResourceRecordSets");
    let tree = rest::decode(service, operation, &parts, &body).unwrap();
    let set = json!({"Name": "a.b.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "\"x\" & y"}]});
    let expect = json!({"HostedZoneId": "Z1",
        "ChangeBatch": {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": set}]}});
    assert_eq!(tree, expect);
    let request = http::Request::get("/2013-04-01/hostedzone?maxitems=3&marker=m").body(()).unwrap();
    let (parts, ()) = request.into_parts();
    let operation = rest::find(service, &parts).unwrap();
    assert_eq!(operation.name, "ListHostedZones");
    assert_eq!(
        rest::decode(service, operation, &parts, b"").unwrap(),
        json!({"MaxItems": "3", "Marker": "m"})
    );
}

#[test]
fn route53_answers_with_status_header_and_namespace() {
    let service = model::service("route53").unwrap();
    let answer = json!({"Location": "https://x/Z1",
        "HostedZone": {"Id": "/hostedzone/Z1", "Name": "a.", "CallerReference": "c"},
        "ChangeInfo": {"Id": "/change/C1", "Status": "PENDING", "SubmittedAt": "2026-01-02T03:04:05Z"},
        "DelegationSet": {"NameServers": ["ns-1"]}});
    let response = rest::encode(service, &service.operations["CreateHostedZone"], &answer).unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["location"], "https://x/Z1");
    let text = String::from_utf8(response.into_body()).unwrap();
    assert!(
        text.contains("<CreateHostedZoneResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">")
    );
    assert!(
        text.contains("<NameServers><NameServer>ns-1</NameServer></NameServers>")
            && !text.contains("Location")
    );
}

#[test]
fn every_protocol_has_its_form_of_error() {
    let error = |service: &str, protocol, error: &ApiError| {
        let service = model::service(service).unwrap();
        Call { service, protocol, request_id: "r-1".to_owned(), bodiless: false }.error(error)
    };
    let response = error("iam", Protocol::Query, &ApiError::new("NoSuchEntity", "no <role>"));
    assert_eq!(response.status(), 404);
    let expect = "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
        <Code>NoSuchEntity</Code><Message>no &lt;role&gt;</Message></Error><RequestId>r-1</RequestId></ErrorResponse>";
    assert!(text(&response).ends_with(expect), "{}", text(&response));
    let response = error("ec2", Protocol::Ec2, &ApiError::new("InvalidVpcID.NotFound", "gone"));
    let expect = "<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code><Message>gone</Message></Error></Errors>\
        <RequestID>r-1</RequestID></Response>";
    assert!(text(&response).ends_with(expect), "{}", text(&response));
    let response = error("ecs", Protocol::Json, &ApiError::new("ClusterNotFoundException", "none"));
    assert_eq!(response.status(), 400);
    assert_eq!(text(&response), r#"{"__type":"ClusterNotFoundException","message":"none"}"#);
    assert_eq!(response.headers()["x-amzn-requestid"], "r-1");
    // A service that once spoke awsQuery says the code of that time as well; handlers may use either.
    for code in ["ResourceNotFound", "ResourceNotFoundException"] {
        let response = error("monitoring", Protocol::Cbor, &ApiError::new(code, "none"));
        assert_eq!(response.headers()["smithy-protocol"], "rpc-v2-cbor");
        assert!(response.headers()["x-amzn-query-error"].to_str().unwrap().starts_with("ResourceNotFound"));
    }
}

#[test]
fn what_is_not_supported_says_its_name() {
    let response =
        handle(&mut world(), request("ec2", &[FORM], "Action=DescribeMoonbases&Version=2016-11-15")).unwrap();
    assert_eq!(response.status(), 501);
    assert!(text(&response).contains("ec2:DescribeMoonbases"), "{}", text(&response));
    let called = response.extensions().get::<Called>().unwrap();
    assert_eq!((called.service.as_str(), called.operation.as_str()), ("ec2", "DescribeMoonbases"));
    let response = handle(&mut world(), request("quantum", &[("x-amz-target", "Q_1.Ask")], "{}")).unwrap();
    assert_eq!(response.status(), 501);
    assert!(text(&response).contains("`quantum`"), "{}", text(&response));
    let body = "Action=DescribeLoadBalancers&Version=2012-06-01";
    let response = handle(&mut world(), request("elasticloadbalancing", &[FORM], body)).unwrap();
    assert!(text(&response).contains("DescribeLoadBalancers of version 2012-06-01"), "{}", text(&response));
}

#[test]
fn constraints_are_checked_in_each_services_words() {
    let check = |service: &str, operation: &str, tree: Json| {
        let service = model::service(service).unwrap();
        check::check(service, service.operations[operation].input, &tree).unwrap_err()
    };
    let error = check("autoscaling", "DeleteAutoScalingGroup", json!({"AutoScalingGroupName": ""}));
    assert_eq!(error.code, "ValidationError");
    assert_eq!(
        error.message,
        "1 validation error detected: Value '' at 'autoScalingGroupName' failed to satisfy constraint: \
         Member must have length greater than or equal to 1"
    );
    let error = check("ssm", "PutParameter", json!({"Name": "n", "Value": "v", "Type": "Text"}));
    assert_eq!(error.code, "ValidationException");
    assert!(error.message.contains("Value 'Text' at 'type'") && error.message.contains("enum value set"));
    let long = "a".repeat(101);
    let error = check("ecs", "CreateService", json!({"serviceName": "s", "launchType": "Fargate"}));
    assert!(error.message.starts_with("launch type should be one of [EC2,FARGATE,"), "{}", error.message);
    let error = check("ssm", "LabelParameterVersion", json!({"Name": "n", "Labels": ["b", long]}));
    let end = "at 'labels' failed to satisfy constraint: Member must satisfy constraint: [Member must have length \
        less than or equal to 100, Member must have length greater than or equal to 1]";
    assert!(error.message.ends_with(end), "{}", error.message);
    let error = check("ec2", "CreateSubnet", json!({"CidrBlock": "10.0.0.0/24"}));
    assert_eq!(error.code, "MissingParameter");
    assert_eq!(error.message, "The request must contain the parameter VpcId");
    let error = check("ec2", "DescribeVpcs", json!({"MaxResults": 1001}));
    assert_eq!(error.code, "InvalidParameterValue");
    let error = check("ecr", "CreateRepository", json!({"repositoryName": "UPPER"}));
    assert!(error.message.starts_with("Invalid parameter at 'repositoryName'"), "{}", error.message);
}

#[test]
fn wrong_types_are_refused_not_guessed() {
    let ecs = model::service("ecs").unwrap();
    let input = ecs.operations["CreateService"].input.unwrap();
    let wire = json!({"serviceName": "s", "desiredCount": "two"});
    let error = json::decode(ecs, input, &wire, "").unwrap_err().error(ecs, Protocol::Json);
    assert_eq!(error.code, "SerializationException");
    let ec2 = model::service("ec2").unwrap();
    let form = query::Form::parse(b"Action=DescribeVpcs&Colour=red");
    let error = query::decode(ec2, Protocol::Ec2, ec2.operations["DescribeVpcs"].input, &form).unwrap_err();
    assert_eq!(error.error(ec2, Protocol::Ec2).message, "The parameter Colour is not recognized");
}

#[test]
fn what_is_no_number_is_refused() {
    let service = model::service("monitoring").unwrap();
    let input = service.operations["PutMetricData"].input;
    let text = |s: &str| Cbor::Text(s.to_owned());
    let datum = Cbor::Map(vec![(text("Value"), Cbor::Float(f64::NAN))]);
    let wire = Cbor::Map(vec![(text("MetricData"), Cbor::Array(vec![datum]))]);
    let error = cbor::decode(service, input, &cbor::bytes(&wire)).unwrap_err().error(service, Protocol::Cbor);
    assert_eq!(error.code, "InvalidParameterValue");
    assert_eq!(error.message, "The value NaN for parameter MetricData.member.1.Value is invalid.");
}

#[test]
fn a_handlers_wrong_answer_is_a_500_that_says_where() {
    let service = model::service("ecs").unwrap();
    let call = Call { service, protocol: Protocol::Json, request_id: "r-1".to_owned(), bodiless: false };
    let wrong = |tree| call.encode(&service.operations["DescribeServices"], &tree).unwrap_err();
    assert!(wrong(json!({"services": [{"desiredCount": "2"}]})).message.contains("desiredCount is 2"));
    let error = wrong(json!({"services": [{"colour": 1}]}));
    assert!(error.message.contains("colour is no member of Service"), "{}", error.message);
    assert_eq!(error.status, 500);
}

#[test]
fn reading_does_not_change_what_happens() {
    let (mut a, mut b) = (world(), world());
    for _ in 0..3 {
        handle(&mut a, request("sts", &[FORM], "Action=GetCallerIdentity&Version=2011-06-15")).unwrap();
    }
    assert_eq!(a.random(), b.random());
}

/// `recorded/requests.jsonl`, or the file `CUTOVER_WIRE_CASES` names: the cases with our answers are then
/// written beside it (`.answered`), for `recorded/record.py answers` to read them back with botocore.
#[test]
fn requests_recorded_from_botocore_decode_to_what_they_were_made_from() {
    let other = std::env::var("CUTOVER_WIRE_CASES").ok();
    let cases = match &other {
        Some(path) => std::fs::read_to_string(path).unwrap(),
        None => include_str!("recorded/requests.jsonl").to_owned(),
    };
    let mut answered = String::new();
    for line in cases.lines() {
        let mut case: Json = serde_json::from_str(line).unwrap();
        let (parts, body) = recorded(&case).into_parts();
        let form = query::Form::parse(&body);
        let service = model::service(&service_name(&parts, &form)).unwrap();
        let call = Call {
            service,
            protocol: protocol(service, &parts),
            request_id: "r-1".to_owned(),
            bodiless: false,
        };
        let operation = call.operation(&parts, &form).unwrap();
        assert_eq!(operation.name, case["operation"], "{line}");
        assert_eq!(call.decode(operation, &parts, &form, &body).unwrap(), case["input"], "{line}");
        let response = call.encode(operation, &case["answer"]).unwrap();
        case["status"] = response.status().as_u16().into();
        case["response"] = STANDARD.encode(response.body()).into();
        case["response_headers"] = json!({});
        for (name, value) in response.headers() {
            case["response_headers"][name.as_str()] = value.to_str().unwrap().into();
        }
        answered += &format!("{case}\n");
    }
    if let Some(path) = other {
        std::fs::write(format!("{path}.answered"), answered).unwrap();
    }
}

fn recorded(case: &Json) -> http::Request<Bytes> {
    let url: http::Uri = case["url"].as_str().unwrap().parse().unwrap();
    let body = STANDARD.decode(case["body"].as_str().unwrap()).unwrap();
    let mut made = request(case["service"].as_str().unwrap(), &[], body);
    *made.uri_mut() = url;
    *made.method_mut() = case["method"].as_str().unwrap().parse().unwrap();
    for (name, value) in case["headers"].as_object().unwrap() {
        let name: http::HeaderName = name.parse().unwrap();
        made.headers_mut().insert(name, value.as_str().unwrap().parse().unwrap());
    }
    made
}

#[test]
fn each_region_has_its_own_resources_and_shares_what_is_global() {
    let mut world = world();
    let mut ask = |service: &str, region: &str, body: &str| {
        let mut request = request(service, &[FORM], body.to_owned());
        let scope = format!("AWS4-HMAC-SHA256 Credential=AKID/20260102/{region}/{service}/aws4_request, x");
        request.headers_mut().insert(AUTHORIZATION, scope.parse().unwrap());
        text(&handle(&mut world, request).unwrap())
    };
    let vpc = "Action=CreateVpc&Version=2016-11-15&CidrBlock=10.9.0.0/16";
    assert!(ask("ec2", "eu-west-1", vpc).contains("10.9.0.0/16"));
    let list = "Action=DescribeVpcs&Version=2016-11-15";
    assert!(ask("ec2", "eu-west-1", list).contains("10.9.0.0/16"));
    let here = ask("ec2", "us-east-1", list);
    assert!(!here.contains("10.9.0.0/16") && here.contains("172.31.0.0/16"), "{here}");
    let user = "Action=CreateUser&Version=2010-05-08&UserName=ci";
    assert!(ask("iam", "eu-west-1", user).contains("arn:aws:iam::123456789012:user/ci"));
    let users = "Action=ListUsers&Version=2010-05-08";
    assert!(ask("iam", "us-east-1", users).contains("user/ci"));
    // China is another account.
    assert!(!ask("iam", "cn-north-1", users).contains("user/ci"));
    assert!(ask("iam", "cn-north-1", user).contains("arn:aws-cn:iam::"));
}
