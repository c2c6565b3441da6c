//! `aws_ecs_task_definition`: what a task runs. Every change registers a new revision.

// AWS has retired inference accelerators, but existing configurations and revisions have them.
#![allow(deprecated)]

mod containers;
mod volumes;

use super::ecs::{self, built, some};
use crate::aws::arn;
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{ID, Object, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_ecs::types as sdk;
use aws_sdk_ecs::types::{Tag, TaskDefinition, TaskDefinitionField, TaskDefinitionStatus};
use futures::{StreamExt, TryStreamExt};

attributes! {
    PLACEMENT_TABLE:
    PLACEMENT_TYPE: Str = required("type").one_of(&["memberOf"]);
    PLACEMENT_EXPRESSION: Str = optional("expression");
}

attributes! {
    PROXY_TABLE:
    PROXY_CONTAINER: Str = required("container_name");
    PROXY_PROPERTIES: StrMap = optional("properties");
    PROXY_TYPE: Str = optional("type").default_str("APPMESH").one_of(&["APPMESH"]);
}

attributes! {
    PLATFORM_TABLE:
    CPU_ARCHITECTURE: Str = optional("cpu_architecture").one_of(&["X86_64", "ARM64"]);
    OPERATING_SYSTEM: Str = optional("operating_system_family");
}

attributes! {
    STORAGE_TABLE:
    SIZE_IN_GIB: Int = required("size_in_gib").range(21, 200);
}

attributes! {
    ACCELERATOR_TABLE:
    DEVICE_NAME: Str = required("device_name");
    DEVICE_TYPE: Str = required("device_type");
}

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    FAMILY: Str = required("family").replaces().check(super::ecs_cluster::name);
    CONTAINER_DEFINITIONS: Json = required("container_definitions").replaces().same(same_containers)
        .check(|v| containers::parse(v.as_str().unwrap_or("")).map(drop));
    CPU: Str = optional("cpu").replaces().same(|live, want| same_amount(live, want, "vcpu"));
    MEMORY: Str = optional("memory").replaces().same(|live, want| same_amount(live, want, "gb"));
    NETWORK_MODE: Str = optional_computed("network_mode").replaces()
        .one_of(&["bridge", "host", "awsvpc", "none"]);
    REQUIRES_COMPATIBILITIES: StrSet = optional("requires_compatibilities").replaces().check(compatibilities);
    EXECUTION_ROLE_ARN: Str = optional("execution_role_arn").replaces().check(arn::check);
    TASK_ROLE_ARN: Str = optional("task_role_arn").replaces().check(arn::check);
    IPC_MODE: Str = optional("ipc_mode").replaces().one_of(&["host", "task", "none"]);
    PID_MODE: Str = optional("pid_mode").replaces().one_of(&["host", "task"]);
    ENABLE_FAULT_INJECTION: Bool = optional_computed("enable_fault_injection").replaces();
    SKIP_DESTROY: Bool = optional("skip_destroy").default_bool(false).local()
        .doc("Keep old revisions registered");
    TRACK_LATEST: Bool = optional("track_latest").default_bool(false).local()
        .doc("Compare with the family's latest revision, not with the one that was registered here");
    EPHEMERAL_STORAGE: Blocks = optional("ephemeral_storage").single(&STORAGE_TABLE).replaces();
    INFERENCE_ACCELERATOR: Blocks = optional("inference_accelerator").set(&ACCELERATOR_TABLE).replaces();
    PLACEMENT_CONSTRAINTS: Blocks = optional("placement_constraints").set(&PLACEMENT_TABLE).replaces()
        .max_items(10);
    PROXY_CONFIGURATION: Blocks = optional("proxy_configuration").single(&PROXY_TABLE).replaces();
    RUNTIME_PLATFORM: Blocks = optional("runtime_platform").single(&PLATFORM_TABLE).replaces();
    VOLUME: Blocks = optional("volume").set(&volumes::TABLE).replaces().same(volumes::same);
    ARN: Str = computed("arn");
    ARN_WITHOUT_REVISION: Str = computed("arn_without_revision");
    REVISION: Int = computed("revision");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "What a task runs: containers, their resources and roles",
    example: r#"
resource "aws_ecs_task_definition" "web" {
  family                   = "web"
  network_mode             = "bridge"
  requires_compatibilities = ["EC2"]

  container_definitions = jsonencode([{
    name         = "web"
    image        = "public.ecr.aws/nginx/nginx:1.27"
    memory       = 128
    portMappings = [{ containerPort = 80, hostPort = 0 }]
    environment  = [{ name = "STAGE", value = "dev" }]
  }])
}
"#,
    create_before_destroy: true,
    validate,
    predict: |want| want.value("family").cloned().map(|family| ("id", family)).into_iter().collect(),
    ..TypeSchema::new("aws_ecs_task_definition", &TABLE)
};

