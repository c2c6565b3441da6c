//! Deployment configurations: AWS's own (User Guide, "Working with deployment configurations") and others.

use super::*;
use crate::world::{MINUTE, Millis};

/// How traffic moves over, in steps: percentages, and how long each is kept before the next one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shifting {
    AllAtOnce,
    Linear { percent: i64, every: Millis },
    Canary { percent: i64, keep: Millis },
}

impl Shifting {
    /// The share after `now`, which is below 100.
    pub fn next(self, now: i64) -> i64 {
        match self {
            Shifting::AllAtOnce => 100,
            Shifting::Linear { percent, .. } => (now + percent).min(100),
            Shifting::Canary { percent, .. } => {
                if now == 0 {
                    percent
                } else {
                    100
                }
            }
        }
    }

    pub fn pause(self) -> Millis {
        match self {
            Shifting::AllAtOnce => 0,
            Shifting::Linear { every, .. } => every,
            Shifting::Canary { keep, .. } => keep,
        }
    }

    fn view(self) -> Json {
        match self {
            Shifting::AllAtOnce => json!({"type": "AllAtOnce"}),
            Shifting::Linear { percent, every } => json!({
                "type": "TimeBasedLinear",
                "timeBasedLinear": {"linearPercentage": percent, "linearInterval": every / MINUTE},
            }),
            Shifting::Canary { percent, keep } => json!({
                "type": "TimeBasedCanary",
                "timeBasedCanary": {"canaryPercentage": percent, "canaryInterval": keep / MINUTE},
            }),
        }
    }

    fn of(routing: &Json) -> Self {
        let number = |of: &str, name: &str| routing.get(of).and_then(|one| one.int(name)).unwrap_or(0);
        match routing.text("type") {
            Some("TimeBasedLinear") => Shifting::Linear {
                percent: number("timeBasedLinear", "linearPercentage"),
                every: number("timeBasedLinear", "linearInterval") * MINUTE,
            },
            Some("TimeBasedCanary") => Shifting::Canary {
                percent: number("timeBasedCanary", "canaryPercentage"),
                keep: number("timeBasedCanary", "canaryInterval") * MINUTE,
            },
            _ => Shifting::AllAtOnce,
        }
    }
}

pub fn default_of(platform: &str) -> &'static str {
    match platform {
        "ECS" => "CodeDeployDefault.ECSAllAtOnce",
        "Lambda" => "CodeDeployDefault.LambdaAllAtOnce",
        _ => "CodeDeployDefault.OneAtATime",
    }
}

/// Name and content of AWS's own configurations.
fn predefined() -> Vec<(String, &'static str, Json)> {
    let mut all = Vec::new();
    for (name, kind, value) in [
        ("AllAtOnce", "HOST_COUNT", 0),
        ("HalfAtATime", "FLEET_PERCENT", 50),
        ("OneAtATime", "FLEET_PERCENT", 99),
    ] {
        let hosts = json!({"minimumHealthyHosts": {"type": kind, "value": value}});
        all.push((format!("CodeDeployDefault.{name}"), "Server", hosts));
    }
    let mut shifts = |platform: &'static str, linear: &[i64], canary: &[i64]| {
        let mut add = |name: String, shifting: Shifting| {
            let routing = json!({"trafficRoutingConfig": shifting.view()});
            all.push((format!("CodeDeployDefault.{platform}{name}"), platform, routing));
        };
        for minutes in canary {
            let shifting = Shifting::Canary { percent: 10, keep: minutes * MINUTE };
            add(format!("Canary10Percent{minutes}Minutes"), shifting);
        }
        for minutes in linear {
            let plural = if *minutes == 1 && platform == "Lambda" { "Minute" } else { "Minutes" };
            let shifting = Shifting::Linear { percent: 10, every: minutes * MINUTE };
            add(format!("Linear10PercentEvery{minutes}{plural}"), shifting);
        }
        add("AllAtOnce".to_owned(), Shifting::AllAtOnce);
    };
    shifts("Lambda", &[1, 2, 3, 10], &[5, 10, 15, 30]);
    shifts("ECS", &[1, 3], &[5, 15]);
    all
}

fn find(world: &World, name: &str) -> Option<Json> {
    if let Some(config) = world.codedeploy.configs.get(name) {
        return Some(config.clone());
    }
    let (name, platform, mut config) = predefined().into_iter().find(|(known, ..)| known == name)?;
    config["deploymentConfigName"] = json!(name);
    config["computePlatform"] = json!(platform);
    config["deploymentConfigId"] = json!(format!("00000000-0000-4000-a000-{:012x}", name.len()));
    Some(config)
}

