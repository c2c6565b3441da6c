//! Shares of a forward action: how they move from what is live to what is wanted, step by step.

use super::settings::{Portion, Settings};
use std::collections::BTreeMap;
use std::time::Duration;

/// Target group → weight, as listeners and rules have it.
pub type Weights = BTreeMap<String, i64>;

/// What the weights of a step between add up to: fine enough for 0.2 %, and AWS takes none above 999.
const WHOLE: f64 = 900.0;

/// One movement of the weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Move {
    /// Percent of the way from the old shares to the new ones.
    pub percent: f64,
    pub weights: Weights,
    pub hold: Duration,
    pub approve: bool,
}

fn shares(weights: &Weights) -> BTreeMap<&str, f64> {
    let sum: i64 = weights.values().sum();
    let share = |weight: i64| if sum == 0 { 0.0 } else { weight as f64 / sum as f64 };
    weights.iter().map(|(group, weight)| (group.as_str(), share(*weight))).collect()
}

/// Whether going from one to the other gives any group another share of the traffic.
pub fn moves(from: &Weights, to: &Weights) -> bool {
    !growing(from, to).is_empty()
}

/// Groups that get a greater share.
pub fn growing<'w>(from: &'w Weights, to: &'w Weights) -> Vec<&'w str> {
    let (old, new) = (shares(from), shares(to));
    let grows = |group: &&str| new[*group] > old.get(*group).copied().unwrap_or(0.0) + 1e-9;
    new.keys().copied().filter(|group| grows(group)).collect()
}

/// What has the traffic if none of it had moved yet: a rollout that was left in the middle goes on where it is.
fn origin(live: &Weights, to: &Weights) -> Weights {
    let growing = growing(live, to);
    let rest: Weights =
        live.iter().filter(|(g, _)| !growing.contains(&g.as_str())).map(|(g, w)| (g.clone(), *w)).collect();
    let served = rest.values().any(|weight| *weight > 0);
    // A rollout of ours has brought all of them equally far; where it was something else, it begins here.
    let ways = progress(&rest, live, to);
    let together = ways.iter().all(|way| (way - ways[0]).abs() <= NEAR);
    if served && together { rest } else { live.clone() }
}

/// How far each share that grows is on the way from `origin` to `to`, in percent.
fn progress(origin: &Weights, live: &Weights, to: &Weights) -> Vec<f64> {
    let (origin, live, to) = (shares(origin), shares(live), shares(to));
    let of = |shares: &BTreeMap<&str, f64>, group: &str| shares.get(group).copied().unwrap_or(0.0);
    let done = to.keys().filter_map(|group| {
        let way = of(&to, group) - of(&origin, group);
        (way > 1e-9).then(|| (of(&live, group) - of(&origin, group)) / way * 100.0)
    });
    done.collect()
}

/// The moves that are left. Without steps there is one: all at once.
pub fn plan(settings: Option<&Settings>, live: &Weights, to: &Weights) -> Vec<Move> {
    let origin = origin(live, to);
    let reached = progress(&origin, live, to).into_iter().fold(100.0, f64::min).clamp(0.0, 100.0);
    let portions = settings.map_or(&[][..], |s| &s.steps);
    let mut moves: Vec<Move> = portions
        .iter()
        .filter(|p| p.weight < 100.0 && (p.weight > reached + NEAR || is_at(p, reached) && p.approve))
        .map(|p| Move {
            percent: p.weight,
            weights: between(&origin, to, p.weight / 100.0),
            // It was held so before the person was asked.
            hold: if is_at(p, reached) { Duration::ZERO } else { p.hold },
            approve: p.approve,
        })
        .collect();
    let last = portions.iter().find(|p| p.weight >= 100.0);
    let hold = last.map(|p| p.hold).unwrap_or_default();
    moves.push(Move { percent: 100.0, weights: to.clone(), hold, approve: false });
    moves
}

/// Percent, by which rounded weights may be beside a step.
const NEAR: f64 = 0.5;

fn is_at(portion: &Portion, reached: f64) -> bool {
    (portion.weight - reached).abs() <= NEAR
}

