//! The form of the file and its bounds.

use proptest::prelude::*;

use super::{check_error, parse, parsed, with_stage, with_stages};

#[test]
fn only_one_plain_document_is_read() {
    for (text, line, reason) in [
        ("", 1, "an empty file"),
        ("# nothing\n", 1, "an empty file"),
        ("version: 1\n---\nversion: 1\n", 2, "a second one"),
        ("version: &a 1\n", 1, "an anchor"),
        ("version: 1\nx: *a\n", 2, "anchor"),
        ("a: &a [x]\nb: *a\n", 1, "an anchor"),
        ("version: 1\n<<: { a: 1 }\n", 2, "a merge key"),
        ("version: 1\nversion: 1\n", 2, "key `version` is written twice"),
        ("version: !!int 1\n", 1, "a tag"),
        ("pipelines: !x []\n", 1, "a tag"),
        ("version: 1\na: [\n", 2, "this is no YAML"),
        ("a: b: c\n", 1, "this is no YAML"),
        ("{ [a]: b }\n", 1, "wanted a word as key"),
    ] {
        let errors = parse(text.as_bytes()).unwrap_err();
        assert_eq!(errors.len(), 1, "{text}: {errors:?}");
        assert!(errors[0].reason.contains(reason), "{text}: {errors:?}");
        assert_eq!((errors[0].line, errors[0].key.as_str()), (line, "(file)"), "{text}: {errors:?}");
    }
    let errors = parse(b"version: 1\n# \xff\n").unwrap_err();
    assert_eq!((errors[0].line, errors[0].reason.as_str()), (2, "wanted UTF-8, found other bytes"));
}

#[test]
fn the_outermost_keys_are_checked() {
    check_error(
        "[]",
        "(file)",
        "wanted a map with `version`, `keys`, `freezes`, `pipelines` or `lint`, found a list",
    );
    check_error("version: 1", "(file)", "wanted the key `pipelines`");
    check_error("pipelines: []", "(file)", "wanted the key `version`");
    check_error("version: 2\npipelines: []", "version", "found `2`");
    check_error("version: '1'\npipelines: []", "version", "found the text `1`");
    check_error("version: 1\npipelines: {}", "pipelines", "wanted a list, found a map");
    check_error("version: 1\npipelines: []\npipeline: []", "pipeline", "did you mean `pipelines`?");
    check_error("version: 1\npipelines: []\ndefaults: {}", "defaults", "not supported by this version");
    check_error("version: 1\npipelines: [x]", "pipelines[0]", "found the text `x`");
    check_error("version: 1\npipelines: []\n1: x", "(file)", "wanted words as keys, found a number");
    assert_eq!(parsed("version: 1\npipelines: []\n").pipelines, []);
}

#[test]
fn form_of_lines_does_not_matter() {
    let text = with_stage("");
    let expected = parsed(&text);
    assert_eq!(parsed(&format!("\u{feff}{text}")), expected);
    assert_eq!(parsed(&text.replace('\n', "\r\n")), expected);
    assert_eq!(parsed(text.trim_end()), expected);
    assert_eq!(parsed(&format!("---\n{text}...\n")), expected);
}

