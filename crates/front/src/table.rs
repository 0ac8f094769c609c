//! Checked routes, longest path first.

use std::collections::HashMap;

use crate::app::App;
use crate::error::{Fault, PathFault, RouteError, RouteErrors};
use crate::files::FileServer;
use crate::path;
use crate::redirect::Away;
use crate::respond::Answer;
use crate::routes::{Kind, Routes};

/// Up to here comparing the entries one by one, at a few nanoseconds each, beats looking them up.
const FEW: usize = 24;

/// Redirects are followed so far in search of a loop. Clients give up after twenty or so.
const HOPS: usize = 64;

#[derive(Debug)]
pub(crate) struct Table {
    entries: Vec<Entry>,
    index: Index,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    pub(crate) target: Target,
    index: usize,
}

#[derive(Debug)]
pub(crate) enum Target {
    Files(FileServer),
    Respond(Answer),
    Redirect(Away),
    App(App),
}

impl Table {
    pub(crate) fn build(routes: &Routes) -> Result<Table, RouteErrors> {
        let mut entries = Vec::with_capacity(routes.list.len());
        let mut errors = Vec::new();
        let mut taken = HashMap::new();
        for (index, (path, kind)) in routes.list.iter().enumerate() {
            let mut fail = |fault| errors.push(RouteError { index, path: path.clone(), fault });
            let place = Place::parse(path, kind).map_err(|why| fail(Fault::Path { why })).ok();
            let target = Target::check(kind, place.as_ref()).map_err(&mut fail).ok();
            let Some(place) = place else { continue };
            if let Some(first) = taken.insert(place.clone(), index) {
                fail(Fault::Twice { first, path: routes.list[first].0.clone() });
            }
            if let Some(target) = target {
                entries.push(Entry { place, target, index });
            }
        }
        // The longest path first; of two on one path, the exact route before the subtree.
        entries.sort_by_key(|entry| (std::cmp::Reverse(entry.place.plain.len()), entry.place.subtree));
        let table = Table { index: Index::of(&entries), entries };
        errors.extend(table.loops(routes));
        if errors.is_empty() {
            return Ok(table);
        }
        errors.sort_by_key(RouteError::index);
        Err(RouteErrors::new(errors))
    }

    pub(crate) fn find(&self, plain: &[u8]) -> Option<&Entry> {
        if self.entries.len() <= FEW {
            return self.entries.iter().find(|entry| entry.place.holds(plain));
        }
        self.entries.get(self.index.find(plain)?)
    }

    fn loops(&self, routes: &Routes) -> Vec<RouteError> {
        let looping = |entry: &&Entry| self.comes_back(entry);
        let fault = |entry: &Entry| match &routes.list[entry.index] {
            (path, Kind::Redirect(redirect)) => Some(RouteError {
                index: entry.index,
                path: path.clone(),
                fault: Fault::Loop { target: redirect.target().to_owned() },
            }),
            _ => None,
        };
        self.entries.iter().filter(looping).filter_map(fault).collect()
    }

    /// Follows a redirect through the other redirects of this site, as a client would that asked for its path.
    fn comes_back(&self, start: &Entry) -> bool {
        let mut at = (start, Vec::new());
        for _ in 0..HOPS {
            let Target::Redirect(away) = &at.0.target else { return false };
            let next = away.own_path(&at.1);
            let Some(Ok(plain)) = next.as_deref().map(path::plain) else { return false };
            let Some(entry) = self.find(&plain) else { return false };
            if std::ptr::eq(entry, start) {
                return true;
            }
            at = (entry, entry.place.below(&plain).to_vec());
        }
        false
    }
}

/// Which entry answers for a path, for sites of thousands of routes.
#[derive(Debug, Default)]
struct Index {
    /// The first entry at each path.
    whole: HashMap<Box<[u8]>, usize>,
    /// The entry for what is below each path.
    subtrees: HashMap<Box<[u8]>, usize>,
    /// The length of the longest path in `subtrees`: a request with a thousand slashes must not cost a thousand looks.
    longest: usize,
}

impl Index {
    fn of(entries: &[Entry]) -> Index {
        let mut index = Index::default();
        for (at, Entry { place, .. }) in entries.iter().enumerate() {
            index.whole.entry(place.plain.clone()).or_insert(at);
            if place.subtree {
                index.subtrees.entry(place.plain.clone()).or_insert(at);
                index.longest = index.longest.max(place.plain.len());
            }
        }
        index
    }