/// A part of the way. No group that shall have traffic is rounded down to none.
fn between(from: &Weights, to: &Weights, part: f64) -> Weights {
    let (old, new) = (shares(from), shares(to));
    let groups: std::collections::BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let of = |shares: &BTreeMap<&str, f64>, group: &str| shares.get(group).copied().unwrap_or(0.0);
    let weight = |group: &str| {
        let share = of(&old, group) * (1.0 - part) + of(&new, group) * part;
        let weight = (share * WHOLE).round() as i64;
        if share > 0.0 { weight.max(1) } else { 0 }
    };
    groups.into_iter().map(|group| (group.to_owned(), weight(group))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn weights(pairs: &[(&str, i64)]) -> Weights {
        pairs.iter().map(|(group, weight)| ((*group).to_owned(), *weight)).collect()
    }

    fn canary() -> Settings {
        let portion = |weight, approve| Portion { weight, hold: Duration::from_secs(300), approve };
        let steps = vec![portion(10.0, false), portion(50.0, true)];
        Settings { steps, ..Settings::default() }
    }

    fn percents(moves: &[Move]) -> Vec<f64> {
        moves.iter().map(|m| m.percent).collect()
    }

    #[test]
    fn traffic_moves_in_the_declared_steps() {
        let (blue, green) = (weights(&[("blue", 1)]), weights(&[("green", 1)]));
        let moves = plan(Some(&canary()), &blue, &green);
        assert_eq!(percents(&moves), [10.0, 50.0, 100.0]);
        assert_eq!(moves[0].weights, weights(&[("blue", 810), ("green", 90)]));
        assert_eq!(moves[1].weights, weights(&[("blue", 450), ("green", 450)]));
        assert_eq!(moves[2].weights, green);
        assert!(moves[1].approve && !moves[2].approve);
    }

    #[test]
    fn without_steps_it_moves_at_once() {
        let (blue, green) = (weights(&[("blue", 1), ("green", 0)]), weights(&[("blue", 0), ("green", 1)]));
        assert_eq!(percents(&plan(None, &blue, &green)), [100.0]);
    }

    #[test]
    fn one_left_in_the_middle_goes_on_there() {
        let green = weights(&[("green", 1)]);
        let tenth = weights(&[("blue", 810), ("green", 90)]);
        assert_eq!(percents(&plan(Some(&canary()), &tenth, &green)), [50.0, 100.0]);
        // At a step that needs a person, the agreement is asked for again; the wait is over.
        let half = weights(&[("blue", 450), ("green", 450)]);
        let moves = plan(Some(&canary()), &half, &green);
        assert_eq!(percents(&moves), [50.0, 100.0]);
        assert_eq!(moves[0].hold, Duration::ZERO);
    }

    #[test]
    fn the_same_shares_in_other_numbers_are_no_move() {
        assert!(!moves(&weights(&[("a", 1), ("b", 1)]), &weights(&[("a", 50), ("b", 50)])));
        assert!(moves(&weights(&[("a", 1), ("b", 0)]), &weights(&[("a", 1), ("b", 1)])));
        assert!(!moves(&weights(&[("a", 1), ("b", 0)]), &weights(&[("a", 1)])));
    }

    fn any_weights() -> impl proptest::strategy::Strategy<Value = Weights> {
        proptest::collection::btree_map("[a-d]", 0i64..=999, 1..4)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn weights_are_what_aws_takes_and_end_as_wanted(from in any_weights(), to in any_weights()) {
            prop_assume!(to.values().any(|w| *w > 0));
            let moves = plan(Some(&canary()), &from, &to);
            for one in &moves {
                prop_assert!(one.weights.values().all(|w| (0..=999).contains(w)), "{one:?}");
                prop_assert!(one.weights.values().any(|w| *w > 0), "{one:?}");
            }
            prop_assert_eq!(&moves.last().expect("one at least").weights, &to);
        }

        #[test]
        fn what_grows_never_shrinks_on_the_way(from in any_weights(), to in any_weights()) {
            prop_assume!(to.values().any(|w| *w > 0) && from.values().any(|w| *w > 0));
            let mut last: BTreeMap<String, f64> = shares(&from).into_iter().map(|(g, s)| (g.to_owned(), s)).collect();
            for one in plan(Some(&canary()), &from, &to) {
                let now = shares(&one.weights);
                for group in growing(&from, &to) {
                    let share = now.get(group).copied().unwrap_or(0.0);
                    // Rounding to thousandths.
                    prop_assert!(share + 0.005 >= last.get(group).copied().unwrap_or(0.0), "{group}: {one:?}");
                }
                last = now.into_iter().map(|(g, s)| (g.to_owned(), s)).collect();
            }
        }
    }
}
