//! Short histories through all of lockkeeper: git, the local forge, the store and the loop are real, as in the stories. The
//! same law looks at the base and the pull requests after each line.

use crate::oracle::{Commit, Oracle, Pull, View};
use crate::step::{Act, STAGES, Said, Step, Verdict};
use crate::support::story::script::lines;
use crate::support::story::{At, Story};
use crate::{FIRST, Teller, hex, number, path, rules, steps};

/// Lines of one history.
const LINES: usize = 70;

/// A world of the stories, and how far it was looked at.
struct Told {
    story: Story,
    oracle: Oracle,
    lines: Vec<String>,
    tip: lockkeeper::commit::CommitId,
    last_pull: u64,
    has_comment: bool,
}

impl Told {
    async fn begin() -> Result<Self, String> {
        let mut story = Story::new(At::Local);
        let mut text =
            format!("rules:\n{}file calendars/freezes.yaml:\n  freezes: []\n", block(&real_rules(false)));
        text.extend(STAGES.map(|stage| format!("pin {stage} web {FIRST}\n")));
        text.extend([format!("push web {FIRST}\n"), "start\n".to_owned()]);
        for line in lines(&text) {
            story.tell(&line).await?;
        }
        let oracle = Oracle::new(FIRST, &hex(FIRST), story.seconds(), None);
        let tip = story.tip().await?;
        Ok(Self { story, oracle, lines: Vec::new(), tip, last_pull: 0, has_comment: false })
    }

    async fn act(&mut self, act: &Act) -> Result<(), String> {
        self.story.tick();
        let text = match act {
            Act::Rules { loose } => format!("rules:\n{}", block(&real_rules(*loose))),
            Act::Stop { .. } => "restart".to_owned(),
            Act::Again => "deliver last comment again".to_owned(),
            act => act.to_string(),
        };
        self.lines.push(text.trim_end().to_owned());
        for line in lines(&text) {
            self.story.tell(&line).await?;
        }
        self.has_comment |= matches!(act, Act::Say { .. });
        self.oracle.act(act, hex, self.story.seconds());
        let view = self.view().await?;
        self.oracle.look(&view)
    }

    async fn view(&mut self) -> Result<View, String> {
        let paths: Vec<String> = (0..STAGES.len()).map(path).collect();
        let commits = self.story.commits_after(self.tip, &paths).await?;
        self.tip = self.story.tip().await?;
        let of_stage = |stage: &str| format!("env/{stage}/web.yaml");
        let pulls = self.story.pulls_after(self.last_pull, of_stage).await?;
        self.last_pull = pulls.iter().map(|pull| pull.number).max().unwrap_or(0).max(self.last_pull);
        let commits =
            commits.into_iter().map(|commit| Commit { message: commit.message, changed: commit.changed });
        let pulls = pulls.into_iter().map(|pull| Pull {
            id: pull.branch.trim_start_matches("lockkeeper/").to_owned(),
            head: pull.head.to_string(),
            is_open: pull.is_open,
            file: pull.file,
        });
        Ok(View { now: self.story.seconds(), commits: commits.collect(), pulls: pulls.collect() })
    }

    /// What is meant, where the forge, git and the words of stories have it; else a wait.
    fn possible(&self, act: Act) -> Act {
        let is_possible = match &act {
            Act::Say { said, .. } => return Act::Say { said: Said { ..said.clone() }, late: false },
            // Nobody reviews or closes who may only read, and no head but the one there is.
            Act::Review { who, verdict, .. } => *who != 4 && *verdict != Verdict::ApproveOlder,
            Act::Close { who, .. } => *who != 4,
            Act::PushOn { stage } => !self.oracle.is_pushed_over(*stage),
            Act::Pin { stage, tag, bytes } => tag == bytes && self.oracle.live_tag(*stage) != Some(tag),
            Act::Unpin { stage, .. } => self.oracle.live_tag(*stage).is_some(),
            Act::Again => self.has_comment,
            _ => true,
        };
        if is_possible { act } else { Act::Wait { minutes: 7 } }
    }
}

fn real_rules(is_loose: bool) -> String {
    // Nothing tells here who wrote an image.
    rules(is_loose).replace("\"team:acme/sre\"] }", "\"team:acme/sre\"], independent: false }")
}

fn block(text: &str) -> String {
    format!("  {}\n", text.trim_end().replace('\n', "\n  "))
}

async fn tell(steps: &[Step]) -> Result<[usize; 3], (Vec<String>, String)> {
    let mut told = Told::begin().await.map_err(|error| (Vec::new(), error))?;
    let mut teller = Teller { newest: 10 };
    for step in steps {
        let act = teller.act(*step, &told.oracle);
        let act = told.possible(act);
        if let Err(wrong) = told.act(&act).await {
            return Err((told.lines, wrong));
        }
    }
    let wrong = told.story.audit().await;
    if wrong.is_empty() { Ok(told.oracle.merged) } else { Err((told.lines, wrong.join("\n"))) }
}

/// The law holds for all of lockkeeper, not for its plans alone. `HISTORIES_TOLD=50` tells so many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_history_that_is_told_goes_against_the_law() {
    let (first, count) = (number("HISTORY", 1), number("HISTORIES_TOLD", 2));
    let mut all = 0;
    for seed in first..first + count {
        let begun = std::time::Instant::now();
        let mut steps = steps(seed);
        steps.truncate(LINES);
        match tell(&steps).await {
            Ok(merged) => {
                println!("seed {seed}: {merged:?} in {:.1} s", begun.elapsed().as_secs_f32());
                all += merged.iter().sum::<usize>() as u64;
            }
            Err((lines, wrong)) => panic!("seed {seed}: {wrong}\n{}\n", lines.join("\n")),
        }
    }
    // Where nothing happens, nothing is proved.
    assert!(all >= count, "hardly anything was merged: {all}");
}
