//! `aws_ecr_repository`: where images are kept.

use super::timeouts;
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{Attr, Blocks, ID, Object, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_ecr::types::{
    EncryptionConfiguration, EncryptionType, ImageScanningConfiguration, ImageTagMutability,
    Repository as Live, Tag,
};
use futures::stream::{StreamExt, TryStreamExt};

mod encryption {
    use crate::schema::attributes;
    attributes! {
        TABLE:
        TYPE: Str = optional("encryption_type").default_str("AES256").replaces().one_of(&["AES256", "KMS", "KMS_DSSE"]);
        KMS_KEY: Str = optional_computed("kms_key").replaces();
    }
}

mod scanning {
    use crate::schema::attributes;
    attributes! {
        TABLE:
        SCAN_ON_PUSH: Bool = required("scan_on_push");
    }
}

attributes! {
    DELETE_ONLY:
    DELETE_TIMEOUT: Str = optional("delete").check(timeouts::is_duration);
}

attributes! {
    TABLE [TAGS, TAGS_ALL, TIMEOUTS]:
    ARN: Str = computed("arn");
    // AWS encrypts with AES256 when nothing is said: a block that says so is no difference.
    ENCRYPTION: Blocks = optional("encryption_configuration").list(&encryption::TABLE).replaces().same(same_encryption);
    FORCE_DELETE: Bool = optional("force_delete").local();
    MUTABILITY: Str = optional("image_tag_mutability").default_str("MUTABLE").one_of(&["MUTABLE", "IMMUTABLE"]);
    SCANNING: Blocks = optional("image_scanning_configuration").single(&scanning::TABLE).same(same_scanning);
    NAME: Str = required("name").replaces().check(check_name);
    REGISTRY_ID: Str = computed("registry_id");
    URL: Str = computed("repository_url");
}

const TIMEOUTS: Attr<Blocks> =
    Attr::<Blocks>::optional("timeouts").local().same(|_, _| true).object(&DELETE_ONLY);

static SCHEMA: TypeSchema = TypeSchema {
    doc: "Where images are kept",
    example: r#"
resource "aws_ecr_repository" "app" {
  name                 = "example/app"
  image_tag_mutability = "IMMUTABLE"
  image_scanning_configuration {
    scan_on_push = true
  }
  tags = { Team = "web" }
}
"#,
    predict: |want| want.get(&NAME).map(|name| vec![("id", Value::from(name))]).unwrap_or_default(),
    unique: &["name"],
    ..TypeSchema::new("aws_ecr_repository", &TABLE)
};

fn check_name(value: &Value) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
    let first = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if (2..=256).contains(&text.len()) && first && text.chars().all(good) {
        Ok(())
    } else {
        Err("may hold 2 to 256 lower-case letters, digits and characters of ._-/, and starts with a letter or digit".into())
    }
}

fn first(value: &Value) -> Option<Object> {
    Object::of(value.as_slice()?.first()?)
}

fn same_scanning(live: &Value, desired: &Value) -> bool {
    let on = |v: &Value| first(v).and_then(|o| o.get(&scanning::SCAN_ON_PUSH)).unwrap_or(false);
    on(live) == on(desired)
}

fn same_encryption(live: &Value, desired: &Value) -> bool {
    let (live, desired) = (first(live).unwrap_or_default(), first(desired).unwrap_or_default());
    let kind = |o: &Object| o.get(&encryption::TYPE).unwrap_or_else(|| "AES256".to_owned());
    let key = desired.get(&encryption::KMS_KEY);
    kind(&live) == kind(&desired) && (key.is_none() || key == live.get(&encryption::KMS_KEY))
}

const GONE: &[&str] = &["RepositoryNotFoundException"];

pub struct EcrRepository;

