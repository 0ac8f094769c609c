//! Where a path can change under the feet of whoever opens it: in its own folder, at each symbolic link on the way, and at the
//! nearest folder that exists, if it does not exist itself.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// As many as the kernel follows (path_resolution(7)).
const LINKS: usize = 40;

/// A folder, as it is without symbolic links, and the name in it that matters.
pub(crate) type Station = (PathBuf, OsString);

/// The stations of an absolute path, and its folder's own place in the folder above it.
pub(crate) fn stations(path: &Path) -> Vec<Station> {
    let mut ahead = names(path).collect::<VecDeque<_>>();
    let mut here = PathBuf::from("/");
    let mut found = Vec::new();
    let mut last: Option<Station> = None;
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            here.pop();
            continue;
        }
        let station = (here.clone(), name.clone());
        let next = here.join(&name);
        let at_the_end = ahead.is_empty();
        let Ok(metadata) = fs::symlink_metadata(&next) else {
            found.extend(last);
            found.push(station);
            return found; // it would begin to exist here
        };
        if metadata.is_symlink() && links < LINKS {
            links += 1;
            found.push(station);
            let Ok(target) = fs::read_link(&next) else { return found };
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            for name in names(&target).collect::<Vec<_>>().into_iter().rev() {
                ahead.push_front(name);
            }
            last = None;
            continue;
        }
        if at_the_end {
            found.extend(last.take());
            found.push(station);
        } else {
            last = Some(station);
        }
        here = next;
    }
    found
}

fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use std::os::unix::fs::symlink;

    use super::*;

    fn relative(folder: &Path, path: &str) -> Vec<String> {
        let all = stations(&folder.join(path));
        let below = all.iter().filter_map(|(at, name)| Some((at.strip_prefix(folder).ok()?, name)));
        below.map(|(at, name)| at.join(name).display().to_string()).collect()
    }

    #[test]
    fn a_path_can_change_at_itself_at_its_links_and_where_it_begins_to_be_missing() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("releases/1/pages")).unwrap();
        fs::write(root.join("releases/1/pages/a.html"), "").unwrap();
        symlink("releases/1", root.join("current")).unwrap();
        symlink("../pages/a.html", root.join("releases/1/pages/b.html")).unwrap();

        assert_eq!(
            relative(&root, "releases/1/pages/a.html"),
            ["releases/1/pages", "releases/1/pages/a.html"]
        );
        assert_eq!(
            relative(&root, "current/pages/a.html"),
            ["current", "releases/1/pages", "releases/1/pages/a.html"]
        );
        assert_eq!(
            relative(&root, "current/pages/b.html"),
            ["current", "releases/1/pages/b.html", "releases/1/pages", "releases/1/pages/a.html"]
        );
        assert_eq!(relative(&root, "releases/2/pages/a.html"), ["releases", "releases/2"]);
    }

    #[test]
    fn a_circle_of_links_ends() {
        let folder = tempfile::tempdir().unwrap();
        symlink("b", folder.path().join("a")).unwrap();
        symlink("a", folder.path().join("b")).unwrap();
        assert!(!stations(&folder.path().join("a/x")).is_empty());
    }
}
