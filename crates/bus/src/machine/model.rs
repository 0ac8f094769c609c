//! The exhaustive model: the shipped machine in small worlds, in every order in which anything can happen.
//!
//! A [`World`](world::World) says who listens, who asks what, and what may go wrong. The [explorer](explore) plays the shell
//! round the machine: the lane, the keeper, askers inside and outside. At each turn it tries every event that is possible
//! there, and goes on until no new situation is found. What happens is told as [facts](story::Fact), and every fact, every
//! situation and every end is held against the [rules](rules).
//!
//! Time is abstract: a deadline passes when the explorer says so, and `now` moves on to it. Panics are failures here, since
//! the shell makes them so.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![allow(clippy::print_stdout, reason = "how much was explored is the result")]

mod explore;
mod families;
mod rules;
mod story;
mod table;
mod world;

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use self::explore::{Seen, explore};
use self::world::World;

/// Fewer would prove little: the worlds must not shrink unnoticed.
const ENOUGH: usize = 200_000;

#[test]
fn every_small_world_keeps_every_promise() {
    let mut states = 0;
    for (family, worlds) in families::all() {
        let began = Instant::now();
        let seen = explore_all(&worlds).unwrap_or_else(|broken| panic!("{broken}"));
        states += seen.states;
        println!(
            "{family}: {} worlds, {} distinct states, {} turns in {:?}",
            worlds.len(),
            seen.states,
            seen.turns,
            began.elapsed()
        );
    }
    println!("{states} distinct states in all");
    assert!(states >= ENOUGH, "only {states} distinct states were explored, {ENOUGH} are due");
}

/// Explores them on all processors, up to the first broken promise.
fn explore_all(worlds: &[World]) -> Result<Seen, String> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut seen = Seen::default();
        while let Some(world) = worlds.get(next.fetch_add(1, Ordering::Relaxed)) {
            seen += explore(world).inspect_err(|_| next.store(worlds.len(), Ordering::Relaxed))?;
        }
        Ok(seen)
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let crew = (0..threads).map(|_| scope.spawn(work)).collect::<Vec<_>>();
        let seen = crew.into_iter().map(|member| member.join().unwrap_or_else(|panic| resume_unwind(panic)));
        seen.collect::<Result<Vec<_>, String>>().map(|seen| {
            let mut all = Seen::default();
            seen.into_iter().for_each(|seen| all += seen);
            all
        })
    })
}
