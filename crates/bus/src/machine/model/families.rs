//! The worlds that are explored, in families.

use super::world::{End, Wish, World};

use End::{Exits, Fails};
use Wish::{Exit, Graceful, Hurry, Restart, Settings, Start, Stop};

/// All wishes of which the table speaks.
const WISHES: [Wish; 7] = [Start, Stop, Graceful, Settings, Exit(0), Exit(3), Restart];
/// One of each kind.
const KINDS: [Wish; 5] = [Start, Stop, Graceful, Exit(0), Restart];

pub(super) fn all() -> Vec<(&'static str, Vec<World>)> {
    vec![
        ("two askers with two wishes each, one of each kind, and nobody listens", every_pair_of_scripts()),
        (
            "three askers with one wish each, every one there is, and one listener that may fail",
            every_three_wishes(),
        ),
        ("listeners of all sorts, which may fail or exit", all_sorts_of_listeners()),
        ("listeners that ask", listeners_that_ask()),
        ("steps that overrun and report late", overruns()),
    ]
}

fn every_pair_of_scripts() -> Vec<World> {
    let scripts = KINDS.iter().flat_map(|first| KINDS.map(|second| [*first, second])).collect::<Vec<_>>();
    let nobody = World::of(&[], &[], &[], &[]);
    let pairs = scripts.iter().enumerate().flat_map(|(index, one)| {
        let nobody = &nobody;
        scripts[index..].iter().map(move |other| nobody.clone().asked(&[one, other]))
    });
    pairs.collect()
}

fn every_three_wishes() -> Vec<World> {
    let one = World::of(&[Some(1)], &[Some(1)], &[Some(1)], &[Some(1)]).looks(1).ends(&[End::Ok, Fails]);
    let mut worlds = Vec::new();
    for (first, a) in WISHES.iter().enumerate() {
        for (second, b) in WISHES.iter().enumerate().skip(first) {
            for c in &WISHES[second..] {
                worlds.push(one.clone().asked(&[&[*a], &[*b], &[*c]]));
            }
        }
    }
    worlds
}

fn all_sorts_of_listeners() -> Vec<World> {
    let crowds = [
        World::of(&[None], &[None], &[None], &[None]).looks(1),
        World::of(&[Some(1), Some(2)], &[Some(2), None, Some(1)], &[None], &[]),
        World::of(&[Some(1), None], &[Some(3), Some(1)], &[Some(3)], &[]),
        World::of(&[Some(1), Some(1), Some(2)], &[Some(2), Some(1), Some(1)], &[], &[]),
        World::of(&[], &[None], &[None, Some(1), None], &[]),
        World::of(&[Some(1)], &[Some(1)], &[], &[Some(1), None]),
        World::of(&[], &[], &[None], &[None, Some(1), Some(2)]),
        World::of(&[Some(1)], &[Some(1)], &[None], &[]).looks(2),
    ];
    let asked: [&[&[Wish]]; 4] = [
        &[&[Start, Stop], &[Exit(0)]],
        &[&[Start, Stop], &[Start]],
        &[&[Start, Graceful], &[Restart]],
        &[&[Stop], &[Exit(0)]],
    ];
    let ends: [&[End]; 2] = [&[End::Ok, Fails, Exits(0)], &[End::Ok, Fails, Exits(4)]];
    let mut worlds = Vec::new();
    for crowd in crowds {
        for (index, asked) in asked.iter().enumerate() {
            worlds.push(crowd.clone().asked(asked).ends(ends[index % 2]));
        }
    }
    worlds
}

fn listeners_that_ask() -> Vec<World> {
    let crowd = World::of(&[Some(1), None], &[Some(1)], &[None], &[Some(1)]).looks(1).ends(&[End::Ok, Fails]);
    let asked: [&[&[Wish]]; 3] = [&[&[Start, Graceful]], &[&[Start], &[Exit(0)]], &[&[Restart]]];
    let inside: [&[Wish]; 6] = [
        &[Exit(0)],
        &[Exit(3), Exit(0)],
        &[Stop, Start],
        &[Restart, Exit(0)],
        &[Graceful, Settings],
        &[Start, Hurry],
    ];
    let all = asked.iter().flat_map(|asked| {
        let crowd = &crowd;
        inside.map(move |inside| crowd.clone().asked(asked).asked_inside(inside))
    });
    all.collect()
}

fn overruns() -> Vec<World> {
    let crowds = [
        World::of(&[Some(1), None, None], &[Some(1)], &[None], &[]),
        World::of(&[Some(1)], &[Some(1), None, None], &[None, None, None], &[]),
        World::of(&[], &[], &[None], &[Some(1), None, None]),
        World::of(&[], &[None], &[None], &[]).looks(3),
    ];
    let asked: [(&[&[Wish]], u8); 6] = [
        (&[&[Start, Graceful]], 2),
        (&[&[Stop, Exit(0)]], 2),
        (&[&[Start], &[Exit(0)]], 1),
        (&[&[Start, Stop], &[Restart]], 1),
        (&[&[Graceful], &[Exit(0)]], 1),
        (&[&[Restart], &[Exit(0)]], 2),
    ];
    let ends = [End::Ok, Exits(0)];
    let all = crowds.iter().flat_map(|crowd| {
        asked.map(|(asked, overruns)| crowd.clone().asked(asked).ends(&ends).overruns(overruns))
    });
    let mut worlds = all.collect::<Vec<_>>();
    let lost_ones_ask = World::of(&[Some(1)], &[Some(1)], &[None], &[Some(1)]).asked(&[&[Start, Graceful]]);
    worlds.push(lost_ones_ask.clone().asked_inside(&[Exit(0), Start]).overruns(1));
    worlds.push(lost_ones_ask.asked_inside(&[Restart, Stop]).overruns(1));
    worlds
}