    fn find(&self, plain: &[u8]) -> Option<usize> {
        if let Some(at) = self.whole.get(plain) {
            return Some(*at);
        }
        let end = plain.len().min(self.longest + 1);
        let slashes = (0..end).rev().filter(|at| plain[*at] == b'/');
        slashes.filter_map(|at| self.subtrees.get(&plain[..at])).copied().next()
    }
}

impl Target {
    fn check(kind: &Kind, place: Option<&Place>) -> Result<Target, Fault> {
        Ok(match kind {
            Kind::Files(files) => {
                let mount = place.map(|place| path::encoded(&place.plain)).unwrap_or_default();
                Target::Files(FileServer::new(&files.check()?, files, &mount))
            }
            Kind::Respond(respond) => Target::Respond(respond.check()?),
            Kind::Redirect(redirect) => Target::Redirect(redirect.check()?),
            Kind::App(app) => Target::App(app.clone()),
        })
    }
}

/// Where a route is: its plain path without a slash at the end, and whether all below it is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    plain: Box<[u8]>,
    subtree: bool,
}

impl Place {
    fn parse(text: &str, kind: &Kind) -> Result<Place, PathFault> {
        if !text.starts_with('/') {
            return Err(PathFault::NoSlash);
        }
        if text.contains(['?', '#']) {
            return Err(PathFault::QueryOrFragment);
        }
        if text.contains("//") {
            return Err(PathFault::EmptySegment);
        }
        let plain = path::plain(text).map_err(|_| PathFault::DotSegment)?;
        if plain.iter().any(|byte| *byte == b'\\' || byte.is_ascii_control())
            || plain.windows(3).any(|part| part == b"%2F")
        {
            return Err(PathFault::Odd);
        }
        let pattern = |segment: &[u8]| segment.starts_with(b"*") || segment.starts_with(b"{");
        if plain.split(|byte| *byte == b'/').any(pattern) {
            return Err(PathFault::Pattern);
        }
        let below = plain.strip_suffix(b"/");
        let subtree = below.is_some() || matches!(kind, Kind::Files(_) | Kind::App(_));
        Ok(Place { plain: below.unwrap_or(&plain).into(), subtree })
    }

    fn holds(&self, plain: &[u8]) -> bool {
        match plain.strip_prefix(&*self.plain) {
            Some(b"") => true,
            Some(below) => self.subtree && below[0] == b'/',
            None => false,
        }
    }

    /// What a plain path that this place holds has more than it: nothing, or something that begins with a slash.
    pub(crate) fn below<'a>(&self, plain: &'a [u8]) -> &'a [u8] {
        plain.strip_prefix(&*self.plain).unwrap_or(plain)
    }

    pub(crate) fn segments(&self) -> usize {
        self.plain.iter().filter(|byte| **byte == b'/').count()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use proptest::prelude::*;

    use super::*;
    use crate::{Redirect, Respond};

    #[test]
    fn a_long_chain_of_redirects_is_checked_in_no_time() {
        let chain = (0..5000).fold(Routes::new(), |routes, number| {
            routes.redirect(format!("/page{number}"), Redirect::to(format!("/page{}", number + 1)))
        });
        Table::build(&chain).unwrap();
        let errors = Table::build(&chain.redirect("/page5000", Redirect::to("/page4990"))).unwrap_err();
        assert_eq!(errors.list().len(), 11, "{errors}");
    }

    proptest! {
        #[test]
        fn what_is_looked_up_is_what_comparing_finds(
            paths in proptest::collection::vec("(/[ab]{1,2}){0,3}/?", 1..40),
            asked in proptest::collection::vec("(/[ab]{0,2}){1,5}", 1..40),
        ) {
            let mut paths: Vec<String> = paths.into_iter().map(|path| format!("/{}", path.trim_start_matches('/'))).collect();
            paths.sort();
            paths.dedup();
            let add = |routes: Routes, path: &String| routes.respond(path.as_str(), Respond::new("x"));
            let table = Table::build(&paths.iter().fold(Routes::new(), add)).unwrap();
            for asked in &asked {
                let compared = table.entries.iter().position(|entry| entry.place.holds(asked.as_bytes()));
                prop_assert_eq!(table.index.find(asked.as_bytes()), compared, "{}", asked);
            }
        }
    }
}
