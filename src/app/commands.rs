//! What the program does for each command: prints, migrates or serves.

use std::io::{Write, stdout};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use aws_lc_rs::rand::SystemRandom;
use tokio::runtime::{Builder, Runtime};

use super::application::{Application, Surroundings};
use super::backends::OpenStore;
use super::command_line::TokenAsk;
use super::failure::Failure;
use super::identity;
use super::secrets::Secrets;
use super::signals::{Signals, Stop};
use crate::auth::Issuer;
use crate::config::{LogFormat, LogSettings, Settings, SettingsError};
use crate::domain::{SystemClock, UserId};
use crate::telemetry::{LogError, LogShape, install_log, install_recorder};

/// For what a quick end has left behind.
const LEFT_BEHIND_WITHIN: Duration = Duration::from_millis(500);

/// `rookery config`.
///
/// # Errors
/// When the output is closed.
pub fn print_settings(settings: &Settings) -> Result<(), Failure> {
    let text = settings.to_toml().context("the settings cannot be shown")?;
    print(&text)
}

/// `rookery token`.
///
/// # Errors
/// When the user's id is none, or there is no secret to sign with.
pub fn print_token(settings: &Settings, ask: &TokenAsk) -> Result<(), Failure> {
    let user = UserId::parse(&ask.user).map_err(|error| SettingsError::new("--user", error.to_string()))?;
    let secrets = Secrets::of(settings, &SystemRandom::new())?;
    let issuer = Issuer::new(&secrets.hs256, &settings.auth, Arc::new(SystemClock));
    let token = issuer.mint(&user, ask.name.as_deref(), ask.ttl).context("no token was made")?;
    print(&format!("{token}\n"))
}

/// `rookery migrate`.
///
/// # Errors
/// When the store cannot be reached or brought up to date.
pub fn migrate(settings: &Settings) -> Result<(), Failure> {
    start_log(&settings.log)?;
    runtime(settings)?.block_on(async {
        let store = OpenStore::open(&settings.store).await?;
        let migrated = store.migrate().await;
        store.close().await;
        migrated
    })?;
    print("the schema is up to date\n")
}

/// `rookery serve`.
///
/// # Errors
/// When the node cannot start.
pub fn serve(settings: Settings) -> Result<(), Failure> {
    start_log(&settings.log)?;
    let node = identity::node_id(&settings, &SystemRandom::new())?;
    let recorder = install_recorder(node.as_str()).context("metrics")?;
    let surroundings =
        Surroundings { node, recorder, clock: Arc::new(SystemClock), random: Arc::new(SystemRandom::new()) };
    let runtime = runtime(&settings)?;
    let ended = runtime.block_on(async move {
        let signals = Signals::take().context("signals")?;
        let stop = Stop::default();
        let passing = signals.pass_on(stop.clone());
        let living = async {
            let built = tokio::select! {
                built = Application::build(settings, surroundings) => built?,
                // Nothing was taken from anybody yet: there is nothing to finish.
                () = stop.orderly.cancelled() => return Ok(()),
            };
            built.run_until_stopped(stop).await
        };
        tokio::select! {
            ended = living => ended,
            never = passing => match never {},
        }
    });
    // After an orderly end nothing runs any more; after another one nothing is waited for.
    runtime.shutdown_timeout(LEFT_BEHIND_WITHIN);
    ended
}

fn print(text: &str) -> Result<(), Failure> {
    stdout().write_all(text.as_bytes()).context("standard output")?;
    Ok(())
}

fn start_log(settings: &LogSettings) -> Result<(), Failure> {
    let shape = match settings.format {
        LogFormat::Human => LogShape::Human,
        LogFormat::Json => LogShape::Json,
    };
    install_log(shape, &settings.level).map_err(|error| match error {
        LogError::Level => SettingsError::new("log.level", error.to_string()).into(),
        LogError::Installed => Failure::Start(error.into()),
    })
}

fn runtime(settings: &Settings) -> Result<Runtime, Failure> {
    let mut builder = Builder::new_multi_thread();
    if settings.server.worker_threads > 0 {
        builder.worker_threads(settings.server.worker_threads);
    }
    Ok(builder.enable_all().thread_name("rookery").build().context("the runtime does not start")?)
}
