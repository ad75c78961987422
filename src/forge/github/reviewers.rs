//! Asking for reviews: a word to people, which stops nothing.

use http::Method;
use serde_json::json;

use super::GitHubForge;
use super::answer::named;
use super::wire::Pull;
use crate::forge::{ForgeError, Number, Priority, Reviewers};

/// Those asked for one pull request, which is what GitHub's own page takes. Each may cost a request of its own.
const REVIEWERS_MAX: usize = 15;

impl GitHubForge {
    /// Asks those who are not asked yet. GitHub takes all or none of a request: where it refuses, each is asked alone, so
    /// that a name that is nobody's does not lose the others.
    ///
    /// Source: GitHub's REST API, "Request reviewers for a pull request": 422 where one is no collaborator.
    pub(super) async fn ask_for_reviews(&self, pull: &Pull, wanted: &Reviewers) {
        let mut all = self.not_asked_yet(pull, wanted);
        all.truncate(REVIEWERS_MAX);
        let mut asked = self.ask(pull.number, &all).await;
        if matches!(asked, Err(ForgeError::Refused { .. })) && all.len() > 1 {
            asked = Ok(());
            for one in &all {
                asked = asked.and(self.ask(pull.number, std::slice::from_ref(one)).await);
            }
        }
        if let Err(error) = asked {
            tracing::info!(number = pull.number, %error, "not everybody is asked for a review");
        }
    }

    fn not_asked_yet(&self, pull: &Pull, wanted: &Reviewers) -> Vec<Reviewer> {
        let is_new_person = |name: &&String| {
            pull.requested_reviewers.iter().all(|user| !user.login.eq_ignore_ascii_case(name))
        };
        let people = wanted.people.iter().filter(is_new_person).cloned().map(Reviewer::Person);
        // A team of another organisation can be asked nothing here.
        let slug = |team: &String| {
            let (organisation, slug) = team.split_once('/')?;
            organisation.eq_ignore_ascii_case(self.name.owner()).then(|| slug.to_owned())
        };
        let is_new_team =
            |slug: &String| pull.requested_teams.iter().all(|team| !team.slug.eq_ignore_ascii_case(slug));
        let teams = wanted.teams.iter().filter_map(slug).filter(is_new_team).map(Reviewer::Team);
        teams.chain(people).collect()
    }

    async fn ask(&self, number: Number, reviewers: &[Reviewer]) -> Result<(), ForgeError> {
        if reviewers.is_empty() {
            return Ok(());
        }
        let (mut people, mut teams) = (Vec::new(), Vec::new());
        for reviewer in reviewers {
            match reviewer {
                Reviewer::Person(login) => people.push(login),
                Reviewer::Team(slug) => teams.push(slug),
            }
        }
        let path = self.path(format!("pulls/{number}/requested_reviewers"));
        let body = json!({ "reviewers": people, "team_reviewers": teams });
        let answer = self.client.write(Priority::Note, Method::POST, &path, &body).await?;
        answer.good(&named(&Method::POST, &path))
    }
}

/// Whom GitHub is to ask.
enum Reviewer {
    /// By login.
    Person(String),
    /// By slug, of the organisation that the repository belongs to.
    Team(String),
}
