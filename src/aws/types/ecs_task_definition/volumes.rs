//! Volumes of a task definition.

use super::built;
use crate::aws::AwsError;
use crate::aws::arn;
use crate::aws::types::ecs::small;
use crate::schema::{Object, attributes};
use crate::value::Value;
use aws_sdk_ecs::types as sdk;
use aws_sdk_ecs::types::Volume;
use std::collections::{BTreeMap, HashMap};

mod docker {
    use super::*;
    attributes! {
        TABLE:
        AUTOPROVISION: Bool = optional("autoprovision");
        DRIVER: Str = optional_computed("driver");
        DRIVER_OPTS: StrMap = optional("driver_opts");
        LABELS: StrMap = optional("labels");
        SCOPE: Str = optional_computed("scope").one_of(&["task", "shared"]);
    }
}

mod efs {
    use super::*;
    attributes! {
        AUTHORIZATION_TABLE:
        ACCESS_POINT_ID: Str = optional("access_point_id");
        IAM: Str = optional("iam").one_of(&["ENABLED", "DISABLED"]);
    }
    attributes! {
        TABLE:
        FILE_SYSTEM_ID: Str = required("file_system_id");
        ROOT_DIRECTORY: Str = optional("root_directory");
        TRANSIT_ENCRYPTION: Str = optional("transit_encryption").one_of(&["ENABLED", "DISABLED"]);
        TRANSIT_ENCRYPTION_PORT: Int = optional("transit_encryption_port").range(0, 65_535);
        AUTHORIZATION: Blocks = optional("authorization_config").single(&AUTHORIZATION_TABLE);
    }
}

mod fsx {
    use super::*;
    attributes! {
        AUTHORIZATION_TABLE:
        CREDENTIALS: Str = required("credentials_parameter").check(arn::check);
        DOMAIN: Str = required("domain");
    }
    attributes! {
        TABLE:
        FILE_SYSTEM_ID: Str = required("file_system_id");
        ROOT_DIRECTORY: Str = required("root_directory");
        AUTHORIZATION: Blocks = required("authorization_config").single(&AUTHORIZATION_TABLE).min_items(1);
    }
}

attributes! {
    TABLE:
    NAME: Str = required("name");
    HOST_PATH: Str = optional("host_path");
    CONFIGURE_AT_LAUNCH: Bool = optional_computed("configure_at_launch");
    DOCKER: Blocks = optional("docker_volume_configuration").single(&docker::TABLE);
    EFS: Blocks = optional("efs_volume_configuration").single(&efs::TABLE);
    FSX: Blocks = optional("fsx_windows_file_server_volume_configuration").single(&fsx::TABLE);
}

const REGISTER: &str = "RegisterTaskDefinition";

pub fn volumes(blocks: &[Object]) -> Result<Vec<Volume>, AwsError> {
    blocks.iter().map(volume).collect()
}

fn volume(b: &Object) -> Result<Volume, AwsError> {
    let host = b.get(&HOST_PATH);
    let host = host.map(|path| sdk::HostVolumeProperties::builder().source_path(path).build());
    Ok(Volume::builder()
        .name(b.get(&NAME).unwrap_or_default())
        .set_host(host)
        .set_configured_at_launch(b.get(&CONFIGURE_AT_LAUNCH))
        .set_docker_volume_configuration(b.block(&DOCKER).map(|d| docker_volume(&d)))
        .set_efs_volume_configuration(b.block(&EFS).map(|e| efs_volume(&e)).transpose()?)
        .set_fsx_windows_file_server_volume_configuration(b.block(&FSX).map(|f| fsx_volume(&f)).transpose()?)
        .build())
}

fn docker_volume(b: &Object) -> sdk::DockerVolumeConfiguration {
    let map = |m: BTreeMap<String, String>| -> HashMap<String, String> { m.into_iter().collect() };
    sdk::DockerVolumeConfiguration::builder()
        .set_autoprovision(b.get(&docker::AUTOPROVISION))
        .set_driver(b.get(&docker::DRIVER))
        .set_driver_opts(b.get(&docker::DRIVER_OPTS).map(map))
        .set_labels(b.get(&docker::LABELS).map(map))
        .set_scope(b.get(&docker::SCOPE).map(|s| s.as_str().into()))
        .build()
}

