//! Tags that are set and removed: by whom, with which bytes, and what registries say who do not let them.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine as _;
use lockkeeper::image::{Digest, Tag};
use lockkeeper::registry::credentials::Credentials;
use lockkeeper::registry::oci::{OciRegistry, OciSettings};
use lockkeeper::registry::{Registry as _, RegistryError, TagError, Taken, Untagged};

use super::oci_layout::Layout;
use super::support::docker_registry::{DockerRegistry, HTPASSWD, Options, PASSWORD, USER};
use super::support::strict_registry::{StrictRegistry, Vendor};
use super::{anonymous, client, repository, skopeo, tag};

/// A docker `config.json` with this pair for this host.
fn auth(folder: &tempfile::TempDir, name: &str, host: SocketAddr, pair: &str) -> PathBuf {
    let path = folder.path().join(name);
    let pair = base64::engine::general_purpose::STANDARD.encode(pair);
    fs::write(&path, format!(r#"{{"auths":{{"{host}":{{"auth":"{pair}"}}}}}}"#)).unwrap();
    path
}

/// One that reads as `reader` and writes as `writer`, and may remove anchors there.
fn two_identities(folder: &tempfile::TempDir, host: SocketAddr) -> OciRegistry {
    let read = auth(folder, "read.json", host, "reader:s");
    let write = auth(folder, "write.json", host, "writer:s");
    let settings = OciSettings {
        timeout: Duration::from_secs(2),
        untag_hosts: vec![host.to_string()],
        ..OciSettings::default()
    };
    OciRegistry::new(settings, Credentials::from_file(read)).retagging(Credentials::from_file(write))
}

#[tokio::test]
async fn a_tag_is_written_by_one_identity_and_read_by_another() {
    let folder = tempfile::tempdir().unwrap();
    let server = StrictRegistry::start(Vendor::Open).await;
    let [one, two] = ["1", "2"].map(|name| server.push(name));
    let (web, registry) = (repository(server.address, "shop/web"), two_identities(&folder, server.address));
    assert!(registry.may_tag(&web).await.unwrap());
    assert_eq!(registry.tag(&web, one, &tag("prod"), Taken::Moved).await.unwrap(), None);
    let asked = server.asked();
    let of = |what: &str| -> Vec<&str> {
        asked.iter().map(String::as_str).filter(|line| line.starts_with(what)).collect()
    };
    assert_eq!(of("PUT"), ["PUT prod writer"]);
    assert!(of("GET").iter().all(|line| !line.contains("writer")), "{asked:?}");
    assert_eq!(of("GET prod"), ["GET prod reader"; 2], "before and after");
    // It names that already: nothing is written.
    assert_eq!(registry.tag(&web, one, &tag("prod"), Taken::Moved).await.unwrap(), Some(one));
    assert_eq!(server.asked(), ["GET prod reader"]);
    assert_eq!(registry.tag(&web, two, &tag("prod"), Taken::Moved).await.unwrap(), Some(one));
    assert_eq!(registry.resolve(&web, &tag("prod")).await.unwrap(), two);
    let error = registry.tag(&web, one, &tag("prod"), Taken::Left).await.unwrap_err();
    assert!(matches!(error, TagError::Taken { found, .. } if found == two), "{error}");
    let error = registry.tag(&web, Digest::of(b"gone"), &tag("new"), Taken::Moved).await.unwrap_err();
    assert!(matches!(error, TagError::Registry(RegistryError::NotFound { .. })), "{error}");
    assert!(!server.asked().iter().any(|line| line.starts_with("PUT new")));
}

#[tokio::test]
async fn nothing_is_written_without_an_identity_for_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let server = StrictRegistry::start(Vendor::Open).await;
    let one = server.push("1");
    let web = repository(server.address, "shop/web");
    let read = Credentials::from_file(auth(&folder, "read.json", server.address, "reader:s"));
    let other = auth(&folder, "other.json", "127.0.0.2:1".parse().unwrap(), "writer:s");
    for retag in [Credentials::anonymous(), Credentials::from_file(other)] {
        let registry = client(read_again(&folder)).retagging(retag);
        assert!(!registry.may_tag(&web).await.unwrap());
        let error = registry.tag(&web, one, &tag("prod"), Taken::Moved).await.unwrap_err();
        assert!(matches!(error, TagError::NoIdentity { .. }), "{error}");
    }
    let broken = client(read).retagging(Credentials::from_file(folder.path().join("none.json")));
    assert!(broken.may_tag(&web).await.is_err(), "a file that is gone is not read as nobody");
    assert!(server.asked().iter().all(|line| !line.starts_with("PUT") && !line.contains("writer")));
}

fn read_again(folder: &tempfile::TempDir) -> Credentials {
    Credentials::from_file(folder.path().join("read.json"))
}

#[tokio::test]
async fn refusals_of_vendors_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    let server = StrictRegistry::start(Vendor::Open).await;
    let [one, _] = ["1", "prod"].map(|name| server.push(name));
    let (web, registry) = (repository(server.address, "shop/web"), two_identities(&folder, server.address));
    for (vendor, want) in [
        (Vendor::Harbor, "Tag immutability"),
        (Vendor::Ecr, "IMMUTABLE_WITH_EXCLUSION"),
        (Vendor::Acr, "write-enabled"),
        (Vendor::AcrConflict, "write-enabled"),
        (Vendor::Denies, "right to push"),
        (Vendor::Liar, "it took"),
        (Vendor::Fails, "does not answer"),
    ] {
        server.turn(vendor);
        let error = registry.tag(&web, one, &tag("prod"), Taken::Moved).await.unwrap_err().to_string();
        assert!(error.contains(want), "{vendor:?}: {error}");
    }
    // A first push of the same tag is let through by those who only keep what is there.
    for vendor in [Vendor::Harbor, Vendor::Ecr] {
        server.turn(vendor);
        let new = tag(&format!("{vendor:?}"));
        assert_eq!(registry.tag(&web, one, &new, Taken::Left).await.unwrap(), None);
        assert_eq!(registry.tag(&web, one, &new, Taken::Left).await.unwrap(), Some(one));
    }
    server.turn(Vendor::Tired);
    let error = registry.tag(&web, one, &tag("prod"), Taken::Moved).await.unwrap_err();
    let TagError::Registry(RegistryError::Unavailable { retry_after, .. }) = error else { panic!("{error}") };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
    // Who writes rests; who reads does not.
    server.turn(Vendor::Open);
    server.asked();
    let error = registry.tag(&web, one, &tag("prod"), Taken::Moved).await.unwrap_err().to_string();
    assert!(error.contains("not to be asked") && server.asked().iter().all(|line| !line.contains("writer")));
}

