//! Which files are looked at, by their names; scripts without an ending by their first line.

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// YAML in which manifests may stand.
    Manifest,
    /// A workflow or action of GitHub, or of Gitea and Forgejo, which have the same form.
    GitHub,
    /// A pipeline of GitLab.
    GitLab,
    /// A pipeline of another CI system, whose images stand under `image`.
    OtherCi,
    /// A Dockerfile or Containerfile.
    Dockerfile,
    /// A shell script.
    Script,
}

/// What a name says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// It is this.
    Is(Kind),
    /// Its first line has to tell: [`Kind::of_first_line`].
    Perhaps,
    /// It is not looked at.
    Other,
}

/// Folders of workflows.
const WORKFLOWS: [&str; 3] = [".github/workflows/", ".gitea/workflows/", ".forgejo/workflows/"];
/// Files of other CI systems.
const OTHER_CI: [&str; 6] =
    [".drone", ".woodpecker", ".cirrus", "bitbucket-pipelines", ".circleci/", ".buildkite/"];
/// Shells whose scripts are read as words.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "zsh", "ksh", "ash"];

impl Kind {
    /// What the path of a file says, with `/` between its parts.
    #[must_use]
    pub fn of_name(path: &str) -> Named {
        let name = path.rsplit('/').next().unwrap_or(path);
        let lower = name.to_ascii_lowercase();
        let (stem, end) = lower.rsplit_once('.').unwrap_or((lower.as_str(), ""));
        match end {
            "yaml" | "yml" => Named::Is(Self::of_yaml(path, stem)),
            "sh" | "bash" | "zsh" | "ksh" => Named::Is(Self::Script),
            "dockerfile" | "containerfile" => Named::Is(Self::Dockerfile),
            _ if name == "Kustomization" => Named::Is(Self::Manifest),
            _ if matches!(first_word(&lower), "dockerfile" | "containerfile") && !is_document(end) => {
                Named::Is(Self::Dockerfile)
            }
            "" if !name.starts_with('.') => Named::Perhaps,
            _ => Named::Other,
        }
    }

    /// What the beginning of a file without an ending says.
    #[must_use]
    pub fn of_first_line(begins: &[u8]) -> Option<Self> {
        let line = begins.split(|byte| *byte == b'\n').next()?.strip_prefix(b"#!")?;
        let words: Vec<&str> = std::str::from_utf8(line).ok()?.split_whitespace().collect();
        let mut names = words
            .iter()
            .filter(|word| !word.starts_with('-'))
            .map(|word| word.rsplit('/').next().unwrap_or(word));
        let name = names.next().filter(|name| *name != "env").or_else(|| names.next())?;
        SHELLS.contains(&name).then_some(Self::Script)
    }

    fn of_yaml(path: &str, stem: &str) -> Self {
        let is_below = |folder: &str| path.starts_with(folder) || path.contains(&format!("/{folder}"));
        if WORKFLOWS.iter().any(|folder| is_below(folder)) || stem == "action" {
            return Self::GitHub;
        }
        if stem.ends_with(".gitlab-ci") || stem == ".gitlab-ci" || is_below(".gitlab/ci/") {
            return Self::GitLab;
        }
        if OTHER_CI.iter().any(|begin| is_below(begin)) { Self::OtherCi } else { Self::Manifest }
    }
}

/// `dockerfile` of `dockerfile.dev` and `dockerfile-dev`.
fn first_word(name: &str) -> &str {
    name.split(['.', '-', '_']).next().unwrap_or(name)
}

/// Whether the ending is of a text about one.
fn is_document(end: &str) -> bool {
    matches!(
        end,
        "md" | "txt" | "rst" | "adoc" | "html" | "json" | "go" | "py" | "js" | "ts" | "rs" | "dockerignore"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_file_is() {
        for (path, want) in [
            ("apps/web/dev.yaml", Named::Is(Kind::Manifest)),
            ("docker-compose.yml", Named::Is(Kind::Manifest)),
            ("base/Kustomization", Named::Is(Kind::Manifest)),
            (".github/workflows/ci.yml", Named::Is(Kind::GitHub)),
            ("sub/.github/workflows/ci.yaml", Named::Is(Kind::GitHub)),
            ("x.github/workflows/ci.yaml", Named::Is(Kind::Manifest)),
            (".github/actions/build/action.yml", Named::Is(Kind::GitHub)),
            (".gitlab-ci.yml", Named::Is(Kind::GitLab)),
            ("ci/build.gitlab-ci.yml", Named::Is(Kind::GitLab)),
            (".drone.yml", Named::Is(Kind::OtherCi)),
            (".circleci/config.yml", Named::Is(Kind::OtherCi)),
            ("x/.buildkite/pipeline.yml", Named::Is(Kind::OtherCi)),
            (".cirrus.yml", Named::Is(Kind::OtherCi)),
            ("Dockerfile", Named::Is(Kind::Dockerfile)),
            ("a/Dockerfile.dev", Named::Is(Kind::Dockerfile)),
            ("a/web.Dockerfile", Named::Is(Kind::Dockerfile)),
            ("Containerfile", Named::Is(Kind::Dockerfile)),
            ("Dockerfile.md", Named::Other),
            ("Dockerfiles.go", Named::Other),
            ("build.sh", Named::Is(Kind::Script)),
            ("hack/build", Named::Perhaps),
            (".bashrc", Named::Other),
            ("main.go", Named::Other),
        ] {
            assert_eq!(Kind::of_name(path), want, "{path}");
        }
    }

    #[test]
    fn the_first_line_says_whether_it_is_a_script() {
        for (text, want) in [
            ("#!/bin/sh\nx", true),
            ("#! /usr/bin/env bash\n", true),
            ("#!/usr/bin/env -S bash -e\n", true),
            ("#!/usr/bin/python3\n", false),
            ("#!/usr/bin/env python3\n", false),
            ("echo\n", false),
            ("", false),
        ] {
            assert_eq!(Kind::of_first_line(text.as_bytes()), want.then_some(Kind::Script), "{text}");
        }
    }
}
