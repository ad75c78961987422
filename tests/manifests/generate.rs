//! Files made up: pins in every style at any depth, between what must never move.

use proptest::prelude::*;

/// A line or block between pins; none of them changes. `<N>` makes its keys unique.
const NOISE: [&str; 34] = [
    "",
    "# image: r.example/app:1.4.1",
    "   # an odd comment\t",
    "replicas<N>: 3         # keep >= 2",
    "mode<N>: 0644",
    "yes<N>: no",
    "nothing<N>: ~",
    "empty<N>:",
    "float<N>: 1.10",
    "long<N>: 18446744073709551615",
    "text<N>: \"a # b: \\u00e9 \\\" r.example/app:1.4.1\"",
    "single<N>: 'it''s # r.example/app'",
    "名前<N>: 支払い 😀",
    "list<N>: [ ]",
    "flow<N>: { a: 1,b: [x,  y] , \"c\": r.example/app-sidecar:1 }",
    "block<N>: |-\n  image: r.example/app:1.4.1\n  { \n",
    "folded<N>: >+\n  two\n  lines\n\n",
    "plain<N>: of two\n  lines",
    "indented<N>:\n    -   a: b\n        c: d\n    - e",
    "anchor<N>: &noise<N> {k: v}\nalias<N>: *noise<N>",
    "merged<N>:\n  <<: [*common, {a: b}]",
    "tagged<N>: !!str 12",
    "own<N>: !own {a: !thing b}",
    "blanks<N>:   value   ",
    "? question<N>\n: answer",
    "\"quoted key: <N>\": 'r.example/app'",
    "sidecar<N>: {image: 'r.example/app-sidecar:<t>@<d>'}",
    "mirror<N>:\n  image: mirror.example/r.example/app:<t>@<d>",
    "split<N>:\n  image: {repository: r.example/other, tag: <t>, digest: <d>}",
    "images<N>:\n  images:\n  - {name: r.example/app, newName: other/app, newTag: <t>, digest: <d>}",
    "env<N>:\n  env:\n  - {name: IMAGE, value: 'r.example/app:<t>@<d>'}",
    "args<N>:\n  args: ['--image', r.example/app:<t>@<d>]",
    "notes<N>:\n  annotations: {image: r.example/app:<t>@<d>}\n  podLabels: {image: r.example/app}",
    "map<N>:\n  apiVersion: v1\n  kind: ConfigMap\n  data: {image: r.example/app:<t>@<d>}",
];

/// A pin of the repository: `<T>` its tag, `<P>` its tag where a number gets quotes, `<D>` its digest.
const PINS: [&str; 32] = [
    "app<N>:\n  image: r.example/app:<T>@<D>",
    "app<N>:\n  image: \"r.example/app:<T>@<D>\" # <- here",
    "app<N>: {name: 'x', image: 'r.example/app:<T>@<D>'}",
    "app<N>:\n  containers:\n  - name: app\n    image: r.example/app:<T>@<D>\t# tab",
    "app<N>:\n  containers:\n    -   image:\n          r.example/app:<T>@<D>\n        name: é",
    "app<N>:\n  image: >-\n    r.example/app:<T>@<D>\n",
    "app<N>:\n  image: |-\n     r.example/app:<T>@<D>",
    "app<N>:\n  image:\n    repository: r.example/app\n    tag: \"<T>\"\n    digest: <D>",
    "app<N>:\n  image: {registry: r.example, repository: app, digest: '<D>', tag: <P>}",
    "app<N>:\n  image:\n    repository: r.example/app\n    tag: <T>@<D>",
    "app<N>:\n  image:\n    repository: r.example/app:<T>@<D>\n    pullPolicy: Always",
    "app<N>:\n  image:\n    digest: # which\n      <D>\n    tag: >-\n      <T>\n    repository: 'r.example/app'",
    "app<N>:\n  image:\n    name: r.example/app\n    tag: !!str <T>\n    digest: \"<D>\"",
    "app<N>:\n  images:\n  - name: r.example/app\n    newTag: <P>\n    # between\n    digest: <D>",
    "app<N>:\n  images:\n    - digest: <D>\n      newName: r.example/app\n      newTag: '<T>'\n      name: app",
    "app<N>:\n  images: [{\"name\":\"r.example/app\",\"newTag\":\"<T>\",\"digest\":\"<D>\"}]",
    "app<N>: &anchor<N>\n  image: r.example/app:<T>@<D>\nagain<N>:\n  <<: *anchor<N>",
    "app<N>:\n  image: &image<N> r.example/app:<T>@<D>\nagain<N>: {image: *image<N> }",
    "app<N>:\n  <<: *common\n  image: r.example/app:<T>@<D>",
    "app<N>:\n  image: !!str r.example/app:<T>@<D>",
    "app<N>:\n  image: ! r.example/app:<T>@<D>",
    "? app<N>\n: image: r.example/app:<T>@<D>",
    "app<N>: {\"image\":\"r.example/app:<T>@<D>\"}",
    "app<N>: { # open\n  \"image\": # between\n    'r.example/app:<T>@<D>', # close\n  }",
    "app<N>: {ключ: 支払い 😀, image: 'r.example/app:<T>@<D>'}",
    "app<N>:\n  image:\tr.example/app:<T>@<D>\t \t# tabs",
    "app<N>:\n  sidecarImage: r.example/app:<T>@<D>",
    "app<N>:\n  imageName: r.example/app:<T>@<D>",
    "app<N>:\n  volumes: [{name: v, image: {reference: r.example/app:<T>@<D>}}]",
    "app<N>:\n  text: 'r.example/app:<T>@<D>' # lockkeeper: pin",
    "app<N>:\n  name: r.example/app # {\"$imagepolicy\": \"f:p<N>:name\"}\n  v: <P> # {\"$imagepolicy\": \"f:p<N>:tag\"}\n  d: <D> # {\"$imagepolicy\": \"f:p<N>:digest\"}",
    "\"app <N>\":\n  'image': r.example/app:<T>@<D>",
];

