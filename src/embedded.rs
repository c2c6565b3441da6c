//! The HTTP client under the real AWS SDK clients: requests go to a world in this process, no socket.

use crate::clock::Clock;
use crate::sim::faults::Lost;
use crate::sim::{Millis, Sim};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use std::time::{Duration, SystemTime};

/// What a call takes in the world's time, so that polling makes time pass.
const LATENCY: Duration = Duration::from_millis(20);

/// How long a client waits for an answer that does not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Configuration of SDK clients that talk to `sim`. `clock` must be of the (paused) runtime that will run
/// the calls. One configuration serves all services: take `Client::new(&config)` of each.
pub fn sdk_config(sim: &Sim, clock: &Clock, region: &str, retry: RetryConfig) -> SdkConfig {
    let credentials = Credentials::new("AKIAEMBEDDEDAWS00000", "embedded", None, None, "embedded");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(retry)
        .sleep_impl(TokioSleep::new())
        .time_source(ClockTime(clock.clone()))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .http_client(InProcess { sim: sim.clone(), clock: clock.clone() })
        .build()
}

#[derive(Debug)]
struct ClockTime(Clock);

impl TimeSource for ClockTime {
    fn now(&self) -> SystemTime {
        SystemTime::from(self.0.now())
    }
}

/// What a shell tells of a process that was killed: 128 and the signal's number.
const KILLED: i32 = 137;

#[derive(Clone, Debug)]
struct InProcess {
    sim: Sim,
    clock: Clock,
}

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { sim, clock } = self.clone();
        HttpConnectorFuture::new(async move {
            clock.sleep(LATENCY).await;
            let now = clock.now().as_millisecond();
            match exchange(&sim, now, request).await.map_err(|e| ConnectorError::other(e, None))? {
                Ok(response) => Ok(response),
                Err(lost @ Lost::Timeout) => {
                    clock.sleep(PATIENCE).await;
                    Err(ConnectorError::timeout(lost.into()))
                }
                Err(Lost::Caller) => std::process::exit(KILLED),
                Err(lost @ Lost::Reset) => Err(ConnectorError::io(lost.into())),
            }
        })
    }
}