fn efs_volume(b: &Object) -> Result<sdk::EfsVolumeConfiguration, AwsError> {
    let authorization = b.block(&efs::AUTHORIZATION).map(|a| {
        sdk::EfsAuthorizationConfig::builder()
            .set_access_point_id(a.get(&efs::ACCESS_POINT_ID))
            .set_iam(a.get(&efs::IAM).map(|i| i.as_str().into()))
            .build()
    });
    let config = sdk::EfsVolumeConfiguration::builder()
        .file_system_id(b.get(&efs::FILE_SYSTEM_ID).unwrap_or_default())
        .set_root_directory(b.get(&efs::ROOT_DIRECTORY))
        .set_transit_encryption(b.get(&efs::TRANSIT_ENCRYPTION).map(|t| t.as_str().into()))
        .set_transit_encryption_port(small(b.get(&efs::TRANSIT_ENCRYPTION_PORT)).filter(|p| *p != 0))
        .set_authorization_config(authorization);
    built(REGISTER, config.build())
}

fn fsx_volume(b: &Object) -> Result<sdk::FSxWindowsFileServerVolumeConfiguration, AwsError> {
    let a = b.block(&fsx::AUTHORIZATION).unwrap_or_default();
    let authorization = sdk::FSxWindowsFileServerAuthorizationConfig::builder()
        .credentials_parameter(a.get(&fsx::CREDENTIALS).unwrap_or_default())
        .domain(a.get(&fsx::DOMAIN).unwrap_or_default());
    let config = sdk::FSxWindowsFileServerVolumeConfiguration::builder()
        .file_system_id(b.get(&fsx::FILE_SYSTEM_ID).unwrap_or_default())
        .root_directory(b.get(&fsx::ROOT_DIRECTORY).unwrap_or_default())
        .authorization_config(built(REGISTER, authorization.build())?);
    built(REGISTER, config.build())
}

pub fn block(v: &Volume) -> Object {
    let map = |m: Option<&HashMap<String, String>>| -> Option<BTreeMap<String, String>> {
        m.filter(|m| !m.is_empty()).map(|m| m.clone().into_iter().collect())
    };
    let docker = v.docker_volume_configuration().map(|d| {
        let mut b = Object::new();
        b.set(&docker::AUTOPROVISION, d.autoprovision())
            .set(&docker::DRIVER, d.driver())
            .set(&docker::DRIVER_OPTS, map(d.driver_opts()))
            .set(&docker::LABELS, map(d.labels()))
            .set(&docker::SCOPE, d.scope().map(|s| s.as_str()));
        b
    });
    let efs = v.efs_volume_configuration().map(|e| {
        let authorization = e.authorization_config().map(|a| {
            let mut b = Object::new();
            b.set(&efs::ACCESS_POINT_ID, a.access_point_id()).set(&efs::IAM, a.iam().map(|i| i.as_str()));
            b
        });
        let mut b = Object::new();
        b.set(&efs::FILE_SYSTEM_ID, e.file_system_id())
            .set(&efs::ROOT_DIRECTORY, e.root_directory())
            .set(&efs::TRANSIT_ENCRYPTION, e.transit_encryption().map(|t| t.as_str()))
            .set(&efs::TRANSIT_ENCRYPTION_PORT, e.transit_encryption_port())
            .set_blocks(&efs::AUTHORIZATION, authorization.into_iter().collect());
        b
    });
    let fsx = v.fsx_windows_file_server_volume_configuration().map(|f| {
        let authorization = f.authorization_config().map(|a| {
            let mut b = Object::new();
            b.set(&fsx::CREDENTIALS, a.credentials_parameter()).set(&fsx::DOMAIN, a.domain());
            b
        });
        let mut b = Object::new();
        b.set(&fsx::FILE_SYSTEM_ID, f.file_system_id())
            .set(&fsx::ROOT_DIRECTORY, f.root_directory())
            .set_blocks(&fsx::AUTHORIZATION, authorization.into_iter().collect());
        b
    });
    let mut o = Object::new();
    o.set(&NAME, v.name())
        .set(&HOST_PATH, v.host().and_then(|h| h.source_path()))
        .set(&CONFIGURE_AT_LAUNCH, v.configured_at_launch())
        .set_blocks(&DOCKER, docker.into_iter().collect())
        .set_blocks(&EFS, efs.into_iter().collect())
        .set_blocks(&FSX, fsx.into_iter().collect());
    o
}

