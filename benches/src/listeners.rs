//! Listeners that cost next to nothing and that no optimiser can see through.

use std::hint::black_box;

/// What a bare loop calls.
pub type Hear = Box<dyn Fn(&u64) + Send + Sync>;

/// How alike the listeners are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One function a hundred times: the processor predicts every call.
    Alike,
    /// A hundred functions, each with machine code of its own.
    Distinct,
}

/// Somebody who takes closures: a bare vector, a channel. Generic, so that everybody gets the same closures and wraps
/// them in its own way.
pub trait Audience {
    /// Takes one.
    fn take(&mut self, listener: impl Fn(&u64) + Send + Sync + 'static);
}

/// Gives `count` listeners, 100 at most, to an audience. Each owns a value, so each is a memory block of its own.
pub fn listeners(kind: Kind, count: usize, audience: &mut impl Audience) {
    match kind {
        Kind::Alike => (0..count).for_each(|_| alike(audience)),
        Kind::Distinct => distinct(count, audience),
    }
}

fn alike(audience: &mut impl Audience) {
    let salt = black_box(7_u64);
    audience.take(move |message| {
        black_box(message.wrapping_add(salt));
    });
}

/// The number is part of the code, so that identical functions are not merged into one.
fn one_of_many<const NUMBER: u64>(audience: &mut impl Audience) {
    let salt = black_box(NUMBER);
    audience.take(move |message| {
        black_box(message.wrapping_add(salt) ^ (NUMBER * 0x9e37 + 1));
    });
}

fn distinct<A: Audience>(count: usize, audience: &mut A) {
    macro_rules! table {
        ($($tens:literal)*) => { [$(
            one_of_many::<{ $tens * 10 }>, one_of_many::<{ $tens * 10 + 1 }>, one_of_many::<{ $tens * 10 + 2 }>,
            one_of_many::<{ $tens * 10 + 3 }>, one_of_many::<{ $tens * 10 + 4 }>, one_of_many::<{ $tens * 10 + 5 }>,
            one_of_many::<{ $tens * 10 + 6 }>, one_of_many::<{ $tens * 10 + 7 }>, one_of_many::<{ $tens * 10 + 8 }>,
            one_of_many::<{ $tens * 10 + 9 }>,
        )*] };
    }
    let givers: [fn(&mut A); 100] = table!(0 1 2 3 4 5 6 7 8 9);
    givers.iter().take(count).for_each(|give| give(audience));
}

impl Audience for Vec<Hear> {
    fn take(&mut self, listener: impl Fn(&u64) + Send + Sync + 'static) {
        self.push(Box::new(listener));
    }
}

impl Audience for sitebus_bus::Channel<u64> {
    fn take(&mut self, listener: impl Fn(&u64) + Send + Sync + 'static) {
        self.subscribe("listener", listener);
    }
}
