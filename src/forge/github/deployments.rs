//! Deployments: history, shown beside the commits. Nothing is read back but to know what is shown already.
//!
//! Source: GitHub's REST API, "Create a deployment": unless told otherwise it merges the default branch into the ref
//! (`auto_merge`), wants every check green (`required_contexts`), and a success makes earlier ones inactive
//! (`auto_inactive`), also one that was rolled back.

use std::sync::atomic::Ordering;

use http::Method;
use serde_json::{Value, json};

use super::GitHubForge;
use super::answer::named;
use super::pulls::query;
use super::wire::{Deployed, DeploymentStatus};
use crate::forge::{Deployment, DeploymentStanding, ForgeError, Priority};

/// Pages of deployments of one commit in one environment, and of the statuses of one deployment: there are few.
const PAGES_MAX: u32 = 3;

impl GitHubForge {
    /// Shows it, where GitHub lets us. An installation from before the permission was asked for lets us not: that is said
    /// once.
    pub(super) async fn show(&self, deployment: &Deployment) -> Result<(), ForgeError> {
        match self.show_it(deployment).await {
            Err(
                error @ (ForgeError::Refused { .. } | ForgeError::NotFound { .. } | ForgeError::Moved { .. }),
            ) => {
                if !self.has_told_of_deployments.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        repository = %self.name, %error,
                        "GitHub takes no deployment; the App may lack the permission \"Deployments: write\""
                    );
                }
                Ok(())
            }
            result => result,
        }
    }

    async fn show_it(&self, deployment: &Deployment) -> Result<(), ForgeError> {
        let (id, shown) = match self.shown(deployment).await? {
            Some(id) => (id, self.last_status(id).await?),
            None => (self.create(deployment).await?, None),
        };
        let (state, word) = match deployment.standing {
            DeploymentStanding::Live => ("success", "live"),
            DeploymentStanding::RolledBack => ("failure", "rolled back"),
            DeploymentStanding::Replaced => ("inactive", "replaced"),
        };
        if shown.as_deref() == Some(state) {
            return Ok(());
        }
        if shown.is_none() && deployment.standing == DeploymentStanding::Live {
            self.say(id, deployment, "in_progress", "merged").await?;
        }
        self.say(id, deployment, state, word).await
    }

    /// The deployment of ours for this commit and environment: the first, whatever made another one.
    async fn shown(&self, deployment: &Deployment) -> Result<Option<u64>, ForgeError> {
        let (commit, environment) = (deployment.commit, query(&deployment.environment));
        let path = self.path(format!("deployments?sha={commit}&environment={environment}"));
        let found: Vec<Deployed> = self.client.pages(&path, PAGES_MAX).await?;
        let me = self.me().await?.person.id;
        let is_ours = |found: &&Deployed| found.creator.as_ref().is_some_and(|creator| creator.id == me);
        Ok(found.iter().filter(is_ours).map(|found| found.id).min())
    }

    async fn last_status(&self, id: u64) -> Result<Option<String>, ForgeError> {
        let path = self.path(format!("deployments/{id}/statuses"));
        let found: Vec<DeploymentStatus> = self.client.pages(&path, PAGES_MAX).await?;
        Ok(found.into_iter().max_by_key(|status| status.id).map(|status| status.state))
    }

    async fn create(&self, deployment: &Deployment) -> Result<u64, ForgeError> {
        let created: Deployed = self
            .note(
                &self.path("deployments"),
                &json!({
                    "ref": deployment.commit.to_string(),
                    "environment": deployment.environment,
                    "production_environment": deployment.production,
                    "transient_environment": false,
                    "description": deployment.description,
                    "auto_merge": false,
                    "required_contexts": [],
                }),
            )
            .await?;
        Ok(created.id)
    }

    async fn say(&self, id: u64, deployment: &Deployment, state: &str, word: &str) -> Result<(), ForgeError> {
        let body = json!({
            "state": state,
            "description": word,
            "log_url": deployment.url,
            "environment_url": deployment.url,
            "auto_inactive": false,
        });
        let path = self.path(format!("deployments/{id}/statuses"));
        self.note::<DeploymentStatus>(&path, &body).await.map(drop)
    }

    async fn note<T: serde::de::DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, ForgeError> {
        let answer = self.client.write(Priority::Note, Method::POST, path, body).await?;
        answer.read(&named(&Method::POST, path))
    }
}