fn compatibilities(value: &Value) -> Result<(), String> {
    let mut items = value.as_slice().unwrap_or_default().iter().filter_map(Value::as_str);
    match items.find(|s| !["EC2", "FARGATE", "EXTERNAL"].contains(s)) {
        Some(bad) => Err(format!("may hold EC2, FARGATE and EXTERNAL, not `{bad}`")),
        None => Ok(()),
    }
}

fn same_containers(live: &Value, want: &Value) -> bool {
    live.as_str().zip(want.as_str()).is_some_and(|(live, want)| containers::same(live, want))
}

/// `1 vCPU` is `1024`, `1 GB` is `1024`: AWS answers the number.
fn same_amount(live: &Value, want: &Value, unit: &str) -> bool {
    let amount = |value: &Value| -> Option<i64> {
        let text = value.as_str()?.to_lowercase().replace(' ', "");
        match text.strip_suffix(unit) {
            Some(number) => number.parse::<f64>().ok().map(|n| (n * 1024.0) as i64),
            None => text.parse().ok(),
        }
    };
    amount(live).is_some_and(|l| amount(want) == Some(l))
}

fn validate(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let missing = |name: &str| want.value(name).is_none_or(Value::is_null);
    let fargate = want.all(&REQUIRES_COMPATIBILITIES).iter().any(|c| c == "FARGATE");
    if fargate {
        for name in ["cpu", "memory"] {
            if missing(name) {
                problems.push((name, "is needed for FARGATE".to_owned()));
            }
        }
        if missing("network_mode") || want.get(&NETWORK_MODE).is_some_and(|m| m != "awsvpc") {
            problems.push(("network_mode", "must be \"awsvpc\" for FARGATE".to_owned()));
        }
    }
    let Some(text) = want.get(&CONTAINER_DEFINITIONS) else { return problems };
    let Ok(definitions) = containers::parse(&text) else { return problems };
    if definitions.is_empty() {
        problems.push(("container_definitions", "must hold at least one container".to_owned()));
    }
    for (i, c) in definitions.iter().enumerate() {
        let name = c.name().unwrap_or("");
        let mut say = |text: &str| {
            let which = if name.is_empty() { format!("[{i}]") } else { format!("`{name}`") };
            problems.push(("container_definitions", format!("container {which} {text}")));
        };
        if name.is_empty() {
            say("needs a name");
        }
        if c.image().is_none_or(str::is_empty) {
            say("needs an image");
        }
        if c.memory().is_none() && c.memory_reservation().is_none() && missing("memory") {
            say("needs memory or memoryReservation, as the task declares no memory");
        }
    }
    if definitions.iter().all(|c| c.essential() == Some(false)) && !definitions.is_empty() {
        problems.push(("container_definitions", "must have at least one essential container".to_owned()));
    }
    problems
}

pub struct EcsTaskDefinition;

