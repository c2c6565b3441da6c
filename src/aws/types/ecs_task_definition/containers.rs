//! Container definitions: the JSON that people write, AWS's types, and when two of them mean the same.

use aws_sdk_ecs::types::*;
use serde_json::{Map as JsonMap, Value as Json};
use std::collections::HashMap;

/// Between JSON as AWS documents it and the SDK's types. `at` says where an error is.
trait Wire: Sized {
    fn read(json: &Json, at: &str) -> Result<Self, String>;
    /// None when there is nothing to write.
    fn write(&self) -> Option<Json>;
}

fn wrong<T>(json: &Json, at: &str, wanted: &str) -> Result<T, String> {
    Err(format!("{at} must be {wanted}, is {json}"))
}

impl Wire for String {
    fn read(json: &Json, at: &str) -> Result<Self, String> {
        json.as_str().map_or_else(|| wrong(json, at, "a string"), |s| Ok(s.to_owned()))
    }

    fn write(&self) -> Option<Json> {
        Some(Json::String(self.clone()))
    }
}

impl Wire for bool {
    fn read(json: &Json, at: &str) -> Result<Self, String> {
        json.as_bool().map_or_else(|| wrong(json, at, "true or false"), Ok)
    }

    fn write(&self) -> Option<Json> {
        Some(Json::Bool(*self))
    }
}

impl Wire for i32 {
    fn read(json: &Json, at: &str) -> Result<Self, String> {
        let number = json.as_i64().or_else(|| json.as_f64().filter(|f| f.fract() == 0.0).map(|f| f as i64));
        match number.and_then(|n| i32::try_from(n).ok()) {
            Some(n) => Ok(n),
            None => wrong(json, at, "a whole number"),
        }
    }

    fn write(&self) -> Option<Json> {
        Some(Json::from(*self))
    }
}

impl<T: Wire> Wire for Option<T> {
    fn read(json: &Json, at: &str) -> Result<Self, String> {
        if json.is_null() { Ok(None) } else { T::read(json, at).map(Some) }
    }

    fn write(&self) -> Option<Json> {
        self.as_ref().and_then(Wire::write)
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn read(json: &Json, at: &str) -> Result<Self, String> {
        let Some(items) = json.as_array() else { return wrong(json, at, "a list") };
        items.iter().enumerate().map(|(i, item)| T::read(item, &format!("{at}[{i}]"))).collect()
    }

    fn write(&self) -> Option<Json> {
        let items: Vec<Json> = self.iter().filter_map(Wire::write).collect();
        (!items.is_empty()).then_some(Json::Array(items))
    }
}

impl Wire for HashMap<String, String> {
    fn read(json: &Json, at: &str) -> Result<Self, String> {
        let Some(items) = json.as_object() else { return wrong(json, at, "an object") };
        let entry = |(k, v): (&String, &Json)| Ok((k.clone(), String::read(v, &format!("{at}.{k}"))?));
        items.iter().map(entry).collect()
    }

    fn write(&self) -> Option<Json> {
        let items: JsonMap<String, Json> =
            self.iter().map(|(k, v)| (k.clone(), Json::String(v.clone()))).collect();
        (!items.is_empty()).then_some(Json::Object(items))
    }
}

/// A key in any letter case, as AWS's own tools and the provider take it.
fn field<T: Wire>(object: &JsonMap<String, Json>, key: &str, at: &str) -> Result<Option<T>, String> {
    let found =
        object.get(key).or_else(|| object.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v));
    match found {
        Some(json) if !json.is_null() => T::read(json, &format!("{at}.{key}")).map(Some),
        _ => Ok(None),
    }
}

macro_rules! wire_enums {
    ($($name:ident),*) => {
        $(impl Wire for $name {
            fn read(json: &Json, at: &str) -> Result<Self, String> {
                String::read(json, at).map(|s| $name::from(s.as_str()))
            }

            fn write(&self) -> Option<Json> {
                Some(Json::String(self.as_str().to_owned()))
            }
        })*
    };
}

macro_rules! wire_builder {
    (try $builder:expr, $at:expr) => {
        $builder.build().map_err(|e| format!("{}: {e}", $at))
    };
    ($builder:expr, $at:expr) => {
        Ok($builder.build())
    };
}

