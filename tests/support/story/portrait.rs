//! A world in a form in which two tellings can be compared, line by line.

use super::{Story, text};

impl Story {
    /// Everything that lasts, and what a program would print of the parts: for those who look for what nobody may see.
    pub async fn shown(&self) -> Result<String, String> {
        let mut shown = self.portrait().await?;
        let running = self.running()?;
        let tip = running.mirror.tip("main").await.map_err(text)?.ok_or("no main")?;
        let commits = running.mirror.first_parents(tip, 1_000).await.map_err(text)?;
        shown.push(format!("{commits:?}"));
        shown
            .push(format!("{:?} {:?} {:?} {:?}", running.world, running.forge, running.host, running.mirror));
        shown.push(format!("{:?} {:?}", running.world.repositories, running.world.settings));
        Ok(shown.join("\n"))
    }

    /// Everything that lasts: refs of the repository, threads and checks of the forge, events, what the board shows,
    /// what is still to be looked at. Ids and times as well, for the clock stands still while a line is told.
    pub async fn portrait(&self) -> Result<Vec<String>, String> {
        let Ok(running) = self.running() else { return Ok(Vec::new()) };
        let mut lines = Vec::new();
        for (name, tip) in running.mirror.refs("refs/").await.map_err(text)? {
            lines.push(format!("ref {name} {tip}"));
        }
        running.host.portrait(&mut lines)?;
        let store = &running.world.store;
        for key in store.keys("env").await.map_err(text)? {
            for (number, entry) in store.entries(&key, 0, 10_000).await.map_err(text)? {
                let entry = serde_json::to_string(&entry).map_err(text)?;
                lines.push(format!("event {key} {number} {entry}"));
            }
        }
        for (key, mut view) in store.views().await.map_err(text)? {
            if let Some(view) = view.as_object_mut() {
                view.remove("updated_at");
            }
            let view = serde_json::to_string_pretty(&view).map_err(text)?;
            // Whether the registry has a target is an observation of the last look, made where somebody waits for it.
            let lasting = view.lines().filter(|line| !line.contains("\"present\": "));
            lines.extend(lasting.map(|line| format!("view {key} {line}")));
        }
        let counts = store.counts().await.map_err(text)?;
        lines.push(format!("deliveries open {}, events {}", counts.deliveries_open, counts.events));
        Ok(lines)
    }
}

/// A portrait for a world in which a call failed: what only tells may come later than what decides, so the order of
/// events is left out; and a text that was not taken before its pull request ended stays as it was.
pub fn loose(portrait: &[String]) -> Vec<String> {
    let open: Vec<&str> = portrait
        .iter()
        .filter_map(|line| line.strip_prefix("file open/")?.split_once('/'))
        .map(|(_, number)| number)
        .collect();
    let is_old_text = |line: &str| {
        let thread = line.strip_prefix("threads/").and_then(|rest| rest.split_once(".json   \"body\": "));
        thread.is_some_and(|(number, _)| !open.contains(&number))
    };
    let mut lines: Vec<String> = portrait
        .iter()
        .filter(|line| !is_old_text(line))
        .map(|line| match line.strip_prefix("event ").map(|rest| rest.splitn(3, ' ').collect::<Vec<_>>()) {
            Some(parts) => format!("event {} {}", parts[0], parts[2]),
            None => line.clone(),
        })
        .collect();
    lines.sort_by_key(|line| line.starts_with("event ").then(|| line.clone()));
    lines
}

/// A portrait for a world in which stages go side by side: which was first is nobody's matter, and with it which commit
/// of the base a branch is made from, and the number of a comment. An intent that is made anew on a moved base is the
/// same intent.
pub fn free(portrait: &[String]) -> Vec<String> {
    let commits = regex::Regex::new("[0-9a-f]{40}|commit `[0-9a-f]{12}`").unwrap();
    // Of a comment, by its place in the file of its thread; those of people stand deeper.
    let comment = regex::Regex::new("^(threads/[0-9]+.json {7}\"id\": )[0-9]+").unwrap();
    let lines = loose(portrait).into_iter().filter(|line| !line.starts_with("deliveries open"));
    let mut lines: Vec<String> = lines
        .map(|line| comment.replace(&commits.replace_all(&line, "COMMIT"), "${1}N").into_owned())
        .collect();
    lines.sort();
    // An intent that is made anew is one more event; a comment that is there twice is a fault.
    lines.dedup_by(|one, other| one == other && one.starts_with("event "));
    lines
}

/// The lines that only one of the two has.
pub fn difference(want: &[String], found: &[String]) -> Option<String> {
    if want == found {
        return None;
    }
    let (want, found) = (want.join("\n"), found.join("\n"));
    let lines = similar::TextDiff::from_lines(&want, &found);
    Some(lines.unified_diff().context_radius(1).header("undisturbed", "disturbed").to_string())
}