pub fn shifting(world: &World, name: &str) -> Shifting {
    let config = find(world, name).unwrap_or_default();
    Shifting::of(config.get("trafficRoutingConfig").unwrap_or(&Json::Null))
}

fn missing(name: &str) -> ApiError {
    let message = format!("No Deployment Configuration found for name: {name}");
    error("DeploymentConfigDoesNotExistException", message)
}

/// Must be there, and be of this platform.
pub fn check(world: &World, name: &str, platform: &str) -> Result<(), ApiError> {
    let config = find(world, name).ok_or_else(|| missing(name))?;
    if config.text("computePlatform") == Some(platform) {
        return Ok(());
    }
    let message =
        format!("The deployment configuration {name} is not valid for the {platform} compute platform.");
    Err(error("InvalidDeploymentConfigNameException", message))
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    let name = input.text("deploymentConfigName").unwrap_or_default();
    Ok(json!({"deploymentConfigInfo": find(world, name).ok_or_else(|| missing(name))?}))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let own = predefined().into_iter().map(|(name, ..)| name);
    let names = own.chain(world.codedeploy.configs.keys().cloned()).map(Json::from).collect();
    paged(input, "deploymentConfigsList", names)
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let name = input.text("deploymentConfigName").unwrap_or_default().to_owned();
    check_name(&name, "DeploymentConfigNameRequiredException", "Deployment configuration")?;
    // "CodeDeployDefault" is AWS's own.
    if name.starts_with("CodeDeployDefault") {
        let message = "Deployment configuration names that start with CodeDeployDefault are reserved.";
        return Err(error("InvalidDeploymentConfigNameException", message));
    }
    if find(world, &name).is_some() {
        let message = format!("Deployment configuration already exists: {name}");
        return Err(error("DeploymentConfigAlreadyExistsException", message));
    }
    let platform = input.text("computePlatform").unwrap_or("Server");
    let id = world.uuid();
    let mut config = json!({
        "deploymentConfigId": id, "deploymentConfigName": name, "computePlatform": platform,
        "createTime": World::timestamp(world.now),
    });
    if platform == "Server" {
        let Some(hosts) = input.get("minimumHealthyHosts") else {
            let message = "The minimum healthy hosts value must be specified.";
            return Err(error("InvalidMinimumHealthyHostValueException", message));
        };
        config["minimumHealthyHosts"] = hosts.clone();
        if let Some(zonal) = input.get("zonalConfig") {
            config["zonalConfig"] = zonal.clone();
        }
    } else {
        let Some(routing) = input.get("trafficRoutingConfig") else {
            let message = "A traffic routing configuration must be specified.";
            return Err(error("InvalidTrafficRoutingConfigurationException", message));
        };
        if input.get("minimumHealthyHosts").is_some() {
            let message =
                format!("Minimum healthy hosts are not supported for the {platform} compute platform.");
            return Err(error("InvalidMinimumHealthyHostValueException", message));
        }
        check_routing(routing)?;
        config["trafficRoutingConfig"] = routing.clone();
    }
    world.codedeploy.configs.insert(name, config);
    Ok(json!({"deploymentConfigId": id}))
}

/// Percentages from 1 to 99, steps of 1 to 2880 minutes (API reference, TimeBasedCanary and TimeBasedLinear).
fn check_routing(routing: &Json) -> Result<(), ApiError> {
    let sound = match Shifting::of(routing) {
        Shifting::AllAtOnce => true,
        Shifting::Linear { percent, every } => (1..=99).contains(&percent) && every >= MINUTE,
        Shifting::Canary { percent, keep } => (1..=99).contains(&percent) && keep >= MINUTE,
    };
    if sound {
        return Ok(());
    }
    let message = "The traffic routing configuration must have a percentage from 1 to 99 and an interval of at least one minute.";
    Err(error("InvalidTrafficRoutingConfigurationException", message))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let name = input.text("deploymentConfigName").unwrap_or_default();
    if name.starts_with("CodeDeployDefault.") {
        let message = "Predefined deployment configurations cannot be deleted.";
        return Err(error("InvalidOperationException", message));
    }
    let used = world.codedeploy.applications.values().flat_map(|one| one.groups.values());
    if used.into_iter().any(|group| group.settings.text("deploymentConfigName") == Some(name)) {
        let message = format!("The deployment configuration {name} is in use.");
        return Err(error("DeploymentConfigInUseException", message));
    }
    world.codedeploy.configs.remove(name);
    Ok(json!({}))
}
