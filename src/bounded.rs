//! Files that somebody else wrote, read up to a bound.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The bytes of a file of at most `bytes_max` bytes.
///
/// # Errors
/// What the system says, or that the file is longer: a part of it is never taken for the whole.
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    // One byte more tells whether there is more, also of what has no length, such as a pipe.
    File::open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut content)?;
    if content.len() as u64 > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is longer than {bytes_max} bytes"),
        ));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert_eq!(read(&path, 4).unwrap_err().to_string(), "it is longer than 4 bytes");
        let gone = read(&folder.path().join("gone"), 5).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    }
}