/// The same, where anchors lock as well.
fn locking(folder: &tempfile::TempDir, host: SocketAddr, untags: bool) -> OciRegistry {
    let read = auth(folder, "read.json", host, "reader:s");
    let write = auth(folder, "write.json", host, "writer:s");
    let hosts = vec![host.to_string()];
    let untag_hosts = if untags { hosts.clone() } else { Vec::new() };
    let settings = OciSettings { lock_hosts: hosts, untag_hosts, ..OciSettings::default() };
    OciRegistry::new(settings, Credentials::from_file(read)).retagging(Credentials::from_file(write))
}

#[tokio::test]
async fn what_gets_an_anchor_is_locked_at_azure_and_unlocked_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = StrictRegistry::start(Vendor::Open).await;
    let [one, two] = ["1", "2"].map(|name| server.push(name));
    let (open, locked) = ((true, true), (false, true));
    let (web, registry) = (repository(server.address, "shop/web"), locking(&folder, server.address, true));
    // A channel locks nothing, nor does an anchor where nobody asked for locks.
    registry.tag(&web, one, &tag("prod"), Taken::Moved).await.unwrap();
    two_identities(&folder, server.address).tag(&web, two, &Tag::anchor(two), Taken::Left).await.unwrap();
    assert!(!server.asked().iter().any(|line| line.starts_with("PATCH")));
    assert_eq!((server.attributes(one), server.attributes(two)), (open, open));
    // One that has its anchor gets its lock all the same, and once.
    for digest in [one, two] {
        registry.tag(&web, digest, &Tag::anchor(digest), Taken::Left).await.unwrap();
        assert_eq!(server.attributes(digest), locked);
        registry.tag(&web, digest, &Tag::anchor(digest), Taken::Left).await.unwrap();
        let asked = server.asked();
        let patched: Vec<&String> = asked.iter().filter(|line| line.starts_with("PATCH")).collect();
        assert_eq!(patched, [&format!("PATCH {digest} writer")], "{asked:?}");
    }
    assert_eq!(registry.untag(&web, one).await.unwrap(), Untagged::Gone);
    assert_eq!((server.attributes(one), server.attributes(two)), (open, locked));
    assert_eq!(registry.resolve(&web, &tag("1")).await.unwrap(), one);
    // Where anchors stay, locks do not; and somebody else's lock does.
    let keeping = locking(&folder, server.address, false);
    assert!(
        matches!(keeping.untag(&web, two).await.unwrap(), Untagged::Kept(why) if why.contains("untag_hosts"))
    );
    assert_eq!(server.attributes(two), open);
    server.set_attributes(two, (false, false));
    assert!(
        matches!(keeping.untag(&web, two).await.unwrap(), Untagged::Kept(why) if why.contains("somebody else"))
    );
    assert_eq!(server.attributes(two), (false, false));
    assert_eq!(
        keeping.untag(&web, Digest::of(b"gone")).await.unwrap(),
        keeping.untag(&web, one).await.unwrap()
    );
}

