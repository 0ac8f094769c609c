//! What a process was started as, so that it can be started again in its own place.
//!
//! Taken at the very start, before anything has changed directory, arguments or environment. Executing it (execve(2)) keeps
//! the process, its number and its children, and whatever a [parcel](crate::parcel) hands on; everything else is new.
//!
//! **Which file** is the question that goes wrong most: the kernel's answer, `/proc/self/exe`, is a path without symbolic
//! links, so an upgrade that turns a link would never be seen, and it ends in ` (deleted)` once the file was replaced by
//! another. So the path is the one that the program was *called* by, as long as that is the file that runs.

use crate::executable::{self, Head, RUNNING};
use crate::parcel::{Item, Parcel, VARIABLE};
use crate::signal::{Disposition, Signal};
use nix::fcntl::AtFlags;
use nix::unistd::{AccessFlags, execve, faccessat};
use std::convert::Infallible;
use std::env;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program with its arguments, its directory and its environment.
#[derive(Clone, Debug)]
pub struct Image {
    program: PathBuf,
    arguments: Vec<OsString>,
    /// Unless it was gone already.
    folder: Option<PathBuf>,
    environment: Vec<(OsString, OsString)>,
}

/// Why an image cannot be executed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The process does not know what it was started as.
    #[error("finding out {what} failed: {cause}")]
    Unknown {
        /// What was to be found out.
        what: &'static str,
        /// What the system says.
        cause: io::Error,
    },
    /// The file is not there, or cannot be looked at.
    #[error("the program {} is not there any more ({cause}); put it back", program.display())]
    Gone {
        /// Its path.
        program: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The file is there, but would not run.
    #[error("the program {} would not run: {what}; install it again", program.display())]
    Unfit {
        /// Its path.
        program: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The directory is not there, or was not there when the program was started.
    #[error(
        "the folder that the program was started in is gone{} ({cause}); make it again, or start the program in another",
        Named(folder.as_deref())
    )]
    NoFolder {
        /// Its path, if it ever had one.
        folder: Option<PathBuf>,
        /// What the system says.
        cause: io::Error,
    },
    /// The system refused.
    #[error("executing {} failed: {cause}", program.display())]
    Refused {
        /// The program.
        program: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl Image {
    /// What this process was started as. To be called first of all in `main`.
    ///
    /// # Errors
    /// [`ImageError::Unknown`] if the system does not tell.
    pub fn capture() -> Result<Image, ImageError> {
        let folder = env::current_dir().ok();
        let arguments: Vec<_> = env::args_os().collect();
        let called =
            arguments.first().and_then(|name| called(name, folder.as_deref().unwrap_or(Path::new("/"))));
        let program = match called {
            Some(program) => program,
            None => executable::running()
                .map_err(|cause| ImageError::Unknown { what: "the path of the program", cause })?,
        };
        let environment = env::vars_os().filter(|(name, _)| name != VARIABLE).collect();
        Ok(Image { program, arguments, folder, environment })
    }

    /// The path that is executed.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// With another program.
    #[must_use]
    pub fn with_program(mut self, program: impl Into<PathBuf>) -> Image {
        self.program = program.into();
        self
    }

    /// With another directory.
    #[must_use]
    pub fn with_folder(mut self, folder: impl Into<PathBuf>) -> Image {
        self.folder = Some(folder.into());
        self
    }

    /// Without these variables in its environment: what they said was for this process alone.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Image {
        self.environment.retain(|(name, _)| names.iter().all(|known| name != known));
        self
    }

    /// Looks whether it could be executed: the file is there, complete, executable, and made for this machine. Only
    /// executing it is a proof.
    ///
    /// # Errors
    /// [`ImageError`] says what stands in the way.
    pub fn check(&self) -> Result<(), ImageError> {
        let program = &self.program;
        let gone = |cause| ImageError::Gone { program: program.clone(), cause };
        let unfit = |what: &str| ImageError::Unfit { program: program.clone(), what: what.to_owned() };
        let folder = self.folder.as_ref().ok_or(io::ErrorKind::NotFound.into()).and_then(fs::metadata);
        folder.map_err(|cause| ImageError::NoFolder { folder: self.folder.clone(), cause })?;
        // Not opened before it is known to be a file: opening a fifo would wait.
        let is = fs::metadata(program).map_err(gone)?;
        if !is.is_file() {
            return Err(unfit("it is no regular file"));
        }
        faccessat(nix::fcntl::AT_FDCWD, program, AccessFlags::X_OK, AtFlags::AT_EACCESS)
            .map_err(|_| unfit("it may not be executed"))?;
        match Head::of(program) {
            Ok(head) => head.fits(is.len()).map_err(|what| unfit(&what)),
            // What may be executed but not read can only be tried.
            Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            Err(cause) => Err(gone(cause)),
        }
    }

    /// The same program, directory and environment with other arguments, as a process of its own.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().envs(self.environment.iter().cloned());
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    /// Executes it in the place of this process, which hands it the items. All other descriptors but the standard streams
    /// are closed.
    ///
    /// It returns only if that failed, with the items; then the process is what it was, but that descriptors which a child would
    /// have inherited are closed on exec from then on.
    pub fn execute(&self, items: Vec<Item>) -> (ImageError, Vec<Item>) {
        let refused = |cause| ImageError::Refused { program: self.program.clone(), cause };
        let parcel = match Parcel::pack(items) {
            Ok(parcel) => parcel,
            Err((cause, items)) => return (refused(cause), items),
        };
        let cause = self.execute_with(&parcel).unwrap_or_else(|cause| cause);
        (refused(cause), parcel.take_back())
    }

    fn execute_with(&self, parcel: &Parcel) -> io::Result<io::Error> {
        let program = CString::new(self.program.as_os_str().as_bytes())?;
        let arguments = self.arguments.iter().map(|argument| CString::new(argument.as_bytes()));
        let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
        let variable = (OsString::from(VARIABLE), parcel.variable()?);
        let environment = self
            .environment
            .iter()
            .chain([&variable])
            .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()));
        let environment = environment.collect::<Result<Vec<_>, _>>()?;
        parcel.open_for_exec()?;
        let here = env::current_dir();
        // What Rust's runtime ignores is still ignored after an exec, by whatever that runs.
        let before = Disposition::default_action().put(Signal::PIPE);
        let failed = self.go_and_execute(&program, &arguments, &environment);
        let _ = before.and_then(|before| before.put(Signal::PIPE));
        #[expect(clippy::disallowed_methods, reason = "it may have gone to its directory before it failed")]
        let _ = here.and_then(env::set_current_dir);
        Ok(failed)
    }

    /// Not by execvp(3), nor by what is made of it: that has a shell run what the kernel refuses, and that shell would be all
    /// that is left of this process.
    fn go_and_execute(&self, program: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error {
        #[expect(
            clippy::disallowed_methods,
            reason = "the directory of the image that takes the place of this one"
        )]
        let gone = self.folder.as_ref().map_or(Ok(()), env::set_current_dir);
        match gone {
            Ok(()) if arguments.is_empty() => failure(execve(program, &[program], environment)),
            Ok(()) => failure(execve(program, arguments, environment)),
            Err(cause) => cause,
        }
    }
}

fn failure(executed: nix::Result<Infallible>) -> io::Error {
    let Err(cause) = executed;
    cause.into()
}

struct Named<'a>(Option<&'a Path>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |path| write!(f, ": {}", path.display()))
    }
}

/// The path that the program was called by, without a detour over links, if that is the file that runs.
fn called(name: &OsStr, folder: &Path) -> Option<PathBuf> {
    let runs = fs::metadata(RUNNING).ok()?;
    let is_it = |path: &PathBuf| fs::metadata(path).is_ok_and(|is| identity(&is) == identity(&runs));
    if name.as_bytes().contains(&b'/') {
        return Some(folder.join(name)).filter(is_it);
    }
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|place| folder.join(place).join(name)).find(is_it)
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}