/// One block a struct; `try` where the SDK's builder checks for required members.
macro_rules! wire {
    ($name:ident { $($body:tt)* } $($rest:tt)*) => {
        wire!(@one [] $name { $($body)* });
        wire!($($rest)*);
    };
    (try $name:ident { $($body:tt)* } $($rest:tt)*) => {
        wire!(@one [try] $name { $($body)* });
        wire!($($rest)*);
    };
    (@one [$($mode:tt)?] $name:ident { $($field:ident $setter:ident $key:literal,)* }) => {
        impl Wire for $name {
            fn read(json: &Json, at: &str) -> Result<Self, String> {
                let Some(object) = json.as_object() else { return wrong(json, at, "an object") };
                let builder = $name::builder()$(.$setter(field(object, $key, at)?))*;
                wire_builder!($($mode)? builder, at)
            }

            fn write(&self) -> Option<Json> {
                let mut object = JsonMap::new();
                $(if let Some(json) = self.$field.write() {
                    object.insert($key.to_owned(), json);
                })*
                (!object.is_empty()).then_some(Json::Object(object))
            }
        }
    };
    () => {};
}

wire_enums! { ApplicationProtocol, ContainerCondition, DeviceCgroupPermission, EnvironmentFileType, FirelensConfigurationType, LogDriver, ResourceType, TransportProtocol, UlimitName, VersionConsistency }

wire! {
    try RepositoryCredentials {
        credentials_parameter set_credentials_parameter "credentialsParameter",
    }
    PortMapping {
        container_port set_container_port "containerPort",
        host_port set_host_port "hostPort",
        protocol set_protocol "protocol",
        name set_name "name",
        app_protocol set_app_protocol "appProtocol",
        container_port_range set_container_port_range "containerPortRange",
    }
    try ContainerRestartPolicy {
        enabled set_enabled "enabled",
        ignored_exit_codes set_ignored_exit_codes "ignoredExitCodes",
        restart_attempt_period set_restart_attempt_period "restartAttemptPeriod",
    }
    KeyValuePair {
        name set_name "name",
        value set_value "value",
    }
    try EnvironmentFile {
        value set_value "value",
        r#type set_type "type",
    }
    MountPoint {
        source_volume set_source_volume "sourceVolume",
        container_path set_container_path "containerPath",
        read_only set_read_only "readOnly",
    }
    VolumeFrom {
        source_container set_source_container "sourceContainer",
        read_only set_read_only "readOnly",
    }
    KernelCapabilities {
        add set_add "add",
        drop set_drop "drop",
    }
    try Device {
        host_path set_host_path "hostPath",
        container_path set_container_path "containerPath",
        permissions set_permissions "permissions",
    }
    try Tmpfs {
        container_path set_container_path "containerPath",
        size set_size "size",
        mount_options set_mount_options "mountOptions",
    }
    LinuxParameters {
        capabilities set_capabilities "capabilities",
        devices set_devices "devices",
        init_process_enabled set_init_process_enabled "initProcessEnabled",
        shared_memory_size set_shared_memory_size "sharedMemorySize",
        tmpfs set_tmpfs "tmpfs",
        max_swap set_max_swap "maxSwap",
        swappiness set_swappiness "swappiness",
    }
    try Secret {
        name set_name "name",
        value_from set_value_from "valueFrom",
    }
    try ContainerDependency {
        container_name set_container_name "containerName",
        condition set_condition "condition",
    }
    try HostEntry {
        hostname set_hostname "hostname",
        ip_address set_ip_address "ipAddress",
    }
    try Ulimit {
        name set_name "name",
        soft_limit set_soft_limit "softLimit",
        hard_limit set_hard_limit "hardLimit",
    }
    try LogConfiguration {
        log_driver set_log_driver "logDriver",
        options set_options "options",
        secret_options set_secret_options "secretOptions",
    }
    try HealthCheck {
        command set_command "command",
        interval set_interval "interval",
        timeout set_timeout "timeout",
        retries set_retries "retries",
        start_period set_start_period "startPeriod",
    }
    SystemControl {
        namespace set_namespace "namespace",
        value set_value "value",
    }
    try ResourceRequirement {
        value set_value "value",
        r#type set_type "type",
    }
    try FirelensConfiguration {
        r#type set_type "type",
        options set_options "options",
    }
    ContainerDefinition {
        name set_name "name",
        image set_image "image",
        repository_credentials set_repository_credentials "repositoryCredentials",
        cpu set_cpu "cpu",
        memory set_memory "memory",
        memory_reservation set_memory_reservation "memoryReservation",
        links set_links "links",
        port_mappings set_port_mappings "portMappings",
        essential set_essential "essential",
        restart_policy set_restart_policy "restartPolicy",
        entry_point set_entry_point "entryPoint",
        command set_command "command",
        environment set_environment "environment",
        environment_files set_environment_files "environmentFiles",
        mount_points set_mount_points "mountPoints",
        volumes_from set_volumes_from "volumesFrom",
        linux_parameters set_linux_parameters "linuxParameters",
        secrets set_secrets "secrets",
        depends_on set_depends_on "dependsOn",
        start_timeout set_start_timeout "startTimeout",
        stop_timeout set_stop_timeout "stopTimeout",
        version_consistency set_version_consistency "versionConsistency",
        hostname set_hostname "hostname",
        user set_user "user",
        working_directory set_working_directory "workingDirectory",
        disable_networking set_disable_networking "disableNetworking",
        privileged set_privileged "privileged",
        readonly_root_filesystem set_readonly_root_filesystem "readonlyRootFilesystem",
        dns_servers set_dns_servers "dnsServers",
        dns_search_domains set_dns_search_domains "dnsSearchDomains",
        extra_hosts set_extra_hosts "extraHosts",
        docker_security_options set_docker_security_options "dockerSecurityOptions",
        interactive set_interactive "interactive",
        pseudo_terminal set_pseudo_terminal "pseudoTerminal",
        docker_labels set_docker_labels "dockerLabels",
        ulimits set_ulimits "ulimits",
        log_configuration set_log_configuration "logConfiguration",
        health_check set_health_check "healthCheck",
        system_controls set_system_controls "systemControls",
        resource_requirements set_resource_requirements "resourceRequirements",
        firelens_configuration set_firelens_configuration "firelensConfiguration",
        credential_specs set_credential_specs "credentialSpecs",
    }
}

