//! What the spans round an event say.

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::line::{Fields, Gather};

/// A type of our own: other layers keep theirs beside it.
struct Told(Fields);

pub(crate) fn begin<S: Subscriber + for<'a> LookupSpan<'a>>(
    attributes: &Attributes<'_>,
    id: &Id,
    context: &Context<'_, S>,
) {
    let mut fields = Fields::new();
    attributes.record(&mut Gather(&mut fields));
    if let Some(span) = context.span(id) {
        span.extensions_mut().replace(Told(fields));
    }
}

pub(crate) fn record<S: Subscriber + for<'a> LookupSpan<'a>>(
    id: &Id,
    values: &Record<'_>,
    context: &Context<'_, S>,
) {
    let mut new = Fields::new();
    values.record(&mut Gather(&mut new)); // the values are foreign code, so not under the span's lock
    let Some(span) = context.span(id) else { return };
    let mut extensions = span.extensions_mut();
    let Some(Told(fields)) = extensions.get_mut() else { return };
    fields.retain(|(name, _)| new.iter().all(|(known, _)| known != name));
    fields.extend(new);
}

/// The spans round an event, outermost first.
pub(crate) fn around<S: Subscriber + for<'a> LookupSpan<'a>>(
    event: &Event<'_>,
    context: &Context<'_, S>,
) -> Vec<(&'static str, Fields)> {
    let scope = context.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
    scope
        .map(|span| {
            let fields = span.extensions().get::<Told>().map(|Told(fields)| fields.clone());
            (span.name(), fields.unwrap_or_default())
        })
        .collect()
}
