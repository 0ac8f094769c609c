//! `[autoreload]`

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::autoreload::{Action, Before, Program, Settings};
use crate::site::{Check, Period, Section, Spanned};

/// `[autoreload]`: a site that follows changes of its files.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AutoreloadSection {
    /// Whether files are watched without `--autoreload` too. By default not.
    pub enabled: Option<bool>,
    /// Files, and folders with all that is in them.
    pub paths: Option<Vec<PathBuf>>,
    /// Of the files in folders only those that match one of these globs.
    pub include: Option<Spanned<Vec<String>>>,
    /// Of the files in folders none that matches one of these globs.
    pub ignore: Option<Spanned<Vec<String>>>,
    /// Whether `.gitignore` and `.ignore` files are respected. By default they are.
    pub ignore_files: Option<bool>,
    /// Whether the program itself is watched. By default it is.
    pub program: Option<bool>,
    /// How long nothing may happen before a change counts as complete.
    pub settle: Option<Period>,
    /// Looks at all files in this interval instead of asking the kernel for events.
    pub poll: Option<Spanned<Period>>,
    /// A command that must succeed before a change is acted on, and its arguments.
    pub command: Option<Spanned<Vec<String>>>,
    /// How long the command may take.
    pub command_timeout: Option<Period>,
    /// What a change leads to: `"restart"` or `"reload"`.
    pub action: Option<Spanned<String>>,
}

const ACTIONS: [(&str, Action); 2] = [("restart", Action::Restart), ("reload", Action::Graceful)];

impl AutoreloadSection {
    /// As settings of the plugin; paths count from `folder`, and what must outlive the process is in `state`.
    pub fn settings(&self, folder: &Path, state: &Path) -> Settings {
        let mut settings = Settings::of(self.paths.iter().flatten());
        settings.folder = Some(folder.to_owned());
        settings.brake.file = Some(state.join("autoreload"));
        settings.include = self.include.as_ref().map(|globs| globs.to_vec()).unwrap_or_default();
        settings.ignore = self.ignore.as_ref().map(|globs| globs.to_vec()).unwrap_or_default();
        settings.ignore_files = self.ignore_files.unwrap_or(settings.ignore_files);
        if self.program == Some(false) {
            settings.program = Program::Unwatched;
        }
        settings.settle = self.settle.map_or(settings.settle, Period::get);
        settings.poll = self.poll.as_ref().map(|interval| interval.get());
        settings.before = self.command.as_ref().map(|command| self.before(command));
        let action = self.action.as_ref().and_then(|name| action(name));
        settings.action = action.unwrap_or(settings.action);
        settings
    }

    fn before(&self, command: &[String]) -> Before {
        let mut before = Before::new(command.iter().cloned());
        before.patience = self.command_timeout.map_or(before.patience, Period::get);
        before
    }
}

fn action(name: &str) -> Option<Action> {
    ACTIONS.iter().find(|(known, _)| *known == name).map(|(_, action)| *action)
}

impl Section for AutoreloadSection {
    fn check(&self, check: &mut Check<'_>) {
        if let Some(name) = &self.action
            && action(name).is_none()
        {
            check
                .problem(name, format!("a change cannot lead to `{}`", **name))
                .help("write `restart` or `reload`");
        }
        let spans = [
            self.command.as_ref().map(Spanned::span),
            self.poll.as_ref().map(Spanned::span),
            self.include.as_ref().map(Spanned::span),
            self.ignore.as_ref().map(Spanned::span),
        ];
        // One after the other, so that each is pointed at by itself.
        for (place, span) in spans.into_iter().enumerate() {
            let Some(span) = span else { continue };
            let mut alone = AutoreloadSection::default();
            match place {
                0 => alone.command = self.command.clone(),
                1 => alone.poll = self.poll.clone(),
                2 => alone.include = self.include.clone(),
                _ => alone.ignore = self.ignore.clone(),
            }
            if let Err(error) = alone.settings(check.folder(), check.folder()).check() {
                check.problem(span, error.to_string());
            }
        }
    }
}
