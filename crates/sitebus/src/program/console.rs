//! What a person at a terminal sees: one line an event, who says it first.

use std::fmt;
use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Sends the log to standard error, with colours only on a terminal. `RUST_LOG` chooses what is shown.
///
/// Does nothing if the program has a subscriber of its own.
pub(crate) fn install() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .event_format(Line)
        .finish();
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// `2026-11-21T08:15:30.123456Z  INFO http: serving on http://127.0.0.1:8080`
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        let style = if writer.has_ansi_escapes() { style(level) } else { Style::new() };
        SystemTime.format_time(&mut writer)?;
        write!(writer, " {style}{level:>5}{style:#} ")?;
        let mut said = Said::default();
        event.record(&mut said);
        let source = said.source.as_deref().unwrap_or(event.metadata().target());
        writeln!(writer, "{source}: {}{}", said.message, said.rest)
    }
}

fn style(level: Level) -> Style {
    let colour = match level {
        Level::ERROR => AnsiColor::Red,
        Level::WARN => AnsiColor::Yellow,
        Level::INFO => AnsiColor::Green,
        Level::DEBUG | Level::TRACE => AnsiColor::Blue,
    };
    colour.on_default().bold()
}

/// The fields of one event.
#[derive(Default)]
struct Said {
    source: Option<String>,
    message: String,
    rest: String,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        use fmt::Write;
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "source" => self.source = Some(format!("{value:?}")),
            name => {
                let _ = write!(self.rest, " {name}={value:?}"); // writing to a String cannot fail
            }
        }
    }
}

/// Says on standard error why the program ends, after whatever the log has said.
pub(crate) fn error(error: &dyn fmt::Display) {
    use std::io::Write;
    let style = style(Level::ERROR);
    let _ = writeln!(anstream::stderr(), "{style}error{style:#}: {error}"); // there is nowhere left to say so
}
