//! What a person at a terminal sees: one line an event, who says it first.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::io;
use std::panic::PanicHookInfo;
use std::sync::Mutex;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::stderr::Stderr;

/// Sends the log to standard error, with colours only on a terminal. `RUST_LOG` chooses what is shown.
///
/// Does nothing if the program has a subscriber of its own.
pub(crate) fn install() {
    let asked = std::env::var("RUST_LOG").ok().filter(|asked| !asked.trim().is_empty());
    let filter = asked.map(EnvFilter::try_new).unwrap_or_else(|| Ok(EnvFilter::new(DEFAULT)));
    let wrong = filter.as_ref().err().map(ToString::to_string);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| EnvFilter::new(DEFAULT)))
        .with_writer(Mutex::new(Stderr::default()))
        .with_ansi(colours())
        .event_format(Line)
        .finish();
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        return;
    }
    // The hook that is there by itself writes as it likes, and waits for as long as standard error is full.
    std::panic::set_hook(Box::new(log_panic));
    if let Some(wrong) = wrong {
        tracing::warn!(source = "log", "RUST_LOG is not understood ({wrong}) and counts as `{DEFAULT}`");
    }
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("without a name");
    let backtrace = Backtrace::capture();
    let trace = match backtrace.status() {
        BacktraceStatus::Captured => format!("\n{backtrace}"),
        _ => String::new(),
    };
    tracing::error!(source = "panic", "thread '{name}' {panic}{trace}");
}

/// What is shown unless `RUST_LOG` says otherwise.
const DEFAULT: &str = "info";

/// As for everything else that is printed: `NO_COLOR`, `CLICOLOR_FORCE` and `TERM` are heeded.
fn colours() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
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
        writeln!(writer, "{source}: {}{}", Tame(&said.message), Tame(&said.rest))
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

/// Text from anywhere, such that nothing in it passes for a line of its own or talks to the terminal.
struct Tame<'a>(&'a str);

impl fmt::Display for Tame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        self.0.chars().try_for_each(|c| match c {
            '\n' => f.write_str("\n    "),
            '\t' => f.write_char(c),
            _ if c.is_control() => write!(f, "{}", c.escape_default()),
            _ => f.write_char(c),
        })
    }
}

/// The fields of one event.
#[derive(Default)]
struct Said {
    source: Option<String>,
    message: String,
    rest: String,
}

impl Visit for Said {
    /// Without the quotes that its debug form has.
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

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

/// Whether standard error has everything that the bus says of failures: it has unless `RUST_LOG` holds it back, or the
/// program has a subscriber of its own.
pub(crate) fn has_shown_failures() -> bool {
    let ours = tracing::dispatcher::get_default(|log| log.is::<Line>());
    ours && tracing::enabled!(target: "sitebus_bus::log", Level::ERROR)
}

/// Says on standard error why the program ends, after whatever the log has said.
pub(crate) fn error(error: &dyn fmt::Display) {
    use io::Write;
    let style = if colours() { style(Level::ERROR) } else { Style::new() };
    let line = format!("{style}error{style:#}: {}\n", Tame(&error.to_string()));
    let _ = Stderr::default().write(line.as_bytes()); // there is nowhere left to say so
}

#[cfg(test)]
mod tests {
    use super::Tame;

    #[test]
    fn what_is_said_cannot_pass_for_a_line_of_its_own_or_talk_to_the_terminal() {
        let evil = "gone\n2026-11-21 INFO all: is well\r\u{1b}[2J\u{9b}1mé\t.";
        assert_eq!(
            Tame(evil).to_string(),
            "gone\n    2026-11-21 INFO all: is well\\r\\u{1b}[2J\\u{9b}1mé\t."
        );
    }
}
