//! The key file. All of this blocks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::VaultError;
use super::keys::{Fault, Keys};

/// Longest file, in bytes.
const FILE_MAX: usize = 64 * 1024;

/// Where a key file is or will be, for one writer at a time.
pub(super) struct Place {
    path: PathBuf,
    /// The folder, locked until this is dropped. The file itself would not do for that, as
    /// it is replaced.
    folder: File,
}

/// An error of the operating system about a key file.
fn failed(path: &Path, operation: &'static str) -> impl FnOnce(io::Error) -> VaultError {
    move |source| VaultError::File {
        path: path.into(),
        operation,
        source,
    }
}

/// The keys of a file.
pub(super) fn read(path: &Path) -> Result<Keys, VaultError> {
    let bytes = bytes(path)?;
    let malformed = |Fault { line, reason }| VaultError::Malformed {
        path: path.into(),
        line,
        reason,
    };
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let before = bytes.iter().take(error.valid_up_to());
        malformed(Fault {
            line: 1 + before.filter(|byte| **byte == b'\n').count(),
            reason: "this is no text",
        })
    })?;
    Keys::parse(text).map_err(malformed)
}

fn bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    // To open a pipe would wait for somebody to write.
    let about = fs::metadata(path).map_err(failed(path, "opening"))?;
    if !about.is_file() {
        return Err(failed(path, "opening")(io::ErrorKind::InvalidInput.into()));
    }
    let file = File::open(path).map_err(failed(path, "opening"))?;
    check_mode(path, &file)?;
    // Enough, so that no part of it is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_MAX + 1));
    let read = file.take(FILE_MAX as u64 + 1).read_to_end(&mut bytes);
    read.map_err(failed(path, "reading"))?;
    if bytes.len() > FILE_MAX {
        return Err(failed(path, "reading")(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}

/// Looks at the file that is open, which nobody can exchange any more.
fn check_mode(path: &Path, file: &File) -> Result<(), VaultError> {
    let about = file.metadata().map_err(failed(path, "opening"))?;
    let mode = about.mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let path = path.into();
    Err(VaultError::Exposed { path, mode })
}

impl Place {
    /// Waits until nobody else writes there.
    pub(super) fn lock(path: &Path) -> Result<Self, VaultError> {
        let lock = || {
            let path = real(path)?;
            let folder = File::open(path.parent().unwrap_or(Path::new("/")))?;
            folder.lock()?;
            Ok(Self { path, folder })
        };
        lock().map_err(failed(path, "locking its folder"))
    }

    pub(super) fn read(&self) -> Result<Keys, VaultError> {
        read(&self.path)
    }

    /// Makes the file with a new key, unless somebody else was faster.
    pub(super) fn create(&self) -> Result<Keys, VaultError> {
        match self.read() {
            Err(error) if error.is_not_found() => {
                let keys = Keys::random()?;
                self.write(&keys)?;
                Ok(keys)
            }
            read => read,
        }
    }

    /// Puts these keys in place of what is there: all of them, or none where it fails.
    pub(super) fn write(&self, keys: &Keys) -> Result<(), VaultError> {
        let new = self.new_path();
        let written = self.write_new(&new, keys).and_then(|()| {
            fs::rename(&new, &self.path)?;
            self.folder.sync_all()
        });
        if written.is_err() {
            // Is there no more if it was renamed.
            let _ = fs::remove_file(&new);
        }
        written.map_err(failed(&self.path, "writing"))
    }

    /// What becomes the file; only who holds the lock makes it.
    fn new_path(&self) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(".new");
        path.into()
    }

    fn write_new(&self, new: &Path, keys: &Keys) -> io::Result<()> {
        remove_left_over(new)?;
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(new)?;
        self.keep_owner(&file)?;
        file.write_all(keys.text().as_bytes())?;
        file.sync_all()
    }

    /// An administrator who rotates keys must not take them away from the server.
    fn keep_owner(&self, new: &File) -> io::Result<()> {
        let before = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            about => about?,
        };
        let now = new.metadata()?;
        if (before.uid(), before.gid()) == (now.uid(), now.gid()) {
            return Ok(());
        }
        fchown(new, Some(before.uid()), Some(before.gid()))
    }
}

/// Of somebody who was interrupted while writing.
fn remove_left_over(new: &Path) -> io::Result<()> {
    match fs::remove_file(new) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Where the file itself is, if a link leads to it: that one must be replaced, not the link.
fn real(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
            let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
            Ok(fs::canonicalize(folder.unwrap_or(Path::new(".")))?.join(name))
        }
        real => real,
    }
}
