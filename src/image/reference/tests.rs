use super::*;

#[test]
fn references_parse_and_print_the_same() {
    let digest = format!("sha256:{}", "a".repeat(64));
    for text in [
        "nginx",
        "nginx:1.27",
        "acme/web:1.4.2",
        "localhost/web",
        "127.0.0.1:5000/shop/web:1.4.2",
        "registry.example.com/a/b/c__d/e-f.g:v1_2",
        "[::1]:5000/web",
    ] {
        for text in [text.to_owned(), format!("{text}@{digest}")] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
    }
}

#[test]
fn the_stem_is_what_all_spellings_end_with() {
    for (text, stem) in [
        ("nginx", "nginx"),
        ("library/nginx", "nginx"),
        ("docker.io/library/nginx", "nginx"),
        ("index.docker.io/library/nginx", "nginx"),
        ("acme/web", "acme/web"),
        ("docker.io/acme/web", "acme/web"),
        ("r.example/library/nginx", "r.example/library/nginx"),
        ("localhost:5000/web", "localhost:5000/web"),
    ] {
        assert_eq!(text.parse::<Repository>().unwrap().stem(), stem);
    }
}

#[test]
fn what_breaks_the_grammar_is_refused() {
    for bad in [
        "",
        ":1",
        "@sha256:00",
        "Nginx",
        "a//b",
        "/a",
        "a/",
        "a:",
        "a:.b",
        "a: b",
        "-a",
        "a-",
        "a.._b",
        "a___b",
        "{{ x }}",
        "host.example:port/a",
        "host.example:99999/a",
        "a@sha256:xyz",
        "../web",
        "./web",
        ".example.com/web",
        "a b",
        "é",
    ] {
        assert!(bad.parse::<Reference>().is_err(), "{bad}");
    }
    let longest = "a".repeat(128);
    assert!(format!("web:{longest}").parse::<Reference>().is_ok());
    assert!(format!("web:{longest}a").parse::<Reference>().is_err());
}

#[test]
fn a_port_is_no_tag() {
    let reference: Reference = "localhost:5000/web".parse().unwrap();
    assert_eq!(reference.repository.host(), Some("localhost:5000"));
    assert_eq!(reference.tag, None);
}

#[test]
fn two_spellings_of_one_repository_are_the_same() {
    let check = |left: &str, right: &str, same: bool| {
        let (left, right): (Repository, Repository) = (left.parse().unwrap(), right.parse().unwrap());
        assert_eq!(left.is_same(&right), same, "{left} {right}");
    };
    check("nginx", "docker.io/library/nginx", true);
    check("acme/web", "docker.io/acme/web", true);
    check("acme/web", "index.docker.io/acme/web", true);
    check("acme/web", "mirror.example.com/acme/web", false);
    check("web", "acme/web", false);
}

#[test]
fn an_anchor_is_told_from_other_tags() {
    let digest = Digest::of(b"");
    let anchor = Tag::anchor(digest);
    assert_eq!(anchor.as_str(), "lockkeeper-e3b0c44298fc1c14");
    assert!(anchor.is_anchor());
    for other in [
        "lockkeeper",
        "lockkeeper-",
        "lockkeeper-e3b0c44298fc1c1",
        "lockkeeper-e3b0c44298fc1c145",
        "lockkeeper-E3b0c44298fc1c14",
        "e3b0c44298fc1c14",
        "1.4.2",
    ] {
        assert!(!other.parse::<Tag>().unwrap().is_anchor(), "{other}");
    }
}

#[test]
fn what_belongs_to_a_digest_is_told_from_tags_of_images() {
    let check = |tag: String, want: bool| {
        assert_eq!(tag.parse::<Tag>().unwrap().is_of_digest(), want, "{tag}");
    };
    let hex = "0a".repeat(32);
    for behind in ["", ".sig", ".att", ".sbom", ".other", "."] {
        check(format!("sha256-{hex}{behind}"), true);
        check(format!("sha512-{hex}{behind}"), true);
    }
    check(format!("sha256-{}", hex.to_uppercase()), true);
    check(Tag::anchor(Digest::of(b"")).to_string(), true);
    for other in [
        format!("sha256-{hex}0"),
        format!("sha256-{}", &hex[1..]),
        format!("sha1-{hex}"),
        format!("{hex}.sig"),
    ] {
        check(other, false);
    }
    for other in ["sha256-", "sha256-abc", "1.4.2"] {
        check(other.to_owned(), false);
    }
}
