//! From a path to a tree.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::known::Known;
use super::names::nearest;
use super::overrides;
use super::problem::Problem;
use super::read::read_section;
use super::report::Report;
use super::section::Section;
use super::source::{OVERRIDE, Sources};
use super::span::Spanned;
use super::syntax;

/// The most that is read of a site file.
const LARGEST: u64 = 1024 * 1024;
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A site file that is TOML, with the values that the command line put over it.
#[derive(Clone, Debug)]
pub struct SiteFile {
    path: PathBuf,
    folder: PathBuf,
    pub(super) name: String,
    pub(super) sources: Sources,
}

impl SiteFile {
    /// Reads a site file.
    ///
    /// Each override is `key=value`. The key is a path of names with dots between (`http.listen`), the value is TOML,
    /// or else taken as a string. It replaces the whole value, arrays included; tables on the way are made where they
    /// are missing. A number on the way is the place in an existing array, from 0: `route.0.static=public`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is larger than 1 MiB, is not UTF-8 or not TOML, or an override is not understood:
    /// all of it in one report. What the values mean is not looked at; [`Known::check`] does that.
    pub fn read(path: impl AsRef<Path>, overrides: &[String]) -> Result<SiteFile, Report> {
        let path = path.as_ref();
        let name = path.display().to_string();
        match load(path) {
            Ok(bytes) => {
                let (text, not_utf_8) = decode(bytes);
                SiteFile::parse(path, name, text, not_utf_8, overrides)
            }
            Err(problem) => Err(Report::new(&name, &Sources::default(), vec![problem])),
        }
    }

    /// The same with the text at hand. `path` is where it is thought to lie: it names the file in reports, and relative
    /// paths in the text count from its folder.
    ///
    /// # Errors
    ///
    /// As [`SiteFile::read`], except those of the file itself.
    pub fn from_text(path: impl AsRef<Path>, text: &str, overrides: &[String]) -> Result<SiteFile, Report> {
        let path = path.as_ref();
        SiteFile::parse(path, path.display().to_string(), text.to_owned(), None, overrides)
    }

    fn parse(
        path: &Path,
        name: String,
        text: String,
        not_utf_8: Option<Problem>,
        overrides: &[String],
    ) -> Result<SiteFile, Report> {
        let text = plain(&text);
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let folder = whole.parent().unwrap_or(Path::new("/")).to_owned();
        let mut sources = Sources::default();
        sources.add(&name, &text);
        for text in overrides {
            sources.add(OVERRIDE, text);
        }
        let (root, problems) = match not_utf_8 {
            Some(problem) => (DeTable::new(), vec![problem]),
            None => syntax::parse(&text),
        };
        let (_, more) = overrides::apply(root, sources.overrides());
        let problems = problems.into_iter().chain(more).collect();
        Report::unless_empty(&name, &sources, problems)?;
        Ok(SiteFile { path: path.to_owned(), folder, name, sources })
    }

    /// Where the file is, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole path of the folder that the file is in. Relative paths in the file count from it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The section of this name as the type of its owner, or `None` if the file has none.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the section, by its type and by its [`Section::check`].
    pub fn section<T: Section>(&self, name: &str) -> Result<Option<Spanned<T>>, Report> {
        self.section_of(name, None)
    }

    pub(super) fn section_of<T: Section>(
        &self,
        name: &str,
        known: Option<&Known>,
    ) -> Result<Option<Spanned<T>>, Report> {
        let tree = self.tree();
        let Some(node) = tree.get(name) else { return Ok(None) };
        read_section(self, name, node, known)
            .map(Some)
            .map_err(|problems| Report::new(&self.name, &self.sources, problems))
    }

    /// A report of one problem of this file, for what turns out only later: an address that is taken, a user that does
    /// not exist.
    pub fn complain(&self, problem: Problem) -> Report {
        Report::new(&self.name, &self.sources, vec![problem])
    }

    /// The tree borrows the text, so it is made anew each time it is asked for; files are short and this is rare.
    pub(super) fn tree(&self) -> DeTable<'_> {
        let text = self.sources.file().map_or("", |source| &source.text);
        let (root, _) = syntax::parse(text);
        overrides::apply(root, self.sources.overrides()).0
    }
}

pub(super) fn load(path: &Path) -> Result<Vec<u8>, Problem> {
    // Opening a FIFO would wait for somebody who writes to it.
    let kind = fs::metadata(path).map_err(|error| unreadable(path, &error))?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        let mut problem = Problem::nowhere(format!("`{}` is no file, but {}", path.display(), name_of(kind)));
        problem.help("write the site into a file: it is read again at every reload");
        return Err(problem);
    }
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > LARGEST {
        let mut problem =
            Problem::nowhere(format!("the site file `{}` is larger than 1 MiB", path.display()));
        problem.help("a site file is some lines of TOML; check that this is the right file");
        return Err(problem);
    }
    Ok(bytes)
}

fn name_of(kind: fs::FileType) -> &'static str {
    match kind {
        _ if kind.is_fifo() => "a pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => {
            let mut problem = Problem::nowhere(format!("there is no site file `{shown}`"));
            if let Some(name) = neighbour(path) {
                problem.help(format!("did you mean `{}`?", path.with_file_name(name).display()));
            }
            problem.help("the command `init` writes a first one");
            problem
        }
        io::ErrorKind::IsADirectory => {
            let mut problem = Problem::nowhere(format!("`{shown}` is a folder, not a site file"));
            if path.join("site.toml").is_file() {
                problem.help(format!("did you mean `{}`?", path.join("site.toml").display()));
            } else {
                problem.help(format!("the command `init {shown}` writes a first site file into it"));
            }
            problem
        }
        io::ErrorKind::PermissionDenied => {
            let mut problem = Problem::nowhere(format!("the site file `{shown}` may not be read"));
            problem.help("let the user that runs the site read it and enter its folder");
            problem
        }
        io::ErrorKind::NotADirectory => {
            let mut problem = Problem::nowhere(format!("there is no site file `{shown}`"));
            problem.help("a part of this path is a file where a folder should be");
            problem
        }
        _ => Problem::nowhere(format!("the site file `{shown}` cannot be read: {error}")),
    }
}

/// A TOML file beside it whose name is like the one that was asked for.
fn neighbour(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = fs::read_dir(folder).ok()?.take(1000).filter_map(Result::ok);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let names: Vec<String> = names.filter(|name| name.ends_with(".toml")).collect();
    nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str)).map(str::to_owned)
}

/// TOML takes both ends of a line for one (TOML 1.0, "Newline"); pictures of the text do not.
pub(super) fn plain(text: &str) -> String {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text).replace("\r\n", "\n")
}

/// The text, and where it stops to be UTF-8.
pub(super) fn decode(bytes: Vec<u8>) -> (String, Option<Problem>) {
    let (bytes, at) = match String::from_utf8(bytes) {
        Ok(text) => return (text, None),
        Err(error) => (error.as_bytes().to_owned(), error.utf8_error().valid_up_to()),
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mark = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
    let at = at.saturating_sub(mark);
    let mut problem =
        Problem::new(at..at + char::REPLACEMENT_CHARACTER.len_utf8(), "the site file is not UTF-8");
    problem.label("this is no character of UTF-8");
    let utf_16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    problem.help(if utf_16 { "it looks like UTF-16: save it as UTF-8" } else { "save it as UTF-8" });
    (text, Some(problem))
}
