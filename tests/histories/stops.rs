//! Windows and calendars once more, by plain arithmetic on seconds.

use crate::step::{Calendar, Freeze};

/// 2026-03-29 01:00 UTC and 2026-10-25 01:00 UTC: in between, clocks in Berlin are two hours before UTC, else one.
const SUMMER: [i64; 2] = [1_774_746_000, 1_792_890_000];
const DAY: i64 = 86_400;

/// Whether a word addresses a stage: itself, its group, or all.
pub fn addresses(word: u8, stage: usize) -> bool {
    usize::from(word) == stage || word == 5 || word == 4 && stage >= 2
}

/// Whether the window of a stage is open.
pub fn is_open(stage: usize, now: i64) -> bool {
    match stage {
        // mon-sat 06:00-22:00 Europe/Berlin
        2 => {
            let is_summer = (SUMMER[0]..SUMMER[1]).contains(&now);
            let wall = now + if is_summer { 7_200 } else { 3_600 };
            // The first day of the count was a Thursday.
            let is_sunday = wall.div_euclid(DAY).rem_euclid(7) == 3;
            !is_sunday && (6 * 3_600..22 * 3_600).contains(&wall.rem_euclid(DAY))
        }
        // mon-sun 20:00-14:00 UTC
        3 => !(14 * 3_600..20 * 3_600).contains(&now.rem_euclid(DAY)),
        _ => true,
    }
}

/// Whether the calendar stops merging into a stage by a lane.
pub fn is_frozen(calendar: &Calendar, stage: usize, is_hotfix: bool, now: i64) -> bool {
    match calendar {
        Calendar::Broken => true,
        Calendar::Known(None) => false,
        Calendar::Known(Some(freeze)) => stops(freeze, stage, is_hotfix, now),
    }
}

fn stops(freeze: &Freeze, stage: usize, is_hotfix: bool, now: i64) -> bool {
    let is_in_force = freeze.from <= now && now < freeze.until && addresses(freeze.word, stage);
    let is_excepted = freeze.exception.as_ref().is_some_and(|exception| {
        exception.is_hotfix == is_hotfix && addresses(exception.word, stage) && now < exception.until
    });
    is_in_force && !is_excepted
}

/// Whether at some time from now on `after` lets something into a stage that `before` stops.
pub fn is_looser(before: &Calendar, after: &Calendar, stage: usize, now: i64) -> bool {
    let times = |calendar: &Calendar| match calendar {
        Calendar::Known(Some(freeze)) => {
            let exception = freeze.exception.as_ref().map(|exception| exception.until);
            [Some(freeze.from), Some(freeze.until), exception].into_iter().flatten().collect()
        }
        Calendar::Known(None) | Calendar::Broken => Vec::new(),
    };
    let edges = times(before).into_iter().chain(times(after)).filter(|at| *at > now);
    let lanes = [false, true];
    edges.chain([now]).any(|at| {
        lanes.iter().any(|lane| is_frozen(before, stage, *lane, at) && !is_frozen(after, stage, *lane, at))
    })
}
