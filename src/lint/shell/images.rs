//! Which images a command pulls, and which names it gives to images of its own.

use super::Word;

/// What one command does with images.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::lint) struct Pulls {
    /// References that are pulled, run or copied from.
    pub(in crate::lint) references: Vec<Word>,
    /// Fields set to a tag: `image.tag=latest`.
    pub(in crate::lint) set: Vec<Word>,
    /// Names that the command gives to what it builds.
    pub(in crate::lint) built: Vec<String>,
}

/// Words before a command that say nothing of it.
const KEYWORDS: [&str; 10] = ["if", "then", "elif", "else", "while", "until", "do", "!", "{", "time"];
/// Commands that run what follows them, each with its options that take a value.
const WRAPPERS: [(&str, &[&str]); 10] = [
    ("sudo", &["-u", "-g", "-h", "-p", "-C"]),
    ("env", &["-u", "-C"]),
    ("exec", &["-a"]),
    ("command", &[]),
    ("builtin", &[]),
    ("nohup", &[]),
    ("nice", &["-n"]),
    ("timeout", &["-s", "-k"]),
    ("stdbuf", &["-i", "-o", "-e"]),
    ("retry", &["-t", "-d", "-n"]),
];
/// Options of docker, podman and nerdctl before the subcommand that take a value.
const DOCKER_VALUES: [&str; 16] = [
    "-H",
    "--host",
    "--context",
    "-c",
    "--config",
    "--log-level",
    "-l",
    "--namespace",
    "-n",
    "--address",
    "-a",
    "--url",
    "--root",
    "--runroot",
    "--storage-driver",
    "--tlscacert",
];
/// Options of `run` and `create` that take none, written out.
const RUN_FLAGS: [&str; 20] = [
    "--detach",
    "--interactive",
    "--tty",
    "--rm",
    "--init",
    "--privileged",
    "--publish-all",
    "--read-only",
    "--sig-proxy",
    "--no-healthcheck",
    "--oom-kill-disable",
    "--disable-content-trust",
    "--quiet",
    "--replace",
    "--tls-verify",
    "--rmi",
    "--all",
    "--no-hosts",
    "--read-only-tmpfs",
    "--help",
];
/// Short options of `run` and `create` that take none.
const RUN_SHORT_FLAGS: &str = "ditPq";
/// Options of `pull` that take a value.
const PULL_VALUES: [&str; 14] = [
    "--platform",
    "--arch",
    "--os",
    "--variant",
    "--creds",
    "--authfile",
    "--cert-dir",
    "--retry",
    "--retry-delay",
    "--policy",
    "--decryption-key",
    "--signature-policy",
    "--cosign-key",
    "--verify",
];
/// Options of `kubectl set image` that take a value.
const KUBECTL_VALUES: [&str; 24] = [
    "-l",
    "--selector",
    "-f",
    "--filename",
    "-k",
    "--kustomize",
    "-o",
    "--output",
    "-n",
    "--namespace",
    "-s",
    "--server",
    "-v",
    "--field-manager",
    "--field-selector",
    "--template",
    "--context",
    "--cluster",
    "--user",
    "--kubeconfig",
    "--as",
    "--as-group",
    "--token",
    "--request-timeout",
];
/// Options of crane that take none.
const CRANE_FLAGS: [&str; 8] = [
    "--insecure",
    "-v",
    "--verbose",
    "--allow-nondistributable-artifacts",
    "--no-clobber",
    "-n",
    "-a",
    "--all-tags",
];
/// How skopeo names what an image comes from.
const TRANSPORTS: [&str; 8] = [
    "docker://",
    "docker-archive:",
    "docker-daemon:",
    "oci:",
    "oci-archive:",
    "dir:",
    "containers-storage:",
    "ostree:",
];

/// What a command pulls, builds and sets.
pub(in crate::lint) fn pulls(words: &[Word]) -> Pulls {
    let words = without_wrappers(words);
    let Some((program, rest)) = words.split_first() else { return Pulls::default() };
    match program.text.rsplit('/').next().unwrap_or_default() {
        "docker" | "podman" | "nerdctl" => docker(rest),
        "buildah" => buildah(rest),
        "crictl" => of_subcommand(rest, &[], |name, rest| match name {
            "pull" => pulled(rest),
            _ => Pulls::default(),
        }),
        "skopeo" => skopeo(rest),
        "crane" | "gcrane" => crane(rest),
        "kubectl" | "oc" => kubectl(rest),
        "helm" => helm(rest),
        "kustomize" => kustomize(rest),
        _ => Pulls::default(),
    }
}