async fn exchange(
    sim: &Sim,
    now: Millis,
    request: HttpRequest,
) -> Result<Result<HttpResponse, Lost>, Box<dyn std::error::Error + Send + Sync>> {
    let (parts, body) = request.try_into_http1x()?.into_parts();
    let body = ByteStream::new(body).collect().await?.into_bytes();
    match sim.handle(now, http::Request::from_parts(parts, body)) {
        Ok(response) => Ok(Ok(HttpResponse::try_from(response.map(SdkBody::from))?)),
        Err(lost) => Ok(Err(lost)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::World;
    use jiff::Timestamp;

    /// Through the real SDK's clients, in the world's own time.
    fn in_world<F: Future<Output = ()>>(test: impl FnOnce(SdkConfig, Clock) -> F) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime needs nothing but memory");
        runtime.block_on(async {
            let origin: Timestamp = "2026-01-02T03:04:05Z".parse().expect("a time");
            let world = World::new("123456789012", "us-east-1", 1, origin.as_millisecond());
            let clock = Clock::starting_at(origin);
            let config = sdk_config(&Sim::new(world), &clock, "us-east-1", RetryConfig::standard());
            test(config, clock.clone()).await;
        });
    }

    #[test]
    fn the_sdk_learns_who_it_is_and_time_passes() {
        in_world(|config, clock| async move {
            let before = clock.now();
            let client = aws_sdk_sts::Client::new(&config);
            let identity = client.get_caller_identity().send().await.expect("answered");
            assert_eq!(identity.account(), Some("123456789012"));
            assert_eq!(identity.arn(), Some("arn:aws:iam::123456789012:user/embedded"));
            assert_eq!(clock.now() - LATENCY, before);
        });
    }

    #[test]
    fn an_assumed_role_is_who_calls_then() {
        in_world(|config, _| async move {
            let client = aws_sdk_sts::Client::new(&config);
            let role = "arn:aws:iam::123456789012:role/path/deploy";
            let assumed =
                client.assume_role().role_arn(role).role_session_name("ci").send().await.expect("assumed");
            let credentials = assumed.credentials().expect("given");
            let credentials = Credentials::new(
                credentials.access_key_id(),
                credentials.secret_access_key(),
                Some(credentials.session_token().to_owned()),
                None,
                "test",
            );
            let config =
                config.into_builder().credentials_provider(SharedCredentialsProvider::new(credentials));
            let client = aws_sdk_sts::Client::new(&config.build());
            let identity = client.get_caller_identity().send().await.expect("answered");
            assert_eq!(identity.arn(), Some("arn:aws:sts::123456789012:assumed-role/deploy/ci"));
        });
    }

    #[test]
    fn an_error_has_its_code_and_request_id() {
        use aws_sdk_sts::error::ProvideErrorMetadata;
        use aws_sdk_sts::operation::RequestId;
        in_world(|config, _| async move {
            let client = aws_sdk_sts::Client::new(&config);
            let call =
                client.assume_role().role_arn("arn:aws:iam::123456789012:user/x").role_session_name("ci");
            let error = call.send().await.expect_err("no role");
            assert_eq!(error.code(), Some("ValidationError"));
            assert_eq!(error.message(), Some("arn:aws:iam::123456789012:user/x is invalid"));
            assert!(error.request_id().is_some_and(|id| id.len() == 36));
        });
    }

    #[test]
    fn temporary_credentials_expire() {
        use aws_sdk_sts::error::ProvideErrorMetadata;
        in_world(|config, clock| async move {
            let client = aws_sdk_sts::Client::new(&config);
            let token =
                client.get_federation_token().name("ci").duration_seconds(900).send().await.expect("given");
            let key = token.credentials().expect("given").access_key_id().to_owned();
            let credentials = SharedCredentialsProvider::new(Credentials::new(key, "s", None, None, "test"));
            let config = config.into_builder().credentials_provider(credentials).build();
            let client = aws_sdk_sts::Client::new(&config);
            let identity = client.get_caller_identity().send().await.expect("answered");
            assert_eq!(identity.arn(), Some("arn:aws:sts::123456789012:federated-user/ci"));
            clock.sleep(Duration::from_secs(900)).await;
            let error = client.get_caller_identity().send().await.expect_err("expired");
            assert_eq!(error.code(), Some("ExpiredToken"));
        });
    }

    /// awsJson, with an error's type.
    #[test]
    fn ecr_repositories_are_made_once() {
        in_world(|config, _| async move {
            let client = aws_sdk_ecr::Client::new(&config);
            let made = client.create_repository().repository_name("web").send().await.expect("made");
            let repository = made.repository().expect("answered");
            let uri = repository.repository_uri().expect("has one");
            assert!(uri.starts_with("123456789012.dkr.ecr.us-east-1."), "{uri}");
            let created = repository.created_at().expect("has a time");
            assert_eq!(created.secs(), 1_767_323_045);
            let again = client.create_repository().repository_name("web").send().await.expect_err("exists");
            assert!(again.into_service_error().is_repository_already_exists_exception());
        });
    }

    /// awsQuery, with lists, documents and an error of its own status.
    #[test]
    fn iam_roles_come_back_as_made() {
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ecs-tasks.amazonaws.com"}}]}"#;
        in_world(|config, _| async move {
            let client = aws_sdk_iam::Client::new(&config);
            let tag =
                aws_sdk_iam::types::Tag::builder().key("team").value("a + b").build().expect("complete");
            let role = client.create_role().role_name("task").assume_role_policy_document(trust).tags(tag);
            role.send().await.expect("made");
            let role = client.get_role().role_name("task").send().await.expect("found");
            let role = role.role().expect("answered");
            assert_eq!(role.arn(), "arn:aws:iam::123456789012:role/task");
            assert_eq!(role.tags()[0].value(), "a + b");
            let document = role.assume_role_policy_document().expect("has one");
            let document = percent_encoding::percent_decode_str(document).decode_utf8().expect("is text");
            assert_eq!(document, trust);
            let error = client.get_role().role_name("none").send().await.expect_err("there is none");
            assert_eq!(error.raw_response().expect("answered").status().as_u16(), 404);
            assert!(error.into_service_error().is_no_such_entity_exception());
        });
    }

    /// REST with XML: labels, a header, a body, an error of a shape of its own.
    #[test]
    fn route53_zones_take_records_once() {
        use aws_sdk_route53::types::{
            Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType,
        };
        let record = ResourceRecord::builder().value("\"v=1; <a> & b\"").build().expect("complete");
        let set = ResourceRecordSet::builder().name("a.example.com").r#type(RrType::Txt).ttl(60);
        let set = set.resource_records(record).build().expect("complete");
        let change = Change::builder().action(ChangeAction::Create).resource_record_set(set.clone());
        let changes = ChangeBatch::builder().changes(change.build().expect("complete"));
        let changes = changes.build().expect("complete");
        in_world(|config, _| async move {
            let client = aws_sdk_route53::Client::new(&config);
            let zone = client.create_hosted_zone().name("example.com").caller_reference("once");
            let zone = zone.send().await.expect("made");
            let id = zone.hosted_zone().expect("answered").id().to_owned();
            assert!(zone.location().ends_with(id.trim_start_matches("/hostedzone/")), "{}", zone.location());
            let add =
                || client.change_resource_record_sets().hosted_zone_id(&id).change_batch(changes.clone());
            add().send().await.expect("added");
            let found = client.list_resource_record_sets().hosted_zone_id(&id).send().await.expect("listed");
            let found = found.resource_record_sets().iter().find(|s| s.r#type() == &RrType::Txt);
            assert_eq!(found.expect("it is there").resource_records(), set.resource_records());
            let error = add().send().await.expect_err("it is there already").into_service_error();
            assert!(error.is_invalid_change_batch(), "{error:?}");
        });
    }

    /// CBOR: numbers, times, and an error known by its old code.
    #[test]
    fn cloudwatch_keeps_metrics() {
        use aws_sdk_cloudwatch::primitives::DateTime;
        use aws_sdk_cloudwatch::types::{MetricDatum, Statistic};
        in_world(|config, clock| async move {
            let client = aws_sdk_cloudwatch::Client::new(&config);
            let now = clock.now().as_second();
            let datum = |value| {
                let datum = MetricDatum::builder().metric_name("Requests").value(value);
                datum.timestamp(DateTime::from_secs(now)).build()
            };
            // Large enough for the SDK to compress it.
            let many = (0..500).map(|i| datum(f64::from(i)));
            let put = client.put_metric_data().namespace("App").set_metric_data(Some(many.collect()));
            put.send().await.expect("put");
            let get = client.get_metric_statistics().namespace("App").metric_name("Requests").period(60);
            let get = get.start_time(DateTime::from_secs(now - 60)).end_time(DateTime::from_secs(now + 60));
            let found = get.statistics(Statistic::SampleCount).statistics(Statistic::Maximum);
            let found = found.send().await.expect("answered");
            let [point] = found.datapoints() else { panic!("{found:?}") };
            assert_eq!((point.sample_count(), point.maximum()), (Some(500.0), Some(499.0)));
            assert_eq!(point.timestamp().expect("has one").secs(), now / 60 * 60);
            let none = client.set_alarm_state().alarm_name("none").state_value("OK".into()).state_reason("r");
            let error = none.send().await.expect_err("there is none").into_service_error();
            assert!(error.is_resource_not_found(), "{error:?}");
        });
    }

    /// ec2Query: flat lists both ways, filters, dry runs, errors by code.
    #[test]
    fn ec2_subnets_come_back_as_made() {
        use aws_sdk_ec2::error::ProvideErrorMetadata;
        use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
        in_world(|config, _| async move {
            let client = aws_sdk_ec2::Client::new(&config);
            let vpc = client.create_vpc().cidr_block("10.0.0.0/16").send().await.expect("made");
            let vpc = vpc.vpc().and_then(|v| v.vpc_id()).expect("has an id").to_owned();
            let tag = Tag::builder().key("Name").value("a <b> & \"c\"").build();
            let tags =
                TagSpecification::builder().resource_type(ResourceType::Subnet).tags(tag.clone()).build();
            let subnet = || client.create_subnet().vpc_id(&vpc).cidr_block("10.0.1.0/24");
            let dry = subnet().dry_run(true).send().await.expect_err("only asked");
            assert_eq!(dry.code(), Some("DryRunOperation"));
            let made = subnet().tag_specifications(tags).send().await.expect("made");
            let made = made.subnet().expect("answered").clone();
            assert_eq!(made.tags(), [tag]);
            let filter = Filter::builder().name("vpc-id").values(&vpc).build();
            let found = client.describe_subnets().filters(filter).send().await.expect("listed");
            assert_eq!(found.subnets(), [made]);
            let error = client.delete_vpc().vpc_id("vpc-0123456789abcdef0").send().await.expect_err("none");
            assert_eq!(error.code(), Some("InvalidVpcID.NotFound"));
            let error = client.create_subnet().vpc_id(&vpc).send().await.expect_err("no CIDR block");
            assert_eq!(error.code(), Some("MissingParameter"));
        });
    }

    #[test]
    fn what_is_not_supported_is_not_tried_again() {
        use aws_sdk_ec2::error::ProvideErrorMetadata;
        in_world(|config, clock| async move {
            let before = clock.now();
            let client = aws_sdk_ec2::Client::new(&config);
            let error = client.describe_fpga_images().send().await.expect_err("there are none here");
            assert_eq!(error.code(), Some("UnsupportedOperation"));
            assert_eq!(clock.now() - LATENCY, before);
        });
    }
}