#[async_trait(?Send)]
impl AwsType for EcsTaskDefinition {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        // AWS has no list form of this: asked one by one, eight at a time.
        futures::stream::iter(items.iter().map(|item| read_one(aws, item))).buffered(8).try_collect().await
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let want = job.want;
        let definitions = containers::parse(&want.need(&CONTAINER_DEFINITIONS))
            .map_err(|e| AwsError::failed(REGISTER, "InvalidContainerDefinitions", e))?;
        let compatibilities = want.all(&REQUIRES_COMPATIBILITIES).iter().map(|c| c.as_str().into()).collect();
        let made = aws
            .ecs
            .register_task_definition()
            .family(want.need(&FAMILY))
            .set_container_definitions(Some(definitions))
            .set_cpu(want.get(&CPU))
            .set_memory(want.get(&MEMORY))
            .set_network_mode(want.get(&NETWORK_MODE).map(|m| m.as_str().into()))
            .set_requires_compatibilities(some(compatibilities))
            .set_execution_role_arn(want.get(&EXECUTION_ROLE_ARN))
            .set_task_role_arn(want.get(&TASK_ROLE_ARN))
            .set_ipc_mode(want.get(&IPC_MODE).map(|m| m.as_str().into()))
            .set_pid_mode(want.get(&PID_MODE).map(|m| m.as_str().into()))
            .set_enable_fault_injection(want.get(&ENABLE_FAULT_INJECTION))
            .set_ephemeral_storage(ephemeral_storage(want))
            .set_inference_accelerators(some(accelerators(want)?))
            .set_placement_constraints(some(placement_constraints(want)))
            .set_proxy_configuration(proxy(want)?)
            .set_runtime_platform(runtime_platform(want))
            .set_volumes(some(volumes::volumes(&want.all(&VOLUME))?))
            .set_tags(Some(ecs::creation_tags(job)))
            .send()
            .await
            .op(REGISTER)?;
        let arn = made.task_definition().and_then(|d| d.task_definition_arn()).unwrap_or_default();
        Ok(arn.to_owned())
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let Some(arn) = job.live.get(&ARN) else { return Ok(()) };
        ecs::update_tags(aws, &arn, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.want.get(&SKIP_DESTROY).unwrap_or(false) {
            return Ok(());
        }
        // Never by family: that would be the newest revision, perhaps the one that replaced this.
        let arn = if job.id.starts_with("arn:") { Some(job.id.to_owned()) } else { None };
        let Some(arn) = arn.or_else(|| job.live.get(&ARN)).or_else(|| job.want.get(&ARN)) else {
            let text = "it is not known which revision to deregister";
            return Err(AwsError::failed("DeregisterTaskDefinition", "Internal", text));
        };
        let call = aws.ecs.deregister_task_definition().task_definition(arn).send().await;
        match call.op("DeregisterTaskDefinition") {
            Err(e) if gone(&e) => Ok(()),
            other => other.map(drop),
        }
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        // A creation that was killed is among the family's newest revisions.
        let family = job.want.need(&FAMILY);
        let call = aws.ecs.list_task_definitions().family_prefix(&family).max_results(10);
        let newest = call.sort(sdk::SortOrder::Desc).send().await.op("ListTaskDefinitions")?;
        for arn in newest.task_definition_arns() {
            if let Some((definition, tags)) = describe(aws, arn).await?
                && definition.family() == Some(&family)
                && ecs::is_ours(&tags, job.token)
            {
                return Ok(Some(arn.clone()));
            }
        }
        Ok(None)
    }

    /// The provider imports by ARN with revision.
    fn import(&self, id: &str) -> Object {
        let mut known = Object::new();
        known.set(&ID, id).set(&ARN, Some(id).filter(|id| id.starts_with("arn:")));
        known
    }
}

const REGISTER: &str = "RegisterTaskDefinition";

/// ECS says ClientException for a revision that is not there (or not active any more).
fn gone(e: &AwsError) -> bool {
    let text = e.message.to_lowercase();
    let says = ["unable to describe", "does not exist", "not found", "inactive", "delete_in_progress"];
    e.is(&["ClientException", "InvalidParameterException"]) && says.iter().any(|s| text.contains(s))
}

async fn describe(aws: &Aws, id: &str) -> Result<Option<(TaskDefinition, Vec<Tag>)>, AwsError> {
    let call = aws.ecs.describe_task_definition().task_definition(id).include(TaskDefinitionField::Tags);
    let answer = match call.send().await.op("DescribeTaskDefinition") {
        Err(e) if gone(&e) => return Ok(None),
        other => absent(other, &["TaskDefinitionNotFoundException"])?,
    };
    let Some(answer) = answer else { return Ok(None) };
    let tags = answer.tags.unwrap_or_default();
    let active = |d: &TaskDefinition| d.status().is_none_or(|s| *s == TaskDefinitionStatus::Active);
    Ok(answer.task_definition.filter(active).map(|d| (d, tags)))
}

