//! What GitHub could not bring is fetched from its list of deliveries, and carried out once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lockkeeper::forge::github::Hook;
use lockkeeper::server::sweep_missed;
use lockkeeper::settings::GitHubIdentity;

use crate::commands::{At, Shop, Want};
use crate::github::{Fault, Webhook};

const LIST: &str = "GET /app/hook/deliveries";
const ONE: &str = "GET /app/hook/deliveries/{delivery_id}";

impl Shop {
    /// Reads the list once; how much was fetched and how much left, or nothing where it could not be read.
    async fn sweep(&self) -> Option<[usize; 2]> {
        let app = &self.engine.app;
        let hook = Hook::new(self.engine.settings.github.as_ref().unwrap()).unwrap().unwrap();
        let found = sweep_missed(app, app.github.as_ref().unwrap(), &hook, Timestamp::now()).await.ok()?;
        Some([found.stored, found.left])
    }

    /// A comment of which no webhook arrives; the webhook that was lost.
    fn lost(&self, login: &str, at: At, text: &str) -> (u64, Webhook) {
        self.engine.place.fake.take_webhooks();
        let comment = self.engine.place.fake.comment(login, self.thread(at), text);
        let mut lost = self.engine.place.fake.take_webhooks();
        assert_eq!(lost.len(), 1);
        (comment, lost.remove(0))
    }

    fn calls_since(&self, before: &BTreeMap<String, u64>) -> [u64; 2] {
        let now = self.engine.place.fake.calls();
        [LIST, ONE].map(|id| now.get(id).unwrap_or(&0) - before.get(id).unwrap_or(&0))
    }

    fn calls(&self) -> BTreeMap<String, u64> {
        self.engine.place.fake.calls()
    }
}

#[tokio::test]
async fn what_was_missed_is_fetched_and_carried_out_once() {
    let Some(mut shop) = Shop::new().await else { return };
    down_late_and_wrong(&mut shop).await;
    page_by_page(&mut shop).await;
    shop.engine.place.no_violations();
}

async fn down_late_and_wrong(shop: &mut Shop) {
    shop.restore(false).await;
    let fake = shop.engine.place.fake.clone();
    assert_eq!(shop.sweep().await, Some([0, 0]));
    // Down while it was written: nobody answered.
    let thread = shop.thread(At::Open);
    let (comment, webhook) = shop.lost("sam", At::Open, "/rollback prod INC-1");
    assert!(!shop.engine.work().await, "nobody knows of it");
    let before = shop.calls();
    assert_eq!(shop.sweep().await, Some([1, 0]));
    assert_eq!(shop.calls_since(&before), [1, 1]);
    assert!(shop.engine.work().await);
    shop.answered(thread, comment, Want::Done).unwrap();
    let events = shop.engine.events(0).await;
    assert_eq!(events.iter().filter(|event| *event == "requested").count(), 1);
    // It comes after all, twice; and the list is read again, in one request.
    shop.engine.deliver().await;
    shop.engine.work().await;
    let events = shop.engine.events(0).await;
    for _ in 0..2 {
        assert_eq!(shop.engine.post(&webhook).await, 202);
    }
    let before = shop.calls();
    assert_eq!(shop.sweep().await, Some([0, 0]));
    assert_eq!(shop.calls_since(&before), [1, 0]);
    shop.engine.work().await;
    assert_eq!(shop.engine.events(0).await, events);
    // One that arrived while its answer was lost is not fetched; one that was answered 500 is.
    let (arrived, webhook) = shop.lost("sam", At::Operations, "/status");
    assert_eq!(shop.engine.post(&webhook).await, 202);
    let (refused, webhook) = shop.lost("sam", At::Operations, "/help");
    fake.answered(&webhook.guid, 500);
    let before = shop.calls();
    assert_eq!(shop.sweep().await, Some([1, 0]));
    assert_eq!(shop.calls_since(&before), [1, 1]);
    shop.engine.work().await;
    for comment in [arrived, refused] {
        shop.answered(shop.thread(At::Operations), comment, Want::Done).unwrap();
    }
}

/// A list of two pages, which fails in between.
async fn page_by_page(shop: &mut Shop) {
    shop.restore(false).await;
    shop.engine.renew();
    let fake = shop.engine.place.fake.clone();
    assert_eq!(shop.sweep().await, Some([0, 0]));
    let (comment, _) = shop.lost("sam", At::Operations, "/status");
    for count in 0..100 {
        fake.comment("will", shop.thread(At::Issue), &format!("note {count}"));
    }
    fake.take_webhooks();
    // Not read at all, then cut after the first page.
    for faults in [&[Fault::Before(502)][..], &[Fault::Pass, Fault::Before(503)], &[Fault::Pass, Fault::Cut]]
    {
        for fault in faults {
            fake.next(&format!("{LIST}?"), *fault);
        }
        assert_eq!(shop.sweep().await, None);
    }
    fake.next(&format!("{LIST}/"), Fault::Before(500));
    let before = shop.calls();
    assert_eq!(shop.sweep().await, Some([100, 1]), "the oldest could not be fetched");
    assert_eq!(shop.calls_since(&before), [2, 101]);
    let before = shop.calls();
    assert_eq!(shop.sweep().await, Some([1, 0]));
    assert_eq!(shop.calls_since(&before), [2, 1]);
    assert_eq!(shop.sweep().await, Some([0, 0]));
    shop.engine.work().await;
    shop.answered(shop.thread(At::Operations), comment, Want::Done).unwrap();
    shop.engine.deliver().await;
    // What cannot be read is kept as that, and not fetched for ever.
    let (_, webhook) = shop.lost("sam", At::Operations, "/status");
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let body = quoted(&String::from_utf8(webhook.body).unwrap());
    fake.restore(&fake.save().replace(&body, &quoted("{\"action\":\"created\",\"comment\":7}")));
    assert_eq!(shop.sweep().await, Some([1, 0]));
    assert_eq!(shop.sweep().await, Some([0, 0]));
    let mut github = shop.engine.settings.github.clone().unwrap();
    github.identity = GitHubIdentity::Token { file: "/nowhere".into() };
    assert!(Hook::new(&github).unwrap().is_none(), "a token has no list");
}
