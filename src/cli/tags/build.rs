//! The run of a CI that builds the image, as its variables tell.

/// A run: its id, and the page of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Build {
    /// The id, another one for each try.
    pub(super) id: String,
    /// The page.
    pub(super) url: Option<String>,
}

impl Build {
    /// The run that these variables tell of, by the documents of each CI; a second try of one run gets another id,
    /// since it makes another image.
    pub(super) fn of_ci(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let plain = |id: &str, url: &str| variable(id).map(|id| Self { id, url: variable(url) });
        github(&variable)
            .or_else(|| plain("CI_JOB_ID", "CI_JOB_URL"))
            .or_else(|| plain("BUILDKITE_BUILD_NUMBER", "BUILDKITE_BUILD_URL"))
            .or_else(|| plain("CIRCLE_BUILD_NUM", "CIRCLE_BUILD_URL"))
            .or_else(|| azure(&variable))
            .or_else(|| variable("JENKINS_URL").and_then(|_| plain("BUILD_NUMBER", "BUILD_URL")))
    }
}

fn github(variable: &impl Fn(&str) -> Option<String>) -> Option<Build> {
    let run = variable("GITHUB_RUN_ID")?;
    let url = variable("GITHUB_SERVER_URL").zip(variable("GITHUB_REPOSITORY"));
    let url = url.map(|(server, repository)| format!("{server}/{repository}/actions/runs/{run}"));
    let id = match variable("GITHUB_RUN_ATTEMPT").filter(|attempt| attempt != "1") {
        Some(attempt) => format!("{run}.{attempt}"),
        None => run,
    };
    Some(Build { id, url })
}

fn azure(variable: &impl Fn(&str) -> Option<String>) -> Option<Build> {
    let id = variable("BUILD_BUILDID")?;
    let place = variable("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI").zip(variable("SYSTEM_TEAMPROJECT"));
    let url = place.map(|(server, project)| {
        format!("{}/{project}/_build/results?buildId={id}", server.trim_end_matches('/'))
    });
    Some(Build { id, url })
}
