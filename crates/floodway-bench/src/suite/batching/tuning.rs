//! Settings chosen as a careful user would: all of them tried on the work itself.

use super::{
    Plan,
    lap::{Arm, trials},
};

/// How many get a second look.
const FINALISTS: usize = 5;

/// The one of most items a second: all for two short laps, the second time in the opposite order,
/// then the best of them in turn.
pub(super) fn best<'a, S: Clone>(
    plan: Plan,
    what: &str,
    settings: &[S],
    arm: impl Fn(S) -> Arm<'a>,
    mut between: impl FnMut(),
) -> S {
    let mut arms: Vec<_> = settings.iter().map(|setting| (0.0, arm(setting.clone()))).collect();
    let mut glance = |(rate, arm): &mut (f64, Arm<'a>)| {
        between();
        *rate += arm.lap(plan.glance).rate;
    };
    arms.iter_mut().for_each(&mut glance);
    arms.iter_mut().rev().for_each(&mut glance);
    let mut order: Vec<usize> = (0..arms.len()).collect();
    order.sort_by(|one, other| arms[*other].0.total_cmp(&arms[*one].0));
    order.truncate(FINALISTS);
    let finalists: Vec<_> = order.iter().map(|at| arm(settings[*at].clone())).collect();
    let finals = trials(plan.rounds.div_ceil(2), plan.glance, &finalists, between);
    println!("{what}: the best of {} settings\n{finals}", settings.len());
    settings[order[finals.fastest(0..order.len())]].clone()
}
