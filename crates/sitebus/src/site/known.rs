//! What a program knows: the sections that its plugins own, and the applications that it mounts.

use std::fmt;

use super::explain::header;
use super::file::SiteFile;
use super::names::{list, nearest};
use super::problem::Problem;
use super::report::Report;
use super::section::Section;
use super::sections::autoreload::AutoreloadSection;
use super::sections::daemon::DaemonSection;
use super::sections::http::HttpSection;
use super::sections::log::LogSection;
use super::sections::pidfile::PidfileSection;
use super::sections::privileges::PrivilegesSection;
use super::sections::route::RouteSections;
use super::sections::signals::SignalsSection;
use super::sections::site::SiteSection;
use super::sections::systemd::SystemdSection;
use super::shape::{Shape, fields_of, shape_of};

/// The sections and applications that a program knows. A name in the file that is not among them is a mistake.
pub struct Known {
    sections: Vec<Entry>,
    apps: Vec<String>,
    needs_routes: bool,
}

struct Entry {
    name: String,
    repeated: bool,
    fields: &'static [&'static str],
    shape: fn() -> Shape,
    check: fn(&SiteFile, &str, &Known) -> Result<(), Report>,
}

/// Two plugins want the same section.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the section [{name}] already has an owner; choose another name for one of the two")]
pub struct NameTaken {
    name: String,
}

impl Known {
    /// What sitebus itself knows: `[site]`, `[http]`, `[[route]]`, and a section for each of its plugins.
    pub fn new() -> Known {
        let mut known = Known { sections: Vec::new(), apps: Vec::new(), needs_routes: true };
        known.add::<SiteSection>("site");
        known.add::<HttpSection>("http");
        known.add::<RouteSections>("route");
        known.add::<SignalsSection>("signals");
        known.add::<LogSection>("log");
        known.add::<DaemonSection>("daemon");
        known.add::<PidfileSection>("pidfile");
        known.add::<PrivilegesSection>("privileges");
        known.add::<AutoreloadSection>("autoreload");
        known.add::<SystemdSection>("systemd");
        known
    }

    /// Adds a section. Its name is the key in the file.
    ///
    /// # Errors
    ///
    /// If the name is taken.
    pub fn section<T: Section>(&mut self, name: &str) -> Result<(), NameTaken> {
        if self.sections.iter().any(|entry| entry.name == name) {
            return Err(NameTaken { name: name.to_owned() });
        }
        self.add::<T>(name);
        Ok(())
    }

    fn add<T: Section>(&mut self, name: &str) {
        self.sections.push(Entry {
            name: name.to_owned(),
            repeated: T::REPEATED,
            fields: fields_of::<T>(),
            shape: shape_of::<T>,
            check: |file, name, known| file.section_of::<T>(name, Some(known)).map(|_| ()),
        });
    }

    /// Adds an application, for `app = "name"` in a route.
    pub fn app(&mut self, name: impl Into<String>) {
        self.apps.push(name.into());
    }

    /// Whether a file without routes is a mistake. It is, unless the program has other things to serve.
    pub fn needs_routes(&mut self, needs: bool) {
        self.needs_routes = needs;
    }

    /// Whether a site serves over HTTP: unless nothing in its file is about that and the program has other things to do.
    pub(crate) fn serves(&self, file: &SiteFile) -> bool {
        let tree = file.tree();
        self.needs_routes || tree.contains_key("http") || tree.contains_key("route")
    }

    /// Checks the whole file: that every section is known, every key right and every value sensible.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file.
    pub fn check(&self, file: &SiteFile) -> Result<(), Report> {
        let mut problems = self.unknown(file);
        let guessed = !problems.is_empty();
        for entry in &self.sections {
            if let Err(report) = (entry.check)(file, &entry.name, self) {
                problems.extend(report.into_problems());
            }
        }
        if self.needs_routes && !guessed && !file.tree().contains_key("route") {
            problems.push(no_routes());
        }
        Report::unless_empty(&file.name, &file.sources, problems)
    }

    fn unknown(&self, file: &SiteFile) -> Vec<Problem> {
        let tree = file.tree();
        let strange = tree.iter().filter(|(key, _)| self.entry(key.get_ref()).is_none());
        strange
            .map(|(key, value)| {
                let is_section = value.get_ref().is_table() || is_array_of_tables(value.get_ref());
                self.explain_unknown(key.get_ref(), key.span().into(), is_section)
            })
            .collect()
    }

    fn explain_unknown(&self, name: &str, span: super::Span, is_section: bool) -> Problem {
        let nearest = nearest(name, self.sections.iter().map(|entry| &*entry.name));
        let title = if is_section {
            format!("there is no section `{name}`")
        } else {
            format!("`{name}` stands outside of every section")
        };
        let mut problem = Problem::new(span, title);
        if let Some(entry) = self.owner_of(name).filter(|_| !is_section) {
            problem.help(format!("put it below `{}`", header(&entry.name, entry.repeated)));
        } else if let Some(entry) = nearest.and_then(|name| self.entry(name)) {
            problem.help(format!("did you mean `{}`?", header(&entry.name, entry.repeated)));
        } else {
            let headers = self.sections.iter().map(|entry| header(&entry.name, entry.repeated));
            problem.help(format!("the sections are {}", list(headers)));
        }
        problem
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.sections.iter().find(|entry| entry.name == name)
    }

    fn owner_of(&self, key: &str) -> Option<&Entry> {
        self.sections.iter().find(|entry| entry.fields.contains(&key))
    }

    /// The header of another section that has this key.
    pub(super) fn other_section_with(&self, key: &str, section: &str) -> Option<String> {
        self.owner_of(key)
            .filter(|entry| entry.name != section)
            .map(|entry| header(&entry.name, entry.repeated))
    }

    /// What each section takes, in the order in which they became known.
    pub(super) fn shapes(&self) -> impl Iterator<Item = (&str, Shape)> {
        self.sections.iter().map(|entry| (&*entry.name, (entry.shape)()))
    }

    /// The keys of each section whose type is a plain table.
    #[cfg(test)]
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &[&str])> {
        let plain = self.sections.iter().filter(|entry| !entry.repeated);
        plain.map(|entry| (&*entry.name, entry.fields))
    }

    pub(super) fn routes_are_needed(&self) -> bool {
        self.needs_routes
    }

    pub(super) fn apps(&self) -> &[String] {
        &self.apps
    }
}

fn is_array_of_tables(value: &toml::de::DeValue<'_>) -> bool {
    value.as_array().is_some_and(|array| array.iter().any(|entry| entry.get_ref().is_table()))
}

fn no_routes() -> Problem {
    let mut problem = Problem::nowhere("the site has no routes, so it would serve nothing");
    problem.help("add one, for example\n[[route]]\npath = \"/\"\nstatic = \"public\"");
    problem
}

impl Default for Known {
    fn default() -> Known {
        Known::new()
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sections: Vec<&str> = self.sections.iter().map(|entry| &*entry.name).collect();
        f.debug_struct("Known")
            .field("sections", &sections)
            .field("apps", &self.apps)
            .field("needs_routes", &self.needs_routes)
            .finish()
    }
}