async fn read_one(aws: &Aws, item: &Existing<'_>) -> Result<Option<Object>, AwsError> {
    // The id is the family, as the provider has it; the revision is in the ARN.
    let arn = item.known.get(&ARN).unwrap_or_else(|| item.id.to_owned());
    let latest = item.known.get(&TRACK_LATEST).unwrap_or(false);
    let id = if latest { family_of(&arn) } else { &arn };
    let Some((definition, tags)) = describe(aws, id).await? else { return Ok(None) };
    // The words of a secret are known only while it is declared, and not later.
    let secret = item.known.value("container_definitions").is_some_and(Value::contains_sensitive);
    let declared = item.known.get(&CONTAINER_DEFINITIONS).filter(|_| !secret);
    Ok(Some(object(&definition, &tags, declared.as_deref())))
}

/// `arn:…:task-definition/web:3` → `web`.
fn family_of(arn: &str) -> &str {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    name.split(':').next().unwrap_or(name)
}

fn ephemeral_storage(want: &Object) -> Option<sdk::EphemeralStorage> {
    let size = ecs::small(want.block(&EPHEMERAL_STORAGE)?.get(&SIZE_IN_GIB))?;
    Some(sdk::EphemeralStorage::builder().size_in_gib(size).build())
}

fn accelerators(want: &Object) -> Result<Vec<sdk::InferenceAccelerator>, AwsError> {
    let one = |b: &Object| {
        let accelerator = sdk::InferenceAccelerator::builder()
            .device_name(b.need(&DEVICE_NAME))
            .device_type(b.need(&DEVICE_TYPE));
        built(REGISTER, accelerator.build())
    };
    want.all(&INFERENCE_ACCELERATOR).iter().map(one).collect()
}

fn placement_constraints(want: &Object) -> Vec<sdk::TaskDefinitionPlacementConstraint> {
    let one = |b: Object| {
        sdk::TaskDefinitionPlacementConstraint::builder()
            .r#type(b.need(&PLACEMENT_TYPE).as_str().into())
            .set_expression(b.get(&PLACEMENT_EXPRESSION))
            .build()
    };
    want.all(&PLACEMENT_CONSTRAINTS).into_iter().map(one).collect()
}

fn proxy(want: &Object) -> Result<Option<sdk::ProxyConfiguration>, AwsError> {
    let Some(b) = want.block(&PROXY_CONFIGURATION) else { return Ok(None) };
    let properties = b.all(&PROXY_PROPERTIES).into_iter();
    let pair = |(name, value)| sdk::KeyValuePair::builder().name(name).value(value).build();
    let proxy = sdk::ProxyConfiguration::builder()
        .set_type(b.get(&PROXY_TYPE).map(|t| t.as_str().into()))
        .container_name(b.need(&PROXY_CONTAINER))
        .set_properties(Some(properties.map(pair).collect()));
    built(REGISTER, proxy.build()).map(Some)
}

fn runtime_platform(want: &Object) -> Option<sdk::RuntimePlatform> {
    let b = want.block(&RUNTIME_PLATFORM)?;
    Some(
        sdk::RuntimePlatform::builder()
            .set_cpu_architecture(b.get(&CPU_ARCHITECTURE).map(|a| a.as_str().into()))
            .set_operating_system_family(b.get(&OPERATING_SYSTEM).map(|o| o.as_str().into()))
            .build(),
    )
}

fn object(d: &TaskDefinition, tags: &[Tag], declared: Option<&str>) -> Object {
    let arn = d.task_definition_arn().unwrap_or_default();
    let mut definitions = d.container_definitions().to_vec();
    if matches!(d.network_mode(), Some(sdk::NetworkMode::Awsvpc | sdk::NetworkMode::Host)) {
        let ours = declared.and_then(|text| containers::parse(text).ok()).unwrap_or_default();
        containers::without_implied_host_ports(&mut definitions, &ours);
    }
    let compatibilities: Vec<String> =
        d.requires_compatibilities().iter().map(|c| c.as_str().to_owned()).collect();
    let mut o = Object::new();
    o.set(&ID, d.family())
        .set(&ARN, arn)
        .set(&ARN_WITHOUT_REVISION, arn.rsplit_once(':').map(|(front, _)| front))
        .set(&REVISION, d.revision())
        .set(&FAMILY, d.family())
        .set(&CONTAINER_DEFINITIONS, containers::in_words_of(&definitions, declared))
        .set(&CPU, d.cpu())
        .set(&MEMORY, d.memory())
        .set(&NETWORK_MODE, d.network_mode().map(|m| m.as_str()))
        .set(&REQUIRES_COMPATIBILITIES, some(compatibilities))
        .set(&EXECUTION_ROLE_ARN, d.execution_role_arn())
        .set(&TASK_ROLE_ARN, d.task_role_arn())
        .set(&IPC_MODE, d.ipc_mode().map(|m| m.as_str()))
        .set(&PID_MODE, d.pid_mode().map(|m| m.as_str()))
        .set(&ENABLE_FAULT_INJECTION, d.enable_fault_injection().unwrap_or(false))
        .set_blocks(&VOLUME, d.volumes().iter().map(volumes::block).collect());
    set_small_blocks(&mut o, d);
    tags::read(&mut o, ecs::pairs(tags));
    o.complete(&TABLE)
}

