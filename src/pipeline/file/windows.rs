//! The windows of a stage, and whatever else names a time on somebody's clock.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

use super::node::{Names, Node, Report, shown};
use crate::pipeline::{Window, Zone};

/// Most windows of one stage: some for each day of the week.
const WINDOWS_MAX: usize = 16;
/// Most parts of the days of a window: one for each.
const DAYS_MAX: usize = 7;
const WINDOW_NAMES: Names = Names { known: &["days", "hours", "zone"], later: &[] };

/// One window, or a list of them.
pub(super) fn windows(node: &Node<'_>, report: &mut Report) -> Vec<Window> {
    let nodes = if node.is_list() { node.items(WINDOWS_MAX, report) } else { Some(vec![node.clone()]) };
    let nodes = nodes.unwrap_or_default();
    if nodes.is_empty() && node.is_list() {
        report.add(
            node,
            "wanted at least one window, found an empty list: a stage without `window` is always open",
        );
    }
    nodes.iter().filter_map(|node| window(node, report)).collect()
}

fn window(node: &Node<'_>, report: &mut Report) -> Option<Window> {
    if !node.is_map_of(&WINDOW_NAMES, report) {
        return None;
    }
    let days = node.required("days", report).and_then(|node| {
        let parts = node.items_or_one(DAYS_MAX, report)?;
        let words = parts
            .iter()
            .map(|part| part.text("days such as `mon-thu`", report))
            .collect::<Option<Vec<_>>>()?;
        node.checked(&words.join(","), str::parse, report)
    });
    let hours = node.required("hours", report);
    let hours = hours.and_then(|hours| hours.parsed("hours such as `09:00-16:00`", str::parse, report));
    let zone = node.required("zone", report).and_then(|zone| self::zone(&zone, report));
    Some(Window { days: days?, hours: hours?, zone: zone? })
}

pub(super) fn zone(node: &Node<'_>, report: &mut Report) -> Option<Zone> {
    node.parsed("a time zone by its IANA name", str::parse, report)
}

/// Which of the two times a local one means where a clock is set back, and how it is taken where it is set forward: so
/// that what lasts from one to the other lasts longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// The first.
    From,
    /// The last.
    Until,
}

/// A time with its offset, or a date or local time in `zone`; a date is its first second.
pub(super) fn time(
    node: &Node<'_>,
    zone: Option<&Zone>,
    bound: Bound,
    report: &mut Report,
) -> Option<Timestamp> {
    let wanted = "a time such as `2026-12-18T18:00:00Z`, or with `zone` `2026-12-18` or `2026-12-18 18:00`";
    node.parsed(wanted, |text| parsed(text, zone, bound, wanted), report)
}

fn parsed(text: &str, zone: Option<&Zone>, bound: Bound, wanted: &str) -> Result<Timestamp, String> {
    let is_annotated = text.contains('[');
    if let (Ok(at), false) = (text.parse::<Timestamp>(), is_annotated) {
        return Ok(at);
    }
    let is_date = text.len() == "2026-12-18".len();
    let local = if is_date { text.parse::<Date>().map(DateTime::from) } else { text.parse::<DateTime>() };
    let Some(local) = local.ok().filter(|_| !is_annotated) else {
        return Err(format!("wanted {wanted}, found `{}`", shown(text)));
    };
    let Some(zone) = zone else {
        return Err(format!("wanted `zone` beside `{}`, which has no offset of its own", shown(text)));
    };
    let (first, last) = zone
        .bounds(local)
        .ok_or_else(|| format!("wanted a time within the calendar, found `{}`", shown(text)))?;
    Ok(if bound == Bound::From { first } else { last })
}
