//! The events of `tracing` as lines of the log.

use std::sync::Arc;

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, set_global_default};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::layer::{Context, Filter, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};

use crate::error::LogError;
use crate::line::{Line, Said};
use crate::log::{Inner, Log};
use crate::spans;

impl Log {
    /// Takes the events of `tracing`, in the whole process and until it ends. For `main` alone: a library or a plugin that
    /// did so would take from the program what is its own.
    ///
    /// Lines of a bus that nobody listens to are such events, so this alone shows them too. Makes no thread.
    ///
    /// # Errors
    /// [`LogError::Installed`], and nothing has changed.
    pub fn install(&self) -> Result<(), LogError> {
        let layer = Events(Arc::clone(&self.0)).with_filter(Choice(Arc::clone(&self.0)));
        set_global_default(Registry::default().with(layer)).map_err(|_| LogError::Installed)
    }
}

/// Makes a line of each event.
struct Events(Arc<Inner>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Events {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let said = Said::by(|visitor| event.record(visitor));
        let (level, source) = (*metadata.level(), said.source.as_deref().unwrap_or(metadata.target()));
        if names_its_source(metadata) && !self.0.now().settings.filter.passes(source, level) {
            return;
        }
        let spans = spans::around(event, &context);
        let mut line = Line::new(level, source, &said.message);
        (line.fields, line.spans) = (&said.fields, &spans);
        self.0.write(&line);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        spans::begin(attributes, id, &context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        spans::record(id, values, &context);
    }
}

/// Whether an event counts under the source that it names, as a line of the bus does: the bus writes one where nobody listens
/// to its log. Elsewhere a field of that name means what it means.
fn names_its_source(metadata: &Metadata<'_>) -> bool {
    metadata.is_event()
        && metadata.target().starts_with("sitebus")
        && metadata.fields().field("source").is_some()
}

/// Which events are made into lines: what the filter says at the moment.
struct Choice(Arc<Inner>);

impl Choice {
    fn ask<R>(&self, question: impl FnOnce(&EnvFilter) -> R) -> R {
        question(&self.0.now().events)
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Filter<S> for Choice {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        names_its_source(metadata) || self.ask(|filter| Filter::<S>::enabled(filter, metadata, context))
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if names_its_source(metadata) {
            return Interest::always();
        }
        self.ask(|filter| Filter::<S>::callsite_enabled(filter, metadata))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.ask(|filter| Filter::<S>::max_level_hint(filter))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.ask(|filter| Filter::<S>::on_new_span(filter, attributes, id, context));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.ask(|filter| Filter::<S>::on_record(filter, id, values, context));
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.ask(|filter| Filter::<S>::on_enter(filter, id, context));
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.ask(|filter| Filter::<S>::on_exit(filter, id, context));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.ask(|filter| Filter::<S>::on_close(filter, id, context));
    }
}