fn set_small_blocks(o: &mut Object, d: &TaskDefinition) {
    let storage = d.ephemeral_storage().map(|s| {
        let mut b = Object::new();
        b.set(&SIZE_IN_GIB, s.size_in_gib());
        b
    });
    let accelerator = |a: &sdk::InferenceAccelerator| {
        let mut b = Object::new();
        b.set(&DEVICE_NAME, a.device_name()).set(&DEVICE_TYPE, a.device_type());
        b
    };
    let placement = |c: &sdk::TaskDefinitionPlacementConstraint| {
        let mut b = Object::new();
        b.set(&PLACEMENT_TYPE, c.r#type().map(|t| t.as_str())).set(&PLACEMENT_EXPRESSION, c.expression());
        b
    };
    let proxy = d.proxy_configuration().map(|p| {
        let pair = |k: &sdk::KeyValuePair| {
            (k.name().unwrap_or_default().to_owned(), k.value().unwrap_or_default().to_owned())
        };
        let properties: std::collections::BTreeMap<String, String> =
            p.properties().iter().map(pair).collect();
        let mut b = Object::new();
        b.set(&PROXY_TYPE, p.r#type().map(|t| t.as_str()))
            .set(&PROXY_CONTAINER, p.container_name())
            .set(&PROXY_PROPERTIES, properties);
        b
    });
    let platform = d.runtime_platform().map(|p| {
        let mut b = Object::new();
        b.set(&CPU_ARCHITECTURE, p.cpu_architecture().map(|a| a.as_str()))
            .set(&OPERATING_SYSTEM, p.operating_system_family().map(|f| f.as_str()));
        b
    });
    o.set_blocks(&EPHEMERAL_STORAGE, storage.into_iter().collect())
        .set_blocks(&INFERENCE_ACCELERATOR, d.inference_accelerators().iter().map(accelerator).collect())
        .set_blocks(&PLACEMENT_CONSTRAINTS, d.placement_constraints().iter().map(placement).collect())
        .set_blocks(&PROXY_CONFIGURATION, proxy.into_iter().collect())
        .set_blocks(&RUNTIME_PLATFORM, platform.into_iter().collect());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_may_be_written_with_units() {
        let same = |a: &str, b: &str, unit| same_amount(&a.into(), &b.into(), unit);
        assert!(same("256", ".25 vCPU", "vcpu"));
        assert!(same("1024", "1 GB", "gb"));
        assert!(!same("1024", "2 GB", "gb"));
    }

    #[test]
    fn fargate_needs_sizes_and_awsvpc() {
        let mut want = Object::new();
        want.set(&REQUIRES_COMPATIBILITIES, vec!["FARGATE".to_owned()])
            .set(&CONTAINER_DEFINITIONS, r#"[{"name":"a","image":"b","memory":1}]"#);
        let names: Vec<&str> = validate(&want).iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["cpu", "memory", "network_mode"]);
    }

    #[test]
    fn containers_need_name_image_and_memory() {
        let mut want = Object::new();
        want.set(&CONTAINER_DEFINITIONS, "[{}]");
        assert_eq!(validate(&want).len(), 3);
    }

    #[test]
    fn the_family_is_in_the_arn() {
        assert_eq!(family_of("arn:aws:ecs:us-east-1:1:task-definition/web:3"), "web");
        assert_eq!(family_of("web"), "web");
    }
}
