//! A folder with a site in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder of its own for each test, gone when this is.
#[derive(Debug)]
pub struct Folder(TempDir);

/// Listens on any free port and serves `public`.
const SMALL: &str = "[http]\nlisten = [\"127.0.0.1:0\"]\n\n[[route]]\npath = \"/\"\nstatic = \"public\"\n";

impl Folder {
    /// With a small site: one page, on any free port.
    pub fn small() -> Folder {
        let folder = Folder::empty();
        folder.write("public/index.html", "<h1>index</h1>");
        folder.write("site.toml", SMALL);
        folder
    }

    /// With nothing in it.
    #[expect(clippy::unwrap_used, reason = "a test without a folder has failed")]
    pub fn empty() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    /// With a copy of `examples/hello`, without what a run has left there.
    #[expect(clippy::unwrap_used, reason = "a test without a folder has failed")]
    pub fn hello() -> Folder {
        let folder = Folder::empty();
        let hello = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples/hello");
        copy(&hello, folder.path());
        folder
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Where this is in it.
    pub fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, with the folders that it needs. The old one is replaced as a whole, as careful editors do.
    #[expect(clippy::unwrap_used, reason = "a test without its files has failed")]
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let new = path.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }

    /// A file's text.
    #[expect(clippy::unwrap_used, reason = "a test without its files has failed")]
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap()
    }

    /// Writes the site file: this, and a route for the folder `public`.
    pub fn site(&self, text: &str) {
        self.write("site.toml", format!("{text}\n[[route]]\npath = \"/\"\nstatic = \"public\"\n"));
    }

    /// Everything in it, sorted, folders with a slash at the end.
    pub fn list(&self) -> Vec<String> {
        let mut names = Vec::new();
        list(self.path(), "", &mut names);
        names.sort();
        names
    }

    /// Lets everybody come in and write.
    #[expect(clippy::unwrap_used, reason = "a test without a folder has failed")]
    pub fn open_to_all(&self) {
        fs::set_permissions(self.path(), fs::Permissions::from_mode(0o777)).unwrap();
    }
}

#[expect(clippy::unwrap_used, reason = "a test without its files has failed")]
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() && name != ".sitebus" {
            copy(&path, &to.join(name));
        } else if path.is_file() {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

fn list(folder: &Path, prefix: &str, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            list(&entry.path(), &format!("{name}/"), names);
            names.push(format!("{name}/"));
        } else {
            names.push(name);
        }
    }
}
