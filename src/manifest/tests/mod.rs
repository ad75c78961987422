mod suite;

use super::document::{NameSearch, documents, text_of};
use super::*;

#[test]
fn documents_are_those_the_parser_sees() {
    let check = |text: &str| {
        let events = granit_parser::Parser::new_from_str(text).map(Result::unwrap);
        let want =
            events.filter(|(event, _)| matches!(event, granit_parser::Event::DocumentStart(..))).count();
        let got = documents(text);
        assert_eq!(got.len(), want, "{text:?} → {got:?}");
        for document in &got {
            assert!(text[document.start..].starts_with(document.text), "{text:?}");
            let before = text[..document.start].replace("\r\n", "\n").replace('\r', "\n");
            assert_eq!(document.line, before.matches('\n').count() + 1, "{text:?} → {document:?}");
            assert!(Tree::parse(document).is_ok(), "{text:?} → {document:?}");
        }
    };
    for text in [
        "",
        "# a\n",
        "a",
        "---",
        "--- a",
        "---\n---\n",
        "a\n---\nb",
        "# a\n---\nb\n# c\n---\n# d",
        "a\n...\n# b\n...\n",
        "a\n... # x\nb: c\n",
        "%YAML 1.2\n---\na\n...\n%YAML 1.2\n---\nb",
        "\u{feff}---\na\n",
        "\u{feff}# c\na",
        "a\r---\rb\r",
        "a\r\n...\r\n---\r\nb",
        "---a: b\n",
        "a: |\n  ---\n---\tb",
        "\n\n---\n\n---\n",
        "--- # c\n...\n---\n...\n",
    ] {
        check(text);
    }
}