#[async_trait(?Send)]
impl AwsType for EcrRepository {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    /// All of the registry in pages: a list of names would fail as a whole if one is gone.
    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let pages = aws.ecr.describe_repositories().into_paginator().items().send();
        let all: Vec<Live> = pages.try_collect().await.op("DescribeRepositories")?;
        let reads = items.iter().map(async |item| {
            let Some(repository) = all.iter().find(|r| r.repository_name() == Some(item.id)) else {
                return Ok(None);
            };
            // Tags have no list form.
            let tags = tags_of(aws, repository.repository_arn().unwrap_or_default()).await?;
            Ok(Some(object(repository, &tags, item)))
        });
        futures::stream::iter(reads).buffered(super::iam::AT_ONCE).try_collect().await
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let want = job.want;
        let encryption = want.block(&ENCRYPTION).map(|block| {
            EncryptionConfiguration::builder()
                .encryption_type(EncryptionType::from(block.need(&encryption::TYPE).as_str()))
                .set_kms_key(block.get(&encryption::KMS_KEY))
                .build()
                .expect("the type is set")
        });
        let tags = tags::for_creation(want, job.token).into_iter().map(|(k, v)| tag(k, v)).collect();
        aws.ecr
            .create_repository()
            .repository_name(want.need(&NAME))
            .image_tag_mutability(mutability(want))
            .image_scanning_configuration(scan(want))
            .set_encryption_configuration(encryption)
            .set_tags(Some(tags))
            .send()
            .await
            .op("CreateRepository")?;
        Ok(want.need(&NAME))
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changes(&["image_tag_mutability"]) {
            let call = aws.ecr.put_image_tag_mutability().repository_name(job.id);
            call.image_tag_mutability(mutability(job.want)).send().await.op("PutImageTagMutability")?;
        }
        if job.changes(&["image_scanning_configuration"]) {
            let call = aws.ecr.put_image_scanning_configuration().repository_name(job.id);
            let call = call.image_scanning_configuration(scan(job.want));
            call.send().await.op("PutImageScanningConfiguration")?;
        }
        let arn = job.live.get(&ARN).unwrap_or_default();
        let (set, removed) = tags::difference(job.live, job.want);
        if !set.is_empty() {
            let tags = set.into_iter().map(|(k, v)| tag(k, v)).collect();
            aws.ecr.tag_resource().resource_arn(&arn).set_tags(Some(tags)).send().await.op("TagResource")?;
        }
        if !removed.is_empty() {
            let call = aws.ecr.untag_resource().resource_arn(&arn).set_tag_keys(Some(removed));
            call.send().await.op("UntagResource")?;
        }
        Ok(())
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let force = job.want.get(&FORCE_DELETE).unwrap_or(false);
        let call = aws.ecr.delete_repository().repository_name(job.id).force(force);
        absent(call.send().await.op("DeleteRepository"), GONE).map(drop)
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let name = job.want.need(&NAME);
        let call = aws.ecr.describe_repositories().repository_names(&name);
        let answer = absent(call.send().await.op("DescribeRepositories"), GONE)?;
        let Some(repository) = answer.as_ref().and_then(|a| a.repositories().first()) else {
            return Ok(None);
        };
        let tags = tags_of(aws, repository.repository_arn().unwrap_or_default()).await?;
        let ours = tags.iter().any(|t| t.key() == tags::OWNERSHIP && t.value() == job.token);
        Ok(ours.then_some(name))
    }
}

fn tag(key: String, value: String) -> Tag {
    Tag::builder().key(key).value(value).build().expect("key and value are set")
}

fn mutability(want: &Object) -> ImageTagMutability {
    ImageTagMutability::from(want.need(&MUTABILITY).as_str())
}

fn scan(want: &Object) -> ImageScanningConfiguration {
    let on = want.block(&SCANNING).and_then(|b| b.get(&scanning::SCAN_ON_PUSH)).unwrap_or(false);
    ImageScanningConfiguration::builder().scan_on_push(on).build()
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Vec<Tag>, AwsError> {
    let call = aws.ecr.list_tags_for_resource().resource_arn(arn);
    let answer = absent(call.send().await.op("ListTagsForResource"), GONE)?;
    Ok(answer.and_then(|a| a.tags).unwrap_or_default())
}

fn object(repository: &Live, tags: &[Tag], item: &Existing<'_>) -> Object {
    let mut encrypted = Object::new();
    if let Some(live) = repository.encryption_configuration() {
        encrypted
            .set(&encryption::TYPE, live.encryption_type().as_str())
            .set(&encryption::KMS_KEY, live.kms_key());
    }
    let mut scanned = Object::new();
    let on = repository.image_scanning_configuration().map(|s| s.scan_on_push());
    scanned.set(&scanning::SCAN_ON_PUSH, on.unwrap_or(false));
    let mut o = Object::new();
    o.set(&ID, repository.repository_name())
        .set(&ARN, repository.repository_arn())
        .set_blocks(&ENCRYPTION, vec![encrypted])
        .set(&FORCE_DELETE, item.known.get(&FORCE_DELETE))
        .set(&MUTABILITY, repository.image_tag_mutability().map(|m| m.as_str()))
        .set_blocks(&SCANNING, vec![scanned])
        .set(&NAME, repository.repository_name())
        .set(&REGISTRY_ID, repository.registry_id())
        .set(&URL, repository.repository_uri());
    tags::read(&mut o, tags.iter().map(|t| (t.key(), t.value())));
    o
}