#[tokio::test]
async fn a_lock_that_is_refused_is_said_and_one_that_failed_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = StrictRegistry::start(Vendor::Open).await;
    let one = server.push("1");
    let (web, registry) = (repository(server.address, "shop/web"), locking(&folder, server.address, true));
    let anchor = Tag::anchor(one);
    registry.tag(&web, one, &anchor, Taken::Left).await.unwrap();
    for (vendor, want, kept) in [
        (Vendor::Denies, "metadata/write", false),
        (Vendor::Liar, "did not make it", false),
        (Vendor::Fails, "does not answer", false),
    ] {
        server.set_attributes(one, (true, true));
        server.turn(vendor);
        let error = registry.tag(&web, one, &anchor, Taken::Left).await.unwrap_err().to_string();
        assert!(error.contains(want) && error.contains("the lock of"), "{vendor:?}: {error}");
        server.set_attributes(one, (false, true));
        match registry.untag(&web, one).await {
            Ok(Untagged::Kept(why)) => {
                assert!(kept && why.contains("cannot be unlocked"), "{vendor:?}: {why}");
            }
            Err(error) => assert!(!kept, "{vendor:?}: {error}"),
            Ok(Untagged::Gone) => panic!("{vendor:?}"),
        }
    }
    server.turn(Vendor::Open);
    registry.tag(&web, one, &anchor, Taken::Left).await.unwrap();
    assert_eq!(server.attributes(one), (false, true));
}

#[tokio::test]
async fn only_an_anchor_is_removed_and_only_where_it_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let server = StrictRegistry::start(Vendor::Open).await;
    let [one, two] = ["1", "2"].map(|name| server.push(name));
    let (web, registry) = (repository(server.address, "shop/web"), two_identities(&folder, server.address));
    assert_eq!(registry.untag(&web, one).await.unwrap(), Untagged::Gone, "it was not there");
    registry.tag(&web, one, &Tag::anchor(one), Taken::Left).await.unwrap();
    server.asked();
    for (vendor, want) in [(Vendor::Acr, "unsupported"), (Vendor::Denies, "denied")] {
        server.turn(vendor);
        let Untagged::Kept(why) = registry.untag(&web, one).await.unwrap() else { panic!("{vendor:?}") };
        assert!(why.contains(want), "{why}");
    }
    server.turn(Vendor::Open);
    assert_eq!(registry.untag(&web, one).await.unwrap(), Untagged::Gone);
    let anchor = Tag::anchor(one);
    let deleted: Vec<String> = server.asked().into_iter().filter(|line| line.starts_with("DELETE")).collect();
    assert!(deleted.iter().all(|line| *line == format!("DELETE {anchor} writer")), "{deleted:?}");
    assert_eq!(registry.resolve(&web, &tag("1")).await.unwrap(), one);
    // An anchor that names something else is somebody's; and not every host is one to remove at.
    registry.tag(&web, two, &anchor, Taken::Left).await.unwrap();
    assert!(matches!(registry.untag(&web, one).await.unwrap(), Untagged::Kept(why) if why.contains("names")));
    let write = Credentials::from_file(folder.path().join("write.json"));
    let cautious = client(read_again(&folder)).retagging(write);
    server.asked();
    assert!(matches!(cautious.untag(&web, two).await.unwrap(), Untagged::Kept(_)));
    assert_eq!(server.asked(), [""; 0]);
}

