//! What the site answers. Its pages may ask the bus for anything; all but `/facts` and `/exit` acquire their thread.

use std::process::Command;
use std::sync::Arc;

use sitebus::http::{Body, Response};
use sitebus::{Exit, Handle, SettingsMap};

use crate::dependency::Dependency;

#[derive(Clone)]
pub(crate) struct Pages {
    bus: Handle,
    dependency: Arc<Dependency>,
}

impl Pages {
    pub(crate) fn of(bus: &Handle, dependency: &Arc<Dependency>) -> anyhow::Result<Pages> {
        Ok(Pages { bus: bus.clone(), dependency: Arc::clone(dependency) })
    }

    pub(crate) async fn answer(&self, path: &str) -> anyhow::Result<Response<Body>> {
        let text = match path {
            "/facts" => self.dependency.facts(self.bus.state()),
            "/exit" => {
                drop(self.bus.ask_exit(Exit::success("a page")));
                "exiting".to_owned()
            }
            _ => self.work(path).await?,
        };
        Ok(Response::new(text.into()))
    }

    /// A page of a framework that says which of its threads do work.
    async fn work(&self, path: &str) -> anyhow::Result<String> {
        self.dependency.threads.acquire()?;
        match path {
            "/graceful" => {
                // Waiting without holding up the thread that answers.
                self.bus.ask_graceful(SettingsMap::new()).await?;
                Ok("reloaded".to_owned())
            }
            "/interrupt" => {
                Command::new("kill").args(["-INT", &std::process::id().to_string()]).status()?;
                // Answered only when the bus is about to stop.
                self.bus.when(sitebus::State::Stopping).await?;
                Ok("interrupted".to_owned())
            }
            _ => Ok("<h1>index</h1>".to_owned()),
        }
    }
}
