//! What deployers report.

use lockkeeper::observation::{Health, Sighting};
use lockkeeper::store::{Delivery, Hint, Key};

use super::super::fake_registry::FakeRegistry;
use super::cast::repository;
use super::{Checked, Story, text};

impl Story {
    /// `observe STAGE VERSION READY/WANTED [degraded WHY]`: twice, like every delivery.
    pub(super) async fn observe(&mut self, stage: &str, rest: &[&str]) -> Checked {
        let [version, running, rest @ ..] = rest else {
            return Err("observe STAGE VERSION READY/WANTED [degraded WHY]".to_owned());
        };
        let (ready, wanted) = running.split_once('/').ok_or("wanted READY/WANTED")?;
        let (ready, wanted): (u32, u32) = (ready.parse().map_err(text)?, wanted.parse().map_err(text)?);
        let health = match rest {
            ["degraded", why @ ..] => Health::Degraded(why.join(" ")),
            _ if ready < wanted => Health::Progressing(format!("{ready} of {wanted} are ready")),
            _ => Health::Healthy,
        };
        self.deliveries += 1;
        let sighting = Sighting {
            at: self.now(),
            source: "observer argo".to_owned(),
            digests: [FakeRegistry::digest(&repository("web"), version)].into(),
            ready,
            wanted,
            health,
            url: None,
        };
        let delivery = Delivery {
            id: format!("observation-{}", self.deliveries),
            source: "observer argo".to_owned(),
            received_at: self.now(),
            hints: vec![Hint::Sighting { stage: stage.parse().map_err(text)?, sighting }],
        };
        let key = Key::pipeline("env", "web".parse().map_err(text)?);
        let mut answers = 0;
        while answers < 2 {
            let store = self.running()?.world.store.clone();
            match self.faults.clone().alive(store.put(&delivery, std::slice::from_ref(&key))).await {
                Some(answer) => {
                    answer.map_err(text)?;
                    answers += 1;
                }
                None => Box::pin(self.reboot()).await?,
            }
        }
        self.settle().await
    }
}
