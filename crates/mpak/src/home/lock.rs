//! Locks between processes: one file each, released by the system when its holder ends.

use std::fs::File;

use super::{Home, HomeError};

/// A held lock; released when dropped.
#[derive(Debug)]
pub struct Held {
    _file: File,
}

/// Waits until no other process holds the lock.
///
/// # Errors
/// [`HomeError::Io`].
pub fn exclusive(home: &Home, name: &str) -> Result<Held, HomeError> {
    let file = open(home, name)?;
    file.lock().map_err(|source| error(home, name, source))?;
    Ok(Held { _file: file })
}

/// Holds the lock together with other readers.
///
/// # Errors
/// [`HomeError::Io`].
pub fn shared(home: &Home, name: &str) -> Result<Held, HomeError> {
    let file = open(home, name)?;
    file.lock_shared().map_err(|source| error(home, name, source))?;
    Ok(Held { _file: file })
}

/// The lock, if no other process holds it.
///
/// # Errors
/// [`HomeError::Io`].
pub fn try_exclusive(home: &Home, name: &str) -> Result<Option<Held>, HomeError> {
    let file = open(home, name)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Held { _file: file })),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(source)) => Err(error(home, name, source)),
    }
}

fn open(home: &Home, name: &str) -> Result<File, HomeError> {
    let path = home.lock_file(name);
    home.create(path.parent().expect("locks lie in a folder"))?;
    File::options().create(true).write(true).truncate(false).open(&path).map_err(|source| error(home, name, source))
}

fn error(home: &Home, name: &str, source: std::io::Error) -> HomeError {
    HomeError::Io { verb: "lock", path: home.lock_file(name), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::tests::home;

    #[test]
    fn one_writer_or_many_readers() {
        let (_dir, home) = home();
        let held = exclusive(&home, "x").unwrap();
        assert!(try_exclusive(&home, "x").unwrap().is_none());
        assert!(try_exclusive(&home, "y").unwrap().is_some());
        drop(held);
        let _one = shared(&home, "x").unwrap();
        let _two = shared(&home, "x").unwrap();
        assert!(try_exclusive(&home, "x").unwrap().is_none());
    }
}