#[test]
fn paths_read_back_as_they_are_spelled() {
    let check = |spelled: &str, want: &[path::OwnedStep]| {
        assert_eq!(path::parse(spelled).as_deref(), Some(want), "{spelled}");
    };
    let key = |text: &str| path::OwnedStep::Key(text.to_owned());
    check(
        "spec.containers[0].image",
        &[key("spec"), key("containers"), path::OwnedStep::Index(0), key("image")],
    );
    check("[1].a-b/c", &[path::OwnedStep::Index(1), key("a-b/c")]);
    check(r#"a."b.c"."d\"\\e"[2]"#, &[key("a"), key("b.c"), key(r#"d"\e"#), path::OwnedStep::Index(2)]);
    check(r#""""#, &[key("")]);
    for bad in ["", "a..b", ".a", "a.", "a[", "a[x]", "a[0]b", "\"a", "a b", "a]"] {
        assert_eq!(path::parse(bad), None, "{bad}");
    }
    let root = path::Path::Root;
    let (one, two) = (root.key("a"), "b.\"c");
    let (two, three) = (one.key(two), 3);
    assert_eq!(two.index(three).to_string(), r#"a."b.\"c"[3]"#);
    assert_eq!(two.index(three).depth(), 3);
}

#[test]
fn files_up_to_16_mib_are_read() {
    let mut bytes = vec![b'#'; 16 << 20];
    assert!(text_of(&bytes).is_ok());
    bytes.push(b'#');
    assert!(text_of(&bytes).unwrap_err().reason.contains("16777217 bytes"));
}

#[test]
fn collections_nest_up_to_128_deep() {
    let check = |depth: usize, is_read: bool| {
        for text in [
            format!("image: {}{}", "[".repeat(depth - 1), "]".repeat(depth - 1)),
            format!("{}image", "- ".repeat(depth)),
            format!("{}image: {{a: {}x{}}}", "- ".repeat(depth - 10), "[".repeat(8), "]".repeat(8)),
        ] {
            assert_eq!(find(text.as_bytes(), &[]).is_ok(), is_read, "{depth} {text}");
        }
    };
    check(128, true);
    check(129, false);
}

#[test]
fn aliases_nest_up_to_128_deep() {
    let chain = |links: usize| {
        let links = (1..=links).map(|link| format!("a{link}: &a{link} [*a{}]", link - 1)).collect::<Vec<_>>();
        format!("a0: &a0 image\n{}", links.join("\n"))
    };
    assert!(find(chain(127).as_bytes(), &[]).is_ok());
    assert!(find(chain(128).as_bytes(), &[]).unwrap_err().reason.contains("deeper than 128"));
}

#[test]
fn a_document_has_up_to_a_million_nodes() {
    let list = |items: usize| format!("image: [{}]", "1,".repeat(items));
    // The mapping, its key and the list are nodes, too.
    assert!(find(list(999_997).as_bytes(), &[]).is_ok());
    assert!(find(list(999_998).as_bytes(), &[]).unwrap_err().reason.contains("1000000 nodes"));
}

#[test]
fn a_document_that_may_name_a_repository_is_never_passed_over() {
    let check = |name: &str, text: &str, is_named: bool| {
        let repository = name.parse().unwrap();
        assert_eq!(NameSearch::of(&repository).may_be_in(text), is_named, "{name} in {text:?}");
    };
    for named in [
        "image: r.example/team/app:1",
        "image: 'r.example/team/app'",
        "registry: r.example\nrepository: team/app\n",
        "{registry: r.example/team/, repository: app}",
        "images: [old=r.example/team/app@sha256:1]",
        r#"values: "image:\tr.example\nteam app""#,
        r#"image: "r.example/team/\x61pp""#,
        r#"image: "r.example\/team\/app""#,
        "image: \"r.example/team/\\\n  app\"",
        r#"values: "image: \"r.example/te\\\n am/app\"""#,
        "r.example/team/app",
    ] {
        check("r.example/team/app", named, true);
    }
    for other in [
        "image: r.example/team/app-sidecar",
        "image: r.example/team/my.app",
        "image: r.example/my_team/app",
        "image: other.example/team/app",
        "image: r.example/app",
        "",
    ] {
        check("r.example/team/app", other, false);
    }
    for spelling in ["nginx", "library/nginx", "docker.io/library/nginx", "index.docker.io/library/nginx"] {
        check(spelling, "image: nginx", true);
        check(spelling, "image: my-nginx", false);
    }
    check("[::1]:5000/app", "image: \"[::1]:5000/app:1\"", true);
}

#[test]
fn a_key_given_twice_is_found_among_few_and_many() {
    let check = |before: usize, between: usize| {
        let keys = |from: usize, count: usize| {
            (from..from + count).map(|key| format!("k{key}: image\n")).collect::<Vec<_>>().concat()
        };
        let twice = format!("{}twice: image\n{}", keys(0, before), keys(before, between));
        assert!(find(twice.as_bytes(), &[]).is_ok(), "{before} {between}");
        let error = find(format!("{twice}twice: 2\n").as_bytes(), &[]).unwrap_err();
        assert_eq!(error.line, before + between + 2, "{before} {between}");
    };
    for (before, between) in
        [(0, 0), (0, 10), (0, 11), (10, 0), (11, 0), (12, 0), (13, 20), (0, 40), (11, 11)]
    {
        check(before, between);
    }
    // An empty key is a key.
    assert!(find(b"'': image\na: 1\n", &[]).is_ok());
    assert!(find(b"'': image\n'': 1\n", &[]).is_err());
}

#[test]
fn pins_of_a_repository_are_exactly_its_own() {
    let found =
        find(b"a: {image: nginx:1}\nb: {image: docker.io/library/nginx:1}\nc: {image: my/nginx:1}\n", &[])
            .unwrap();
    let of =
        |name: &str| pins_of(&found, &name.parse().unwrap()).map(|pin| pin.path.clone()).collect::<Vec<_>>();
    assert_eq!(of("nginx"), ["a.image", "b.image"]);
    assert_eq!(of("my/nginx"), ["c.image"]);
    assert!(of("your/nginx").is_empty());
}

#[test]
fn one_document_is_changed_and_the_same_place_of_another_is_not() {
    let file = "image: {repository: r/app, tag: '1', digest: ''}\n---\nimage: {repository: r/app, tag: '2', digest: ''}\n";
    let to = Pinned { tag: Some("2".parse().unwrap()), digest: Digest::of(b"2") };
    let repository: Repository = "r/app".parse().unwrap();
    let after = repin_at(file.as_bytes(), &repository, &to, (1, "image")).unwrap();
    let after = String::from_utf8(after).unwrap();
    assert!(after.starts_with("image: {repository: r/app, tag: '1', digest: ''}\n---\n"), "{after}");
    assert!(after.ends_with(&format!("tag: '2', digest: '{}'}}\n", to.digest)), "{after}");
    assert!(repin_at(file.as_bytes(), &repository, &to, (2, "image")).is_err());
    assert!(repin_at(file.as_bytes(), &repository, &to, (0, "other")).is_err());
}
