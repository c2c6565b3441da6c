//! Group metrics, each minute while they are collected (User Guide, "Amazon CloudWatch metrics for Amazon EC2 Auto
//! Scaling").

use super::Event;
use super::state::{Group, Lifecycle, Member};
use crate::World;
use crate::service::cloudwatch::{self, Subject};
use crate::world::{self, MINUTE};

/// Starts, if the group collects any and is not told of already.
pub fn begin(world: &mut World, name: &str) {
    let Some(group) = world.autoscaling.groups.get_mut(name) else { return };
    if !group.metrics.is_empty() && !group.tells {
        group.tells = true;
        world.schedule(0, world::Event::Autoscaling(Event::Tell(name.to_owned())));
    }
}

pub fn tell(world: &mut World, name: &str) {
    let Some(group) = world.autoscaling.groups.get_mut(name) else { return };
    group.tells = !group.metrics.is_empty();
    let (again, group) = (group.tells, group.clone());
    let mut changed = false;
    for metric in super::settings::METRICS {
        let level = group.metrics.contains(metric).then(|| level(&group, metric));
        let dims = [("AutoScalingGroupName", name)];
        changed |= cloudwatch::set_gauge(world, "AWS/AutoScaling", metric, &dims, level);
    }
    if changed {
        cloudwatch::wake(world, &Subject::AutoScalingGroup(name.to_owned()));
    }
    if again {
        let after = MINUTE - world.now.rem_euclid(MINUTE);
        world.schedule(after, world::Event::Autoscaling(Event::Tell(name.to_owned())));
    }
}

fn level(group: &Group, metric: &str) -> f64 {
    let units = metric.ends_with("Capacity");
    let sum = |fits: &dyn Fn(&Member) -> bool| -> f64 {
        let members = group.members.values().filter(|member| fits(member));
        members.map(|member| if units { member.units() as f64 } else { 1.0 }).sum()
    };
    match metric {
        "GroupMinSize" => group.min as f64,
        "GroupMaxSize" => group.max as f64,
        "GroupDesiredCapacity" | "GroupAndWarmPoolDesiredCapacity" => group.desired as f64,
        "GroupInServiceInstances" | "GroupInServiceCapacity" => {
            sum(&|member| member.lifecycle == Lifecycle::InService)
        }
        "GroupPendingInstances" | "GroupPendingCapacity" => {
            sum(&|member| matches!(member.lifecycle, Lifecycle::Pending | Lifecycle::PendingWait))
        }
        "GroupStandbyInstances" | "GroupStandbyCapacity" => {
            sum(&|member| member.lifecycle == Lifecycle::Standby)
        }
        "GroupTerminatingInstances" | "GroupTerminatingCapacity" => sum(&|member| member.lifecycle.leaves()),
        "GroupTotalInstances" | "GroupTotalCapacity" | "GroupAndWarmPoolTotalCapacity" => sum(&|_| true),
        // Warm pools are always empty here.
        _ => 0.0,
    }
}
