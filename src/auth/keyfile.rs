//! The secret of a node alone: generated once and kept beside its data.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aws_lc_rs::rand::SecureRandom;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::config::Secret;

/// The file's name in the data folder.
const NAME: &str = "hs256_secret";

/// Reads the secret of this folder, or makes folder and secret. Several processes at once get the same one. The file is readable by its owner alone.
///
/// # Errors
/// When the folder or the file cannot be made or read, or the file is empty.
pub fn read_or_create_secret(folder: &Path, random: &dyn SecureRandom) -> io::Result<Secret> {
    let path = folder.join(NAME);
    match read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    fs::create_dir_all(folder)?;
    let draft = folder.join(format!("{NAME}.{}", std::process::id()));
    write_private(&draft, random_secret(random)?.expose())?;
    // A link never replaces: whoever comes second uses what the first one made.
    let linked = fs::hard_link(&draft, &path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => read(&path),
    }
}

/// A new secret of 256 bits.
///
/// # Errors
/// When the system gives no random bytes.
pub fn random_secret(random: &dyn SecureRandom) -> io::Result<Secret> {
    let mut bytes = [0_u8; 32];
    random.fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random bytes"))?;
    Ok(Secret::new(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}

fn read(path: &Path) -> io::Result<Secret> {
    let text = fs::read_to_string(path)?;
    match text.trim() {
        "" => Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is empty", path.display()))),
        secret => Ok(Secret::new(secret)),
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use aws_lc_rs::rand::SystemRandom;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let random = SystemRandom::new();
        let first = read_or_create_secret(&data, &random).unwrap();
        let second = read_or_create_secret(&data, &random).unwrap();
        assert_eq!(first, second);
        assert!(first.expose().len() >= 32);
        let mode = fs::metadata(data.join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
    }

    #[test]
    fn an_empty_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NAME), "\n").unwrap();
        assert!(read_or_create_secret(folder.path(), &SystemRandom::new()).is_err());
    }
}