/// Debian's registry: an index and a single image, the same bytes under each tag, behind a password.
#[tokio::test]
async fn a_real_registry_has_the_same_bytes_under_both_tags() {
    let options = Options { htpasswd: Some(HTPASSWD.to_owned()), ..Options::default() };
    let Some(real) = DockerRegistry::start(&options) else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut layout = Layout::new(folder.path().join("layout"));
    let digests: BTreeMap<&str, Digest> =
        [("index", layout.index("index", &["amd64", "arm64"])), ("single", layout.single("single"))]
            .map(|(name, digest)| (name, digest.parse().unwrap()))
            .into();
    let path = auth(&folder, "auth.json", real.address(), &format!("{USER}:{PASSWORD}"));
    let registry = client(Credentials::from_file(&path)).retagging(Credentials::from_file(&path));
    let web = repository(real.address(), "shop/web");
    let (mut took, mut resolved) = (Vec::new(), Vec::new());
    for (name, digest) in &digests {
        let to = format!("docker://{web}:{name}");
        let login = format!("--dest-creds={USER}:{PASSWORD}");
        let words = ["copy", "--all", "--dest-tls-verify=false", &login, &layout.reference(name), &to];
        let Some(_) = skopeo(&words).await else { return };
        // The first of all signs in; the second of each is asked for by its `ETag`.
        for _ in 0..2 {
            let begun = Instant::now();
            assert_eq!(registry.resolve(&web, &tag(name)).await.unwrap(), *digest);
            resolved.push(begun.elapsed());
        }
        for new in [tag(&format!("prod-{name}")), Tag::anchor(*digest)] {
            let begun = Instant::now();
            assert_eq!(registry.tag(&web, *digest, &new, Taken::Left).await.unwrap(), None);
            took.push(begun.elapsed());
            let read = |tag: String| {
                let url = format!("http://{}/v2/shop/web/manifests/{tag}", real.address());
                let types =
                    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
                let asked = reqwest::Client::new().get(url).header("Accept", types);
                let asked = asked.basic_auth(USER, Some(PASSWORD)).send();
                async move {
                    let answer = asked.await.unwrap();
                    let media_type = answer.headers()["Content-Type"].to_str().unwrap().to_owned();
                    (media_type, answer.bytes().await.unwrap())
                }
            };
            let (old, found) = (read((*name).to_owned()).await, read(new.to_string()).await);
            assert_eq!(old, found);
            assert_eq!(Digest::of(&found.1), *digest);
            assert_eq!(registry.tag(&web, *digest, &new, Taken::Left).await.unwrap(), Some(*digest));
        }
    }
    println!("at docker-registry, resolving took {resolved:?}, a retag {took:?}");
    let (index, single) = (digests["index"], digests["single"]);
    // It cannot remove a tag, and says so; nothing is lost by the question.
    let settings = OciSettings { untag_hosts: vec![real.address().to_string()], ..OciSettings::default() };
    let removing = OciRegistry::new(settings, Credentials::from_file(&path));
    let removing = removing.retagging(Credentials::from_file(&path));
    let Untagged::Kept(why) = removing.untag(&web, index).await.unwrap() else { panic!("2.8 removes tags?") };
    assert!(why.contains("400"), "{why}");
    assert_eq!(registry.resolve(&web, &Tag::anchor(index)).await.unwrap(), index);
    assert_eq!(registry.tag(&web, single, &tag("prod-index"), Taken::Moved).await.unwrap(), Some(index));
    assert_eq!(registry.resolve(&web, &tag("prod-index")).await.unwrap(), single);
    let error = anonymous().retagging(Credentials::from_file(&path));
    let error = error.tag(&web, single, &tag("x"), Taken::Moved).await.unwrap_err();
    assert!(matches!(error, TagError::Registry(RegistryError::Denied { .. })), "reading is its own: {error}");
}