/// The definitions in a `container_definitions` text. The error completes "`container_definitions` …".
pub fn parse(text: &str) -> Result<Vec<ContainerDefinition>, String> {
    let json: Json = serde_json::from_str(text).map_err(|e| format!("must be JSON: {e}"))?;
    let Some(items) = json.as_array() else {
        return Err("must be a JSON list of container definitions".to_owned());
    };
    items
        .iter()
        .enumerate()
        .map(|(i, item)| ContainerDefinition::read(item, &format!("[{i}]")))
        .collect::<Result<_, _>>()
        .map_err(|e| format!("cannot be used: {e}"))
}

/// As JSON text with sorted keys, without what is empty.
pub fn text(definitions: &[ContainerDefinition]) -> String {
    let mut items: Vec<Json> = definitions.iter().filter_map(Wire::write).collect();
    for object in items.iter_mut().filter_map(Json::as_object_mut) {
        // AWS answers 0 where no share of the CPU was declared.
        object.retain(|key, value| key != "cpu" || *value != 0);
    }
    Json::Array(items).to_string()
}

/// What AWS makes of definitions: defaults filled in, order taken out where it means nothing.
pub fn canonical(definitions: &[ContainerDefinition]) -> Vec<ContainerDefinition> {
    let mut all: Vec<ContainerDefinition> = definitions.iter().cloned().map(canonical_one).collect();
    all.sort_by(|a, b| a.name().cmp(&b.name()));
    all
}

fn canonical_one(mut c: ContainerDefinition) -> ContainerDefinition {
    c.essential.get_or_insert(true);
    sorted(&mut c.environment, |e| e.name().unwrap_or("").to_owned());
    sorted(&mut c.secrets, |s| s.name().to_owned());
    sorted(&mut c.port_mappings, |p| {
        (p.container_port(), p.container_port_range().unwrap_or("").to_owned(), p.host_port())
    });
    for port in c.port_mappings.iter_mut().flatten() {
        port.protocol.get_or_insert(TransportProtocol::Tcp);
        port.host_port = port.host_port.filter(|p| *p != 0);
    }
    for mount in c.mount_points.iter_mut().flatten() {
        mount.read_only = mount.read_only.filter(|read_only| *read_only);
    }
    if let Some(check) = &mut c.health_check {
        check.interval.get_or_insert(30);
        check.timeout.get_or_insert(5);
        check.retries.get_or_insert(3);
        check.start_period = check.start_period.filter(|p| *p != 0);
    }
    // Writing drops what is empty; reading back what we wrote cannot fail.
    c.write().and_then(|json| ContainerDefinition::read(&json, "").ok()).unwrap_or(c)
}

fn sorted<T, K: Ord>(items: &mut Option<Vec<T>>, key: impl Fn(&T) -> K) {
    if let Some(items) = items {
        items.sort_by_key(key);
    }
}

/// Whether two texts mean the same to AWS.
pub fn same(live: &str, want: &str) -> bool {
    match (parse(live), parse(want)) {
        (Ok(live), Ok(want)) => canonical(&live) == canonical(&want),
        _ => live == want,
    }
}

