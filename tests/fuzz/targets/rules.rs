//! `lockkeeper.yaml`.

use jiff::Timestamp;
use lockkeeper::image::Tag;
use lockkeeper::pipeline::{
    FileError, Follow, Order, Pipelines, loosened, loosened_freezes, loosened_images, opens_at, parse,
    parse_calendar,
};

/// Tags of all kinds that teams give.
const TAGS: &str = "1 1.2 1.2.3 v1.2.3 1.2.3-rc.1 1.10.0 2026.01.05 2026.1.5 20260102-143022 build-99 build-4567 \
    v1.2.0-build4567-abc123f release-2026-05-12 latest main 9f2c41a 1234567 git-9f2c41a 0010 10";

/// A broken file is told with line and key; a valid one reads the same however it is laid out.
pub fn rules(data: &[u8]) {
    let found = parse(data);
    if let Err(errors) = parse_calendar(data) {
        check_errors(data, &errors);
    }
    assert_eq!(found, parse(data), "the same again");
    match found {
        Err(errors) => check_errors(data, &errors),
        Ok(pipelines) => check_valid(data, &pipelines),
    }
}

fn check_errors(data: &[u8], errors: &[FileError]) {
    let breaks = data.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
    let unicode_breaks = String::from_utf8_lossy(data).matches(['\u{85}', '\u{2028}', '\u{2029}']).count();
    assert!((1..=50).contains(&errors.len()));
    assert!(errors.is_sorted_by_key(|error| error.line));
    for error in errors {
        assert!((1..=breaks + unicode_breaks + 1).contains(&error.line), "{error}");
        assert!(!error.key.is_empty() && !error.reason.is_empty(), "{error}");
        let text = error.to_string();
        assert!(text.len() < 4_000 && !text.contains(char::is_control), "{text:?}");
    }
}

fn check_valid(data: &[u8], pipelines: &Pipelines) {
    let text = std::str::from_utf8(data).unwrap();
    assert_eq!(parse(format!("{text}\n# end\n").as_bytes()).as_ref(), Ok(pipelines), "with a comment");
    let value: serde_yaml::Value = serde_yaml::from_str(text.trim_start_matches('\u{feff}')).unwrap();
    let written = serde_yaml::to_string(&value).unwrap();
    assert_eq!(parse(written.as_bytes()).as_ref(), Ok(pipelines), "written anew:\n{written}");
    for pipeline in &pipelines.pipelines {
        assert!(!pipeline.images.is_empty() && !pipeline.stages.is_empty(), "{pipeline:?}");
        for (index, stage) in pipeline.stages.iter().enumerate() {
            let is_above = |name| pipeline.stages[..index].iter().any(|stage| &stage.name == name);
            assert!(stage.after.iter().all(is_above), "{} stands before what it comes after", stage.name);
            assert!(!stage.pins.is_empty(), "{stage:?}");
            assert_eq!(loosened(stage, stage), Vec::<String>::new());
            assert_eq!(
                loosened_freezes(pipeline, pipeline, stage, Timestamp::UNIX_EPOCH),
                Vec::<String>::new()
            );
            assert!(
                stage.gates.windows.is_empty()
                    || opens_at(&stage.gates.windows, Timestamp::UNIX_EPOCH).is_some()
            );
        }
        assert_eq!(loosened_images(pipeline, pipeline), Vec::<String>::new());
        pipeline.images.iter().for_each(|image| check_follow(&image.follow));
    }
}

/// Whatever a rule picks, it picks from the list read backwards, too; and each two tags compare the same from both sides.
fn check_follow(follow: &Follow) {
    let tags: Vec<Tag> = TAGS.split_whitespace().map(|tag| tag.parse().unwrap()).collect();
    let backwards: Vec<Tag> = tags.iter().rev().cloned().collect();
    assert_eq!(follow.pick(&tags), follow.pick(&backwards), "{follow:?}");
    for one in &tags {
        for other in &tags {
            let is = |left, right, order| follow.compare(Some(left), Some(right)) == order;
            assert_eq!(
                is(one, other, Order::Older),
                is(other, one, Order::Newer),
                "{follow:?}: {one} {other}"
            );
        }
    }
}