fn references(words: Vec<Word>) -> Pulls {
    Pulls { references: words, ..Pulls::default() }
}

fn built(names: Vec<String>) -> Pulls {
    Pulls { built: names, ..Pulls::default() }
}

/// The command without assignments, keywords and wrappers before it.
fn without_wrappers(mut words: &[Word]) -> &[Word] {
    while let Some((first, rest)) = words.split_first() {
        let name = first.text.as_str();
        if KEYWORDS.contains(&name) || is_assignment(name) {
            words = rest;
        } else if let Some((_, values)) = WRAPPERS.iter().find(|(wrapper, _)| *wrapper == name) {
            let (_, behind) = options(rest, |option| values.contains(&option));
            // `timeout 5m docker …`
            words = if name == "timeout" { behind.get(1..).unwrap_or_default() } else { behind };
        } else {
            break;
        }
    }
    words
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        let name = name.strip_suffix('+').unwrap_or(name);
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// The options at the beginning, each with its value where it takes one, and what follows them.
fn options(words: &[Word], takes_value: impl Fn(&str) -> bool) -> (Vec<(&str, Option<&Word>)>, &[Word]) {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(word) = words.get(at).filter(|word| word.text.starts_with('-') && word.text.len() > 1) {
        at += 1;
        if word.text == "--" {
            break;
        }
        let has_value = !word.text.contains('=') && takes_value(&word.text);
        found.push((word.text.as_str(), words.get(at).filter(|_| has_value)));
        at += usize::from(has_value);
    }
    (found, words.get(at..).unwrap_or_default())
}

/// The words that are no options, wherever they stand.
fn positionals(mut words: &[Word], takes_value: impl Fn(&str) -> bool) -> Vec<Word> {
    let mut found = Vec::new();
    loop {
        words = options(words, &takes_value).1;
        let Some((word, rest)) = words.split_first() else { return found };
        found.push(word.clone());
        words = rest;
    }
}

fn of_subcommand<'w>(words: &'w [Word], values: &[&str], of: impl Fn(&str, &'w [Word]) -> Pulls) -> Pulls {
    let (_, words) = options(words, |option| values.contains(&option));
    words.split_first().map_or_else(Pulls::default, |(name, rest)| of(&name.text, rest))
}

fn docker(words: &[Word]) -> Pulls {
    of_subcommand(words, &DOCKER_VALUES, |name, rest| match name {
        "container" | "image" | "buildx" | "builder" => of_subcommand(rest, &[], docker_command),
        _ => docker_command(name, rest),
    })
}

fn docker_command(name: &str, rest: &[Word]) -> Pulls {
    match name {
        "run" | "create" => {
            let (_, behind) = options(rest, run_takes_value);
            references(behind.first().cloned().into_iter().collect())
        }
        "pull" => pulled(rest),
        "build" | "bud" => built_as(rest),
        "tag" => built_second(rest, &[]),
        "commit" => built_second(rest, &["-a", "--author", "-c", "--change", "-m", "--message"]),
        "import" => built_second(rest, &["-c", "--change", "-m", "--message", "--platform"]),
        _ => Pulls::default(),
    }
}

/// Whether an option of `run` takes the next word: all do but those known, and those with the value behind the letter.
fn run_takes_value(option: &str) -> bool {
    if option.starts_with("--") {
        return !RUN_FLAGS.contains(&option);
    }
    let letters = option.trim_start_matches('-');
    let value = letters.find(|letter| !RUN_SHORT_FLAGS.contains(letter));
    value.is_some_and(|at| at + 1 == letters.len())
}

fn pulled(rest: &[Word]) -> Pulls {
    let is_all = rest.iter().any(|word| matches!(word.text.as_str(), "-a" | "--all-tags"));
    let words = positionals(rest, |option| PULL_VALUES.contains(&option));
    if is_all { Pulls::default() } else { references(words) }
}

/// The second word that is no option.
fn built_second(rest: &[Word], values: &[&str]) -> Pulls {
    let words = positionals(rest, |option| values.contains(&option));
    built(words.get(1).map(|word| word.text.clone()).into_iter().collect())
}

/// The names of `-t` and `--tag`, wherever they stand.
fn built_as(rest: &[Word]) -> Pulls {
    let mut names = Vec::new();
    for (index, word) in rest.iter().enumerate() {
        match word.text.as_str() {
            "-t" | "--tag" => names.extend(rest.get(index + 1).map(|name| name.text.clone())),
            text => {
                let name = ["--tag=", "-t=", "-t"].iter().find_map(|option| text.strip_prefix(option));
                names.extend(name.map(str::to_owned));
            }
        }
    }
    built(names)
}

fn buildah(words: &[Word]) -> Pulls {
    of_subcommand(words, &DOCKER_VALUES, |name, rest| match name {
        "from" => {
            let flags = ["--pull", "--pull-always", "--pull-never", "--quiet", "-q", "--tls-verify"];
            let (_, behind) = options(rest, |option| !flags.contains(&option));
            references(behind.first().cloned().into_iter().collect())
        }
        "pull" => pulled(rest),
        "build" | "bud" => built_as(rest),
        _ => Pulls::default(),
    })
}

/// What `copy` copies from: the first word with a transport.
fn skopeo(words: &[Word]) -> Pulls {
    of_subcommand(words, &["--command-timeout", "--registries.d", "--policy", "--tmpdir"], |name, rest| {
        let is_image = |word: &&Word| TRANSPORTS.iter().any(|transport| word.text.starts_with(transport));
        let source = rest.iter().find(is_image).filter(|_| name == "copy");
        let bare = source.and_then(|word| {
            let text = word.text.strip_prefix("docker://")?.to_owned();
            Some(Word { text, span: word.span.clone() })
        });
        references(bare.into_iter().collect())
    })
}

/// What is copied, exported, changed or tagged; to ask for a digest is how a tag gets pinned.
fn crane(words: &[Word]) -> Pulls {
    let takes_value = |option: &str| !CRANE_FLAGS.contains(&option);
    let (_, words) = options(words, takes_value);
    let Some((name, rest)) = words.split_first() else { return Pulls::default() };
    match name.text.as_str() {
        "pull" => {
            let mut images = positionals(rest, takes_value);
            // The last word is the file that is written.
            images.truncate(images.len().saturating_sub(1));
            references(images)
        }
        "copy" | "cp" | "export" | "tag" | "mutate" | "rebase" | "flatten" => {
            references(positionals(rest, takes_value).into_iter().take(1).collect())
        }
        _ => Pulls::default(),
    }
}

/// `--image=…`, and `set image object container=…`.
fn kubectl(words: &[Word]) -> Pulls {
    let mut found = Vec::new();
    for (index, word) in words.iter().enumerate() {
        match word.text.as_str() {
            // What follows belongs to the command that is run.
            "--" => break,
            "--image" => found.extend(words.get(index + 1).cloned()),
            text => found.extend(text.strip_prefix("--image=").map(|text| within(word, text))),
        }
    }
    let set = words.windows(2).position(|pair| pair[0].text == "set" && pair[1].text == "image");
    let rest = set.and_then(|at| words.get(at + 2..)).unwrap_or_default();
    for word in positionals(rest, |option| KUBECTL_VALUES.contains(&option)) {
        if let Some((_, image)) = word.text.split_once('=') {
            found.push(within(&word, image));
        }
    }
    references(found)
}

/// The end of a word.
fn within(word: &Word, text: &str) -> Word {
    Word { text: text.to_owned(), span: word.span.clone() }
}

/// `--set image.tag=latest`.
fn helm(words: &[Word]) -> Pulls {
    let mut set = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let (at, values) = match (word.text.as_str(), words.get(index + 1)) {
            ("--set" | "--set-string", Some(next)) => (next, next.text.as_str()),
            (text, _) => match text.strip_prefix("--set=").or(text.strip_prefix("--set-string=")) {
                Some(values) => (word, values),
                None => continue,
            },
        };
        let is_latest = |value: &&str| {
            let (key, value) = value.split_once('=').unwrap_or_default();
            value == "latest"
                && key.rsplit('.').next().is_some_and(|last| last.to_ascii_lowercase().ends_with("tag"))
        };
        set.extend(values.split(',').filter(is_latest).map(|value| within(at, value)));
    }
    Pulls { set, ..Pulls::default() }
}