/// What is live in the words of what was applied, so that a difference shows nothing that AWS filled in:
/// the text itself where it means the same, else its containers where they mean the same, in its order.
pub fn in_words_of(live: &[ContainerDefinition], declared: Option<&str>) -> String {
    let Some((words, ours)) = declared.and_then(|text| Some((text, parse(text).ok()?))) else {
        return text(live);
    };
    if canonical(live) == canonical(&ours) {
        return words.to_owned();
    }
    let mut shown: Vec<ContainerDefinition> = live.to_vec();
    shown.sort_by_key(|c| ours.iter().position(|d| d.name() == c.name()).unwrap_or(usize::MAX));
    for container in &mut shown {
        let same = |d: &&ContainerDefinition| canonical_one((*d).clone()) == canonical_one(container.clone());
        if let Some(d) = ours.iter().find(same) {
            *container = d.clone();
        }
    }
    text(&shown)
}

/// With the network modes `awsvpc` and `host` AWS answers a host port equal to the container port where
/// none was declared: it is taken out unless `declared` (what was applied) has one there.
pub fn without_implied_host_ports(live: &mut [ContainerDefinition], declared: &[ContainerDefinition]) {
    for container in live {
        let ours = declared.iter().find(|d| d.name() == container.name());
        for port in container.port_mappings.iter_mut().flatten() {
            let explicit = ours.is_some_and(|d| {
                let mut ports = d.port_mappings().iter();
                ports.any(|p| p.container_port == port.container_port && p.host_port.is_some())
            });
            if port.host_port == port.container_port && !explicit {
                port.host_port = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = r#"[{"name":"app","image":"nginx:1","cpu":128,"memory":256,"essential":true,
        "portMappings":[{"containerPort":80,"hostPort":80,"protocol":"tcp"}],
        "environment":[{"name":"A","value":"1"},{"name":"B","value":"2"}]}]"#;

    /// BASE with one member set or (null) removed.
    fn with(key: &str, value: Json) -> String {
        let mut json: Json = serde_json::from_str(BASE).expect("JSON");
        json[0][key] = value;
        json.to_string()
    }

    #[test]
    fn what_aws_fills_in_is_no_difference() {
        let null = || Json::Null;
        let env = serde_json::json!([{"name":"B","value":"2"},{"name":"A","value":"1"}]);
        assert!(same(BASE, &with("environment", env)), "order of environment");
        assert!(same(BASE, &with("essential", null())), "essential is true by default");
        assert!(same(BASE, &with("portMappings", serde_json::json!([{"containerPort":80,"hostPort":80}]))));
        let zero = with("portMappings", serde_json::json!([{"containerPort":80,"hostPort":0}]));
        let absent = with("portMappings", serde_json::json!([{"containerPort":80}]));
        assert!(same(&zero, &absent));
        assert!(same(&with("cpu", 0.into()), &with("cpu", null())));
        for key in ["mountPoints", "volumesFrom", "systemControls", "secrets", "command", "dependsOn"] {
            assert!(same(&with(key, serde_json::json!([])), BASE), "{key}");
        }
        let check = |c: Json| with("healthCheck", c);
        let full = serde_json::json!({"command":["CMD","x"],"interval":30,"retries":3,"timeout":5});
        assert!(same(&check(full), &check(serde_json::json!({"command":["CMD","x"]}))));
        assert!(same(BASE, &BASE.replace("\"name\":\"app\"", "\"Name\":\"app\"")), "letter case of keys");
        assert!(same(BASE, &with("madeUpKey", 1.into())), "AWS drops what it does not know");
    }

    #[test]
    fn real_changes_are_differences() {
        assert!(!same(BASE, &with("image", "nginx:2".into())));
        assert!(!same(BASE, &with("essential", false.into())));
        assert!(!same(BASE, &with("portMappings", serde_json::json!([{"containerPort":80}]))));
        assert!(!same(BASE, &with("privileged", false.into())));
        let twice = serde_json::json!([{"name":"A","value":"1"},{"name":"A","value":"2"}]);
        assert!(!same(BASE, &with("environment", twice)));
    }

    #[test]
    fn order_of_containers_means_nothing() {
        let two = |a: &str, b: &str| {
            format!(r#"[{{"name":"{a}","image":"x","memory":1}},{{"name":"{b}","image":"x","memory":1}}]"#)
        };
        assert!(same(&two("a", "b"), &two("b", "a")));
    }

    #[test]
    fn errors_say_where() {
        assert!(parse("x").is_err_and(|e| e.starts_with("must be JSON")));
        assert!(parse(r#"{"name":"a"}"#).is_err());
        let error = parse(r#"[{"name":"a","image":"b","cpu":"10"}]"#).expect_err("a string is no number");
        assert_eq!(error, "cannot be used: [0].cpu must be a whole number, is \"10\"");
    }

    #[test]
    fn a_host_port_that_the_network_mode_implies_is_taken_out() {
        let mut live = parse(BASE).expect("valid");
        without_implied_host_ports(&mut live, &[]);
        assert_eq!(live[0].port_mappings()[0].host_port(), None);
        let mut live = parse(BASE).expect("valid");
        without_implied_host_ports(&mut live, &parse(BASE).expect("valid"));
        assert_eq!(live[0].port_mappings()[0].host_port(), Some(80));
    }

    #[test]
    fn what_is_live_is_shown_in_the_words_of_what_was_applied() {
        let words =
            r#"[ { "name": "app", "image": "x", "memory": 1 }, { "name": "b", "image": "y", "memory": 1 } ]"#;
        let answered = r#"[{"name":"b","image":"y","memory":1,"essential":true},
            {"name":"app","image":"x","memory":1,"essential":true,"mountPoints":[]}]"#;
        assert_eq!(in_words_of(&parse(answered).expect("valid"), Some(words)), words);
        let drifted = answered.replace("\"x\"", "\"z\"");
        let shown = in_words_of(&parse(&drifted).expect("valid"), Some(words));
        assert!(shown.starts_with(r#"[{"essential":true,"image":"z""#), "the changed one first: {shown}");
        assert!(shown.ends_with(r#"{"image":"y","memory":1,"name":"b"}]"#), "{shown}");
    }

    #[test]
    fn every_member_survives_the_way_to_aws_types_and_back() {
        let full = r#"[{
            "name": "app", "image": "x", "cpu": 1, "memory": 2, "memoryReservation": 1, "essential": false,
            "repositoryCredentials": {"credentialsParameter": "arn"}, "links": ["a"],
            "portMappings": [{"containerPort": 80, "hostPort": 8080, "protocol": "udp", "name": "p",
                "appProtocol": "http", "containerPortRange": "1-2"}],
            "restartPolicy": {"enabled": true, "ignoredExitCodes": [1], "restartAttemptPeriod": 60},
            "entryPoint": ["a"], "command": ["b"], "environment": [{"name": "A", "value": "1"}],
            "environmentFiles": [{"value": "arn", "type": "s3"}],
            "mountPoints": [{"sourceVolume": "v", "containerPath": "/x", "readOnly": true}],
            "volumesFrom": [{"sourceContainer": "c", "readOnly": true}],
            "linuxParameters": {"capabilities": {"add": ["A"], "drop": ["B"]}, "initProcessEnabled": true,
                "devices": [{"hostPath": "/d", "containerPath": "/e", "permissions": ["read"]}],
                "sharedMemorySize": 1, "tmpfs": [{"containerPath": "/t", "size": 1, "mountOptions": ["rw"]}],
                "maxSwap": 1, "swappiness": 2},
            "secrets": [{"name": "S", "valueFrom": "arn"}],
            "dependsOn": [{"containerName": "c", "condition": "START"}], "startTimeout": 1, "stopTimeout": 2,
            "versionConsistency": "enabled", "hostname": "h", "user": "u", "workingDirectory": "/w",
            "disableNetworking": false, "privileged": false, "readonlyRootFilesystem": true,
            "dnsServers": ["1.1.1.1"], "dnsSearchDomains": ["d"],
            "extraHosts": [{"hostname": "h", "ipAddress": "1.1.1.1"}], "dockerSecurityOptions": ["o"],
            "interactive": true, "pseudoTerminal": true, "dockerLabels": {"a": "b"},
            "ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}],
            "logConfiguration": {"logDriver": "awslogs", "options": {"a": "b"},
                "secretOptions": [{"name": "n", "valueFrom": "arn"}]},
            "healthCheck": {"command": ["CMD", "x"], "interval": 10, "timeout": 2, "retries": 1, "startPeriod": 3},
            "systemControls": [{"namespace": "n", "value": "1"}],
            "resourceRequirements": [{"value": "1", "type": "GPU"}],
            "firelensConfiguration": {"type": "fluentbit", "options": {"a": "b"}}, "credentialSpecs": ["c"]
        }]"#;
        let full: Json = serde_json::from_str(full).expect("JSON");
        let back: Json =
            serde_json::from_str(&text(&parse(&full.to_string()).expect("valid"))).expect("JSON");
        assert_eq!(back, full);
    }
}
