//! A browser clicks through a running demo, wide and narrow. Screenshots go to `target/screenshots`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "support/live_demo.rs"]
#[expect(dead_code, reason = "tests/demo.rs uses the rest")]
mod live_demo;
#[path = "support/parts.rs"]
mod parts;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use chromiumoxide::cdp::browser_protocol::emulation::SetDeviceMetricsOverrideParams;
use chromiumoxide::cdp::browser_protocol::page::CaptureScreenshotFormat;
use chromiumoxide::page::ScreenshotParams;
use chromiumoxide::{Browser, BrowserConfig, Page};
use futures::StreamExt as _;
use live_demo::LiveDemo;

/// How long a page may take to show what is waited for.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// The height of the window, in CSS pixels, as of a phone.
const HEIGHT: i64 = 844;

/// What is wrong with any page, whatever it shows.
const PROBLEMS: &str = r#"(() => {
    const found = [];
    const headings = document.querySelectorAll("h1").length;
    if (headings !== 1) found.push(headings + " h1");
    const over = document.documentElement.scrollWidth - window.innerWidth;
    if (over > 0) {
        const wide = [...document.querySelectorAll("body *")].find(one => one.getBoundingClientRect().right > window.innerWidth + 1);
        found.push("overflows by " + over + " px at " + (wide ? wide.outerHTML.slice(0, 120) : "?"));
    }
    for (const control of document.querySelectorAll("input:not([type=hidden]), textarea, select, button")) {
        const named = control.labels?.length || control.ariaLabel || control.getAttribute("aria-labelledby")
            || (control.tagName === "BUTTON" && control.textContent.trim());
        if (!named) found.push("no label: " + control.outerHTML.slice(0, 120));
    }
    for (const link of document.querySelectorAll("a")) {
        if (!link.textContent.trim() && !link.ariaLabel) found.push("no words: " + link.outerHTML.slice(0, 120));
    }
    if (!document.documentElement.lang) found.push("no language");
    if (!document.title.trim()) found.push("no title");
    if (!document.querySelector("main")) found.push("no main");
    for (const entry of performance.getEntriesByType("resource")) {
        if (!entry.name.startsWith(location.origin) && !entry.name.startsWith("data:")) found.push("from elsewhere: " + entry.name);
    }
    return found;
})()"#;

/// A tab of a browser at one width.
struct Tab {
    page: Page,
    width: i64,
    folder: PathBuf,
}

impl Tab {
    async fn open(browser: &Browser, width: i64) -> Self {
        let page = browser.new_page("about:blank").await.unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let tab = Self { page, width, folder };
        tab.show(HEIGHT).await;
        tab
    }

    /// Makes the window as wide as this tab is, and that high.
    async fn show(&self, height: i64) {
        let metrics = SetDeviceMetricsOverrideParams::new(self.width, height, 1.0, self.width < 600);
        self.page.execute(metrics).await.unwrap();
    }

    async fn go(&self, url: &str) {
        self.page.goto(url).await.unwrap();
    }

    async fn click(&self, selector: &str) {
        let element = self.page.find_element(selector).await;
        let Ok(element) = element else {
            panic!("no {selector} at {} in {}", self.url().await, self.text().await)
        };
        self.page.evaluate("window.isLeft = true").await.unwrap();
        element.click().await.unwrap();
        self.arrived().await;
    }

    /// Waits until another page than the one that was left is here, and whole.
    async fn arrived(&self) {
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            // Between two pages there is nothing that could be asked.
            let ask = self.page.evaluate("document.readyState === 'complete' && !window.isLeft").await;
            if ask.is_ok_and(|answer| answer.into_value().unwrap_or(false)) {
                return;
            }
            assert!(Instant::now() < deadline, "no page follows {}", self.url().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn write(&self, selector: &str, text: &str) {
        let element = self.page.find_element(selector).await.unwrap();
        element.click().await.unwrap().type_str(text).await.unwrap();
    }

    /// The text of the page's main part.
    async fn text(&self) -> String {
        self.page.evaluate("document.querySelector('main').innerText").await.unwrap().into_value().unwrap()
    }

    async fn url(&self) -> String {
        self.page.url().await.unwrap().unwrap()
    }

    /// Loads the page anew until it says this.
    async fn until(&self, text: &str) {
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let found = self.text().await;
            if found.contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "wanted {text:?} at {}, found {found}", self.url().await);
            tokio::time::sleep(Duration::from_millis(200)).await;
            self.page.evaluate("window.isLeft = true; location.reload()").await.unwrap();
            self.arrived().await;
        }
    }

    /// Looks for what no page may have, and keeps a picture.
    async fn check(&self, name: &str) {
        let picture = self.folder.join(format!("{name}-{}.png", self.width));
        let problems: Vec<String> = self.page.evaluate(PROBLEMS).await.unwrap().into_value().unwrap();
        let height = self.page.evaluate("document.documentElement.scrollHeight").await.unwrap();
        self.show(height.into_value::<i64>().unwrap().max(HEIGHT)).await;
        let options = ScreenshotParams::builder().format(CaptureScreenshotFormat::Png).build();
        self.page.save_screenshot(options, picture).await.unwrap();
        self.show(HEIGHT).await;
        assert!(problems.is_empty(), "{name} at {} px: {problems:#?}", self.width);
    }