/// `edit set image name=new:tag`.
fn kustomize(words: &[Word]) -> Pulls {
    let is_set = words.iter().map(|word| word.text.as_str()).take(3).eq(["edit", "set", "image"]);
    let images = words.iter().skip(3).filter(|_| is_set);
    let latest = images.filter(|word| word.text.ends_with(":latest"));
    references(latest.map(|word| within(word, word.text.rsplit('=').next().unwrap_or_default())).collect())
}

#[cfg(test)]
mod tests {
    use super::super::{Breaks, commands};
    use super::*;

    fn pulled(text: &str) -> Vec<String> {
        let commands = commands(text, 0..text.len(), Breaks::End);
        let all = commands.iter().map(|words| pulls(words));
        all.flat_map(|pulls| [pulls.references, pulls.set]).flatten().map(|word| word.text).collect()
    }

    #[test]
    fn commands_pull_these_images() {
        for (text, want) in [
            ("docker pull web:latest", &["web:latest"][..]),
            ("sudo -u x docker --host tcp://h pull -q --platform linux/amd64 web", &["web"]),
            (
                "docker run -it --rm -v $PWD:/x -p8080:80 -e A=b --name n web:latest sh -c 'docker pull x'",
                &["web:latest"],
            ),
            ("docker run -dp 80:80 -u0 --network=host web", &["web"]),
            ("docker run -- web", &["web"]),
            ("docker container run --rm web", &["web"]),
            ("docker image pull web", &["web"]),
            ("docker create --read-only web", &["web"]),
            ("DOCKER_BUILDKIT=1 timeout -k 5 5m docker pull web", &["web"]),
            ("if ! docker pull web; then echo docker pull no; fi", &["web"]),
            ("x=$(docker run --rm web cat /v)", &["web"]),
            ("podman pull -a web", &[]),
            ("podman pull a b", &["a", "b"]),
            ("/usr/bin/docker pull web", &["web"]),
            ("docker push web:latest", &[]),
            ("docker build -t web:latest .", &[]),
            ("docker compose run web", &[]),
            ("docker-compose pull web", &[]),
            ("docker ps", &[]),
            ("echo docker pull web:latest", &[]),
            ("# docker pull web:latest", &[]),
            ("npm install x@latest && go install a/b@latest", &[]),
            ("skopeo copy --all --src-creds a:b docker://web:latest oci:x:latest", &["web:latest"]),
            ("skopeo copy oci:x docker://web:latest", &[]),
            ("skopeo inspect docker://web:latest", &[]),
            ("crane cp -j 4 web:latest other:1", &["web:latest"]),
            ("crane --insecure tag web:latest prod", &["web:latest"]),
            ("crane pull web:latest out.tar", &["web:latest"]),
            ("crane digest web:latest", &[]),
            ("buildah from --name c web", &["web"]),
            ("kubectl run x --image web:latest -- --image=y", &["web:latest"]),
            ("kubectl create deployment x --image=web", &["web"]),
            ("kubectl -n a set image deploy/x c=web:latest", &["web:latest"]),
            ("kubectl set image deployment -l app=web web=web:latest", &["web:latest"]),
            ("kubectl set image --selector app=web deploy c=a d=b --record", &["a", "b"]),
            ("helm upgrade x y --set image.repository=w,image.tag=latest", &["image.tag=latest"]),
            ("helm upgrade x y --set mode=latest", &[]),
            ("helm upgrade --set=image.tag=latest x y", &["image.tag=latest"]),
            ("helm upgrade x y --set", &[]),
            ("kustomize edit set image web=r/web:latest", &["r/web:latest"]),
            ("docker run", &[]),
            ("docker", &[]),
            ("", &[]),
        ] {
            assert_eq!(pulled(text), want, "{text}");
        }
    }

    #[test]
    fn names_of_what_is_built_are_known() {
        for (text, want) in [
            ("docker build . -t a -t b:1 --tag=c", &["a", "b:1", "c"][..]),
            ("docker buildx build --push -t a .", &["a"]),
            ("docker tag a b:2", &["b:2"]),
            ("docker build -ta -q .", &["a"]),
            ("docker commit -m text box b:2", &["b:2"]),
            ("docker import --platform linux/amd64 x.tar b:2", &["b:2"]),
        ] {
            let commands = commands(text, 0..text.len(), Breaks::End);
            assert_eq!(pulls(&commands[0]).built, want, "{text}");
        }
    }
}