/// What a document begins with.
const HEADS: [&str; 6] =
    ["---\n", "--- # first\n", "---\n# c\n\n", "--- !!map\n", "...\n---\n", "...\n%YAML 1.2\n---\n"];

/// A part of a document.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    Noise(usize),
    Pin(usize),
    /// A mapping below a key, this much deeper.
    Map(usize, Vec<Part>),
    /// A list of mappings, this many blanks behind each dash.
    List(usize, Vec<Vec<Part>>),
}

/// Several documents and how they are written.
#[derive(Debug, Clone)]
pub(crate) struct File {
    documents: Vec<(usize, Vec<Part>)>,
    line_break: &'static str,
    bom: &'static str,
    is_ended: bool,
}

/// A file with places for tags and digests.
pub(crate) struct Template {
    text: String,
    /// How many pins were put into it; those behind an alias count once.
    pub(crate) pins: usize,
}

fn part() -> impl Strategy<Value = Part> {
    let leaf = prop_oneof![(0..NOISE.len()).prop_map(Part::Noise), (0..PINS.len()).prop_map(Part::Pin)];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let parts = prop::collection::vec(inner, 1..4);
        prop_oneof![
            (1..7usize, parts.clone()).prop_map(|(deeper, parts)| Part::Map(deeper, parts)),
            (1..4usize, prop::collection::vec(parts, 1..3))
                .prop_map(|(blanks, items)| Part::List(blanks, items)),
        ]
    })
}

pub(crate) fn file() -> impl Strategy<Value = File> {
    let document = (0..HEADS.len(), prop::collection::vec(part(), 0..6));
    (
        prop::collection::vec(document, 1..4),
        prop::sample::select(vec!["\n", "\n", "\r\n", "\r"]),
        prop::sample::select(vec!["", "\u{feff}"]),
        any::<bool>(),
    )
        .prop_map(|(documents, line_break, bom, is_ended)| File { documents, line_break, bom, is_ended })
}

/// Tags, also such that a reader takes for a number, a date or a word.
pub(crate) fn tags() -> impl Strategy<Value = String> {
    "(v[0-9]{1,3}|[1-9]\\.[0-9]\\.[0-9]{1,2}(-rc\\.[0-9])?|[g-m][a-z0-9_.-]{0,20}|[0-9]{1,9}|[0-9]{1,2}\\.[0-9]{1,2}|[0-9]{4}e[0-9]|0x[0-9a-f]{2}|2026-11-2[0-9]|on|No|null|_a)"
}

impl File {
    pub(crate) fn template(&self) -> Template {
        let mut template = Template { text: String::new(), pins: 0 };
        let mut number = 0;
        for (index, (head, parts)) in self.documents.iter().enumerate() {
            // The marks that end a document stand behind one.
            let head = HEADS[*head];
            template.text.push_str(if index == 0 { head.trim_start_matches("...\n") } else { head });
            template.text.push_str("common: &common {c: d}\n");
            for part in parts {
                template.push(part, 0, &mut number);
            }
        }
        if !self.is_ended {
            template.text.truncate(template.text.trim_end_matches('\n').len());
        }
        template.text = format!("{}{}", self.bom, template.text.replace('\n', self.line_break));
        template
    }
}

impl Template {
    fn push(&mut self, part: &Part, indent: usize, number: &mut usize) {
        *number += 1;
        let blanks = " ".repeat(indent);
        match part {
            Part::Noise(which) => self.push_lines(NOISE[*which], &blanks, *number),
            Part::Pin(which) => {
                self.pins += 1;
                self.push_lines(PINS[*which], &blanks, *number);
            }
            Part::Map(deeper, parts) => {
                self.push_lines("map<N>: # deeper\n", &blanks, *number);
                self.push_lines(&format!("{}k: v", " ".repeat(*deeper)), &blanks, *number);
                for part in parts {
                    self.push(part, indent + deeper, number);
                }
            }
            Part::List(behind, items) => {
                self.push_lines("list<N>:", &blanks, *number);
                for item in items {
                    self.push_lines(&format!("-{}k: v", " ".repeat(*behind)), &blanks, *number);
                    for part in item {
                        self.push(part, indent + 1 + behind, number);
                    }
                }
            }
        }
    }

    fn push_lines(&mut self, lines: &str, blanks: &str, number: usize) {
        for line in lines.replace("<N>", &number.to_string()).split('\n') {
            if !line.is_empty() {
                self.text.push_str(blanks);
                self.text.push_str(line);
            }
            self.text.push('\n');
        }
    }

    /// The file where every pin has this tag and digest, and `plain` where the tag stands alone without quotes.
    pub(crate) fn fill(&self, tag: &str, plain: &str, digest: &str) -> Vec<u8> {
        let text = self.text.replace("<T>", tag).replace("<P>", plain).replace("<D>", digest);
        // What must not move says what the pins say at first.
        text.replace("<t>", "1.4.1").replace("<d>", &super::digest('1')).into_bytes()
    }
}
