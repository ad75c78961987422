//! Text that nothing prints.

use std::fmt;
use std::path::Path;

use super::SettingsError;
use crate::bounded;

/// Largest secret file, in bytes; secrets have some dozens, and a mistaken path should not be read to its end.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// A secret: never empty, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret, without white space at its end; none if nothing is left.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim_end();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The text, for the one comparison or request it is meant for.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The secret in a file; `key` is the setting that names it.
    pub(super) fn read(key: &str, file: &Path) -> Result<Self, SettingsError> {
        let error = |reason: String| SettingsError::Secret { key: key.to_owned(), reason };
        let bytes =
            bounded::read(file, SECRET_BYTES_MAX).map_err(|io| error(format!("{}: {io}", file.display())))?;
        let text = String::from_utf8(bytes).map_err(|_| error(format!("{} is no UTF-8", file.display())))?;
        Self::new(&text).ok_or_else(|| error(format!("{} is empty", file.display())))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(hidden)")
    }
}
