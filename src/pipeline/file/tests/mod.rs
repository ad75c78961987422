//! Tests of the file as a whole: each rule through one small file.

mod bounds;
mod channels;
mod rules;
mod times;

use super::*;

/// A pipeline `shop` with these lines of stages, each indented as an item of `stages`.
fn with_stages(stages: &str) -> String {
    format!(
        "version: 1\npipelines:\n  - name: shop\n    images:\n      - repository: r.example/shop\n        follow: {{ tag: main }}\n    \
         stages:\n{stages}"
    )
}

/// A pipeline with one stage that has these keys besides its name and pins, in flow style.
fn with_stage(keys: &str) -> String {
    with_stages(&format!(
        "      - {{ name: dev, pins: [dev.yaml] }}\n      - {{ name: prod, pins: [prod.yaml], {keys} }}\n"
    ))
}

/// A pipeline with this value for its one image.
fn with_image(image: &str) -> String {
    format!(
        "version: 1\npipelines:\n  - name: shop\n    images: [{image}]\n    stages: [{{ name: dev, pins: [dev.yaml] }}]\n"
    )
}

fn parsed(text: &str) -> Pipelines {
    parse(text.as_bytes()).unwrap_or_else(|errors| panic!("{text}\n{errors:#?}"))
}

/// The second stage, `prod`, of a pipeline as [`with_stage`] writes it.
fn prod(keys: &str) -> crate::pipeline::Stage {
    parsed(&with_stage(keys)).pipelines.remove(0).stages.remove(1)
}

/// Checks that there is an error at this key whose reason contains this text.
fn check_error(text: &str, key: &str, reason: &str) {
    let errors = parse(text.as_bytes()).expect_err(text);
    let is_found = errors.iter().any(|error| error.key == key && error.reason.contains(reason));
    let text: String = text.chars().take(2000).collect();
    assert!(is_found, "wanted {key}: {reason}\nin {errors:#?}\nof {text}");
}

#[test]
fn the_example_is_valid() {
    let pipelines = parsed(include_str!("../../../../config/example.pipelines.yaml")).pipelines;
    let names: Vec<_> = pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
    assert_eq!(names, ["checkout", "search"]);
    assert_eq!(pipelines[0].addressed("prod").len(), 2);
}

#[test]
fn every_error_of_a_file_is_named_with_line_and_key() {
    let errors = parse(include_bytes!("../../../../tests/fixtures/pipelines/many-errors.yaml")).unwrap_err();
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"));
}
