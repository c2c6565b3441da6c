//! What a group launches from: a launch template, a mixed instances policy, a launch configuration.

use super::groups::invalid;
use super::state::{Mixed, Override, Source, TemplateRef};
use crate::World;
use crate::service::ec2::query::lean;
use crate::service::{ApiError, Input, ec2};
use serde_json::{Value as Json, json};

impl TemplateRef {
    pub fn specification(&self) -> Json {
        json!({"LaunchTemplateId": self.id, "Version": self.version})
    }

    /// A version that was not given is not answered.
    pub fn json(&self) -> Json {
        let mut json = json!({"LaunchTemplateId": self.id, "LaunchTemplateName": self.name});
        if !self.version.is_empty() {
            json["Version"] = json!(self.version);
        }
        json
    }

    /// `$Latest`, `$Default` and none mean another version tomorrow.
    pub fn numbered(&self) -> bool {
        !self.version.is_empty() && !self.version.starts_with('$')
    }
}

/// A specification whose template and version exist. AWS answers both id and name, whichever was given.
pub fn template(world: &World, given: &Json) -> Result<TemplateRef, ApiError> {
    if given.text("LaunchTemplateId").is_some() == given.text("LaunchTemplateName").is_some() {
        return Err(invalid("Valid requests must contain either launchTemplateId or LaunchTemplateName"));
    }
    let found = ec2::resolve(world, given).map_err(|error| invalid(&error.message))?;
    let version = given.text("Version").unwrap_or_default();
    Ok(TemplateRef { id: found.id, name: found.name, version: version.to_owned() })
}

pub fn mixed(world: &World, given: &Json) -> Result<Mixed, ApiError> {
    let launch = given.get("LaunchTemplate");
    let specification = launch.and_then(|launch| launch.get("LaunchTemplateSpecification"));
    let Some(specification) = specification else {
        return Err(invalid("A launch template must be specified in the mixed instances policy."));
    };
    let mut overrides = Vec::new();
    for one in launch.map_or(&[][..], |launch| launch.list("Overrides")) {
        let weight = match one.text("WeightedCapacity") {
            None => None,
            Some(text) => match text.parse::<i64>() {
                Ok(weight) if (1..=999).contains(&weight) => Some(weight),
                _ => return Err(invalid("WeightedCapacity must be an integer between 1 and 999.")),
            },
        };
        if let Some(name) = one.text("InstanceType")
            && !name.contains('.')
        {
            return Err(invalid(&format!("Invalid instance type: {name}")));
        }
        overrides.push(Override {
            instance_type: one.text("InstanceType").map(str::to_owned),
            weight,
            template: match one.get("LaunchTemplateSpecification") {
                Some(given) => Some(template(world, given)?),
                None => None,
            },
            requirements: one.get("InstanceRequirements").cloned(),
            image_id: one.text("ImageId").map(str::to_owned),
        });
    }
    let weighted = overrides.iter().filter(|one| one.weight.is_some()).count();
    if weighted != 0 && weighted != overrides.len() {
        let message =
            "WeightedCapacity must be specified for all instance types or for none of them in the overrides.";
        return Err(invalid(message));
    }
    let empty = json!({});
    let distribution = given.get("InstancesDistribution").unwrap_or(&empty);
    let by_requirements = overrides.iter().any(|one| one.requirements.is_some());
    let spot = distribution.text("SpotAllocationStrategy").unwrap_or("lowest-price").to_owned();
    let on_demand = if by_requirements { "lowest-price" } else { "prioritized" };
    let pools = (spot == "lowest-price").then(|| distribution.int("SpotInstancePools").unwrap_or(2));
    Ok(Mixed {
        template: template(world, specification)?,
        overrides,
        on_demand_strategy: distribution.text("OnDemandAllocationStrategy").unwrap_or(on_demand).to_owned(),
        on_demand_base: distribution.int("OnDemandBaseCapacity").unwrap_or(0),
        on_demand_percentage: distribution.int("OnDemandPercentageAboveBaseCapacity").unwrap_or(100),
        spot_strategy: spot,
        spot_pools: pools,
        spot_max_price: distribution.text("SpotMaxPrice").filter(|text| !text.is_empty()).map(str::to_owned),
    })
}

/// The one that a request (or a desired configuration) names, if any.
pub fn given(world: &World, input: &Json) -> Result<Option<Source>, ApiError> {
    let template_given = input.get("LaunchTemplate");
    let mixed_given = input.get("MixedInstancesPolicy");
    let configuration = input.text("LaunchConfigurationName");
    match (template_given, mixed_given, configuration) {
        (None, None, None) => Ok(None),
        (Some(given), None, None) => Ok(Some(Source::Template(template(world, given)?))),
        (None, Some(given), None) => Ok(Some(Source::Mixed(mixed(world, given)?))),
        (None, None, Some(name)) => {
            if !world.autoscaling.launch_configurations.contains_key(name) {
                let message =
                    format!("Launch configuration name not found - Launch configuration {name} not found");
                return Err(invalid(&message));
            }
            Ok(Some(Source::Configuration(name.to_owned())))
        }
        _ => Err(invalid(
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.",
        )),
    }
}

/// The members that describe it.
pub fn json(source: &Source) -> Json {
    match source {
        Source::Template(template) => json!({"LaunchTemplate": template.json()}),
        Source::Configuration(name) => json!({"LaunchConfigurationName": name}),
        Source::Mixed(mixed) => json!({"MixedInstancesPolicy": mixed_json(mixed)}),
    }
}

fn mixed_json(mixed: &Mixed) -> Json {
    let one = |one: &Override| {
        json!({
            "InstanceType": one.instance_type, "WeightedCapacity": one.weight.map(|weight| weight.to_string()),
            "LaunchTemplateSpecification": one.template.as_ref().map(TemplateRef::json),
            "InstanceRequirements": one.requirements, "ImageId": one.image_id,
        })
    };
    lean(json!({
        "LaunchTemplate": {
            "LaunchTemplateSpecification": mixed.template.json(),
            "Overrides": mixed.overrides.iter().map(one).collect::<Vec<_>>(),
        },
        "InstancesDistribution": {
            "OnDemandAllocationStrategy": mixed.on_demand_strategy,
            "OnDemandBaseCapacity": mixed.on_demand_base,
            "OnDemandPercentageAboveBaseCapacity": mixed.on_demand_percentage,
            "SpotAllocationStrategy": mixed.spot_strategy, "SpotInstancePools": mixed.spot_pools,
            "SpotMaxPrice": mixed.spot_max_price,
        },
    }))
}

impl Source {
    pub fn templates(&self) -> Vec<&TemplateRef> {
        match self {
            Source::Template(template) => vec![template],
            Source::Mixed(mixed) => {
                let own = mixed.overrides.iter().filter_map(|one| one.template.as_ref());
                std::iter::once(&mixed.template).chain(own).collect()
            }
            Source::Configuration(_) => vec![],
        }
    }
}
