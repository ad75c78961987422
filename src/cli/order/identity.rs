//! Who gives a command.

use std::path::Path;

use crate::bounded;
use crate::cli::{CliError, Exit};
use crate::forge::{ForgeError, Person};
use crate::reconcile::World;
use crate::store::Key;

/// The largest token file, in bytes; tokens have some dozens.
const TOKEN_BYTES_MAX: u64 = 4_096;

/// The token, from the file or the variable.
pub(in crate::cli) fn token(file: Option<&Path>) -> Result<String, CliError> {
    let how = "write your token at the forge into a file that only you can read, and give --token-file FILE \
               (or set LOCKKEEPER_TOKEN)";
    let denied = |what: String| CliError::new(Exit::Permission, what).next(how);
    let text = match file {
        Some(file) => read_token(file).map_err(|error| {
            denied(format!("token file {} cannot be read", file.display())).why(error.to_string())
        })?,
        None => std::env::var("LOCKKEEPER_TOKEN").map_err(|_| {
            denied("nobody is named: commands are recorded with the person who gave them".to_owned())
        })?,
    };
    match text.trim() {
        "" => Err(denied("the token is empty".to_owned())),
        token => Ok(token.to_owned()),
    }
}

fn read_token(file: &Path) -> std::io::Result<String> {
    let bytes = bounded::read(file, TOKEN_BYTES_MAX)?;
    String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is no UTF-8"))
}

/// The person whom the forge knows by this token.
pub(super) async fn person(world: &World, key: &Key, token: &str) -> Result<Person, CliError> {
    let denied = |what: &str| CliError::new(Exit::Permission, what);
    let Some(repository) = world.repositories.get(&key.repository) else {
        let what = format!("repository {} is not in the settings", key.repository);
        return Err(CliError::new(Exit::NotFound, what));
    };
    match repository.forge.authenticate(token).await {
        Ok(Some(person)) if person.bot => {
            Err(denied("an app cannot give commands")
                .why(format!("the token is that of app {}", person.name)))
        }
        Ok(Some(person)) => Ok(person),
        Ok(None) => Err(denied("the forge does not know this token")
            .why(format!("repository {} has nobody with it", key.repository))
            .next("check the token, or ask who keeps the people file")),
        Err(error @ ForgeError::Unavailable { .. }) => {
            Err(CliError::new(Exit::TryAgain, "the forge does not answer").why(error.to_string()))
        }
        Err(error) => Err(CliError::new(Exit::Configuration, "the forge cannot say who you are")
            .why(error.to_string())
            .next("lockkeeper doctor")),
    }
}