    /// From any page of the forge: out, and in again under this name. Ends where sign-in leads.
    async fn sign_in(&self, name: &str) {
        if self.page.find_element("form.who button").await.is_ok() {
            let back = self.url().await;
            self.click("form.who button").await;
            self.go(back.split('#').next().unwrap()).await;
        }
        self.click("aside a[href*='/sign-in']").await;
        self.check("sign-in").await;
        self.click(&format!("button[value={name}]")).await;
    }

    async fn comment(&self, text: &str) {
        self.write("textarea", text).await;
        self.click("#comment button").await;
    }
}

/// Board → pipeline → pull request → sign in → comment → reply.
async fn ask(tab: &Tab, board: &str) {
    tab.go(board).await;
    tab.check("board").await;
    tab.click("a[href='/p/shop/checkout']").await;
    tab.until("prod").await;
    tab.check("pipeline").await;
    tab.click(".history a").await;
    assert!(tab.text().await.contains("promote(prod)"));
    tab.check("pull-request").await;
    let pull_request = tab.url().await;
    tab.sign_in("rob").await;
    assert_eq!(tab.url().await, pull_request, "sign-in leads back");
    tab.comment("/status").await;
    tab.until("● prod 1.5.1").await;
    tab.comment("/rollback prod").await;
    tab.until("Not allowed.").await;
    tab.check("replies").await;
}

/// The other pages of the forge.
async fn look_around(tab: &Tab, forge: &str) {
    for (name, path, text) in [
        ("open", "", "Nothing here"),
        ("closed", "?state=closed", "promote(canary-us)"),
        ("issues", "/../issues", "checkout"),
        ("issue", "/../issues/1", "checkout"),
        ("commits", "/6/commits", "promote(prod)"),
        ("changes", "/6/changes", "apps/checkout/prod/us.yaml"),
        ("no-page", "/999", "999"),
    ] {
        tab.go(&format!("{forge}{path}")).await;
        assert!(tab.text().await.contains(text), "{name}: {}", tab.text().await);
        tab.check(name).await;
    }
}

/// A release that any client pushes: an older one in another format, so with another digest. None where the machine has
/// no skopeo.
fn push(image: &str, older: &str, version: &str) -> Option<()> {
    let (from, to) = (format!("docker://{image}:{older}"), format!("docker://{image}:{version}"));
    let copy = ["copy", "--all", "--format", "v2s2", "--src-tls-verify=false", "--dest-tls-verify=false"];
    let copied = Command::new(parts::part("skopeo")?).args(copy).args([from, to]).output().unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    Some(())
}

/// Approves what waits for an approval in the first region of canary.
async fn approve(tab: &Tab, board: &str, version: &str) {
    tab.go(board).await;
    tab.until("approve").await;
    tab.check("board-waiting").await;
    tab.click("td[data-s=canary-eu] a").await;
    tab.sign_in("tom").await;
    tab.check("pull-request-open").await;
    tab.click("button[value=approved]").await;
    tab.until(&format!("MERGED {version}")).await;
    tab.check("pull-request-merged").await;
}

/// Rolls prod back from the first line of the pipeline's history, and sees it held.
async fn roll_back(tab: &Tab, board: &str) {
    tab.go(&format!("{board}p/shop/checkout")).await;
    tab.click(".history a").await;
    tab.sign_in("sam").await;
    tab.comment("/rollback prod INC-2050 slow").await;
    tab.until("Rolling prod back").await;
    tab.check("rolled-back").await;
    tab.go(board).await;
    tab.until("1.4.2 held").await;
    tab.check("board-held").await;
    tab.go(&format!("{board}p/shop/checkout")).await;
    tab.until("held after a rollback by sam").await;
    tab.check("pipeline-held").await;
}

async fn browse(browser: &Browser, live: &LiveDemo) {
    let (board, forge) = (live.introduced("board"), live.introduced("forge"));
    let (wide, narrow) = (Tab::open(browser, 1280).await, Tab::open(browser, 390).await);
    ask(&wide, board).await;
    ask(&narrow, board).await;
    look_around(&wide, forge).await;
    look_around(&narrow, forge).await;
    roll_back(&narrow, board).await;
    wide.go(board).await;
    wide.check("board-held").await;
    wide.go(&format!("{board}p/shop/checkout")).await;
    wide.check("pipeline-held").await;
    for (tab, older, version) in [(&wide, "1.5.1", "1.5.2"), (&narrow, "1.4.2", "1.5.3")] {
        if push(live.introduced("registry"), older, version).is_some() {
            approve(tab, board, version).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_clicks_through_the_demo() {
    let (Some(chromium), Some(_)) = (parts::part("chromium"), parts::part("git")) else { return };
    let live = tokio::task::spawn_blocking(LiveDemo::start).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = BrowserConfig::builder()
        .chrome_executable(chromium)
        .no_sandbox()
        .user_data_dir(folder.path())
        .args(["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync"])
        .build()
        .unwrap();
    let (mut browser, mut events) = Browser::launch(config).await.unwrap();
    let handler = tokio::spawn(async move { while events.next().await.is_some() {} });
    browse(&browser, &live).await;
    browser.close().await.unwrap();
    browser.wait().await.unwrap();
    handler.await.unwrap();
}