#[test]
fn lists_are_bounded() {
    let list =
        |count: usize, item: &dyn Fn(usize) -> String| (0..count).map(item).collect::<Vec<_>>().join(", ");
    let stages = |count| list(count, &|n| format!("{{ name: s{n}, pins: [f{n}] }}"));
    let with = |stages: String| with_stages("").replace("stages:\n", &format!("stages: [{stages}]\n"));
    parsed(&with(stages(64)));
    check_error(&with(stages(65)), "pipelines[0].stages", "at most 64 items, found 65");
    let pins = |count| format!("{{ name: s, pins: [{}] }}", list(count, &|n| format!("f{n}")));
    parsed(&with(pins(64)));
    check_error(&with(pins(65)), "pipelines[0].stages[0].pins", "at most 64 items");
    let image = |n| format!("{{ repository: r/i{n}, follow: {{ tag: m }} }}");
    parsed(&super::with_image(&list(64, &image)));
    check_error(&super::with_image(&list(65, &image)), "pipelines[0].images", "at most 64 items");
    let pipeline =
        |n| format!("{{ name: p{n}, images: [{}], stages: [{{ name: s, pins: [f{n}] }}] }}", image(n));
    let file = |count| format!("version: 1\npipelines: [{}]\n", list(count, &pipeline));
    assert_eq!(parsed(&file(1000)).pipelines.len(), 1000);
    check_error(&file(1001), "pipelines", "at most 1000 items");
    parsed(&with_stage("gates: { approvals: { min: 16 } }"));
    parsed(&with_stage(&format!("gates: {{ checks: [{}] }}", list(64, &|n| format!("c{n}")))));
    let checks = with_stage(&format!("gates: {{ checks: [{}] }}", list(65, &|n| format!("c{n}"))));
    check_error(&checks, "pipelines[0].stages[1].gates.checks", "at most 64 items");
    parsed(&with_stages(&format!("      - {{ name: dev, pins: [{}] }}\n", "f".repeat(512))));
    let long = with_stages(&format!("      - {{ name: dev, pins: [{}] }}\n", "f".repeat(513)));
    check_error(&long, "pipelines[0].stages[0].pins[0]", "found 513");
}

#[test]
fn expressions_are_bounded_and_each_is_compiled_once() {
    let image = |n: usize, pattern: usize| {
        format!("{{ repository: r/i{n}, follow: {{ numeric: true, allow: 'a{pattern}' }} }}")
    };
    let pipeline = |n: usize, pattern: &dyn Fn(usize) -> usize| {
        let images: Vec<String> = (0..50).map(|index| image(index, pattern(n * 50 + index))).collect();
        format!("{{ name: p{n}, images: [{}], stages: [{{ name: s, pins: [f{n}] }}] }}", images.join(", "))
    };
    let file = |count: usize, pattern: &dyn Fn(usize) -> usize| {
        let pipelines: Vec<String> = (0..count).map(|n| pipeline(n, pattern)).collect();
        format!("version: 1\npipelines: [{}]\n", pipelines.join(", "))
    };
    parsed(&file(20, &|index| index));
    parsed(&file(40, &|index| index % 1000));
    let many = file(21, &|index| index);
    check_error(&many, "pipelines[20].images[0].follow.allow", "at most 1000 different expressions");
}

#[test]
fn size_depth_and_number_of_errors_are_bounded() {
    let text = with_stage("");
    let filled = |bytes: usize| format!("{text}# {}\n", "x".repeat(bytes - text.len() - 3));
    parsed(&filled(1 << 20));
    check_error(&filled((1 << 20) + 1), "(file)", "wanted at most 1048576 bytes");
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    check_error(&deep(16), "(file)", "wanted a map");
    check_error(&deep(17), "(file)", "at most 16 levels");
    check_error(&"[".repeat(10_000), "(file)", "recursion limit");
    check_error(&format!("[{}]", "1,".repeat(200_001)), "(file)", "at most 200000 values");
    let unknown = (0..60).map(|n| format!("key{n}: 1")).collect::<Vec<_>>().join("\n");
    assert_eq!(parse(unknown.as_bytes()).unwrap_err().len(), 50);
    let long = parse(format!("version: 1\n{}: 1\n", "k".repeat(900)).as_bytes()).unwrap_err();
    assert!(long.iter().all(|error| error.to_string().len() < 400), "{long:?}");
}

#[test]
fn errors_do_not_repeat_hidden_characters() {
    let errors = parse(with_stage("merge: \"a\\u202eb\\u001b[31m\"").as_bytes()).unwrap_err();
    assert!(errors[0].reason.contains("\\u{202e}b\\u{1b}"), "{errors:?}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[a-z{}\\[\\]:,&*!|>'\"# \n-]{0,80}") {
        let _ = parse(&bytes);
        if let Err(errors) = parse(text.as_bytes()) {
            prop_assert!(!errors.is_empty() && errors.iter().all(|error| error.line > 0));
        }
    }

    #[test]
    fn a_damaged_example_is_read_or_refused(at in 0..4000_usize, with in "\\PC{0,3}") {
        let mut text = include_str!("../../../../config/example.pipelines.yaml").to_owned();
        let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        text.insert_str(at, &with);
        let _ = parse(text.as_bytes());
    }
}