/// Whether declared volumes are what is live, whatever AWS filled in.
pub fn same(live: &Value, want: &Value) -> bool {
    if !want.is_wholly_known() {
        return false;
    }
    let canonical = |value: &Value| -> Option<Vec<Volume>> {
        let items = value.as_slice()?.iter();
        let blocks: Vec<Object> = items.filter_map(Object::of).collect();
        let mut all: Vec<Volume> = volumes(&blocks).ok()?.into_iter().map(filled_in).collect();
        all.sort_by(|a, b| a.name().cmp(&b.name()));
        Some(all)
    };
    matches!((canonical(live), canonical(want)), (Some(live), Some(want)) if live == want)
}

fn filled_in(mut v: Volume) -> Volume {
    v.configured_at_launch = v.configured_at_launch.filter(|at_launch| *at_launch);
    if let Some(d) = &mut v.docker_volume_configuration {
        d.driver.get_or_insert("local".to_owned());
        d.scope.get_or_insert(sdk::Scope::Task);
        d.autoprovision = d.autoprovision.filter(|on| *on);
        d.driver_opts = d.driver_opts.take().filter(|m| !m.is_empty());
        d.labels = d.labels.take().filter(|m| !m.is_empty());
    }
    if let Some(e) = &mut v.efs_volume_configuration {
        e.root_directory.get_or_insert("/".to_owned());
        e.transit_encryption.get_or_insert(sdk::EfsTransitEncryption::Disabled);
        if let Some(a) = &mut e.authorization_config {
            a.iam.get_or_insert(sdk::EfsAuthorizationConfigIam::Disabled);
        }
    }
    v
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(blocks: Vec<Object>) -> Value {
        let mut o = Object::new();
        o.set_blocks(&super::super::VOLUME, blocks);
        o.value("volume").cloned().expect("just set")
    }

    #[test]
    fn what_aws_fills_in_is_no_difference() {
        let mut efs_live = Object::new();
        efs_live.set(&efs::FILE_SYSTEM_ID, "fs-1").set(&efs::ROOT_DIRECTORY, "/");
        let mut live = Object::new();
        live.set(&NAME, "data").set(&CONFIGURE_AT_LAUNCH, false).set_blocks(&EFS, vec![efs_live]);
        let mut efs_want = Object::new();
        efs_want.set(&efs::FILE_SYSTEM_ID, "fs-1").set(&efs::TRANSIT_ENCRYPTION_PORT, 0i64);
        let mut want = Object::new();
        want.set(&NAME, "data").set_blocks(&EFS, vec![efs_want]);
        assert!(same(&value(vec![live.clone()]), &value(vec![want.clone()])));
        want.set(&NAME, "other");
        assert!(!same(&value(vec![live]), &value(vec![want])));
    }

    #[test]
    fn a_volume_survives_the_way_to_aws_types_and_back() {
        let mut d = Object::new();
        d.set(&docker::AUTOPROVISION, true).set(&docker::DRIVER, "local").set(&docker::SCOPE, "shared");
        let mut b = Object::new();
        b.set(&NAME, "v").set_blocks(&DOCKER, vec![d]);
        let back: Vec<Object> = volumes(&[b.clone()]).expect("valid").iter().map(block).collect();
        assert_eq!(value(back), value(vec![b]));
    }
}
