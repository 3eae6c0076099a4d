//! Shows the budgets of a fleet, sets them, evicts replicas and finds what is wrong.

mod arguments;
mod doctor;
mod engine;
mod evict;
mod failure;
mod output;
mod set_budget;
mod status;
mod time;

use std::process::ExitCode;

use clap::Parser as _;

use self::{
    arguments::{Arguments, Command},
    engine::Engine,
    failure::Failure,
    output::complain,
};

/// What scripts learn from the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Done, or nothing is wrong.
    Fine,
    /// Something should be looked at, or needs `--yes`.
    Warned,
    /// Something is broken, or could not be done.
    Broken,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Wrong arguments exit with 2 as well.
    let arguments = Arguments::parse();
    let outcome = match run(arguments).await {
        Ok(outcome) => outcome,
        // Whoever reads has seen enough, as `head` does.
        Err(failure) if failure.is_broken_pipe() => Outcome::Fine,
        Err(failure) => {
            complain(&failure);
            Outcome::Broken
        }
    };
    ExitCode::from(outcome as u8)
}

async fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let Arguments { store, timeout, command } = arguments;
    let engine = Engine::connect(store.as_deref(), timeout).await;
    match command {
        // Which says of the engine itself what is wrong with it.
        Command::Doctor(command) => doctor::run(engine, timeout, &command).await,
        Command::Status(command) => status::run(&engine?, &command).await,
        Command::SetBudget(command) => set_budget::run(&engine?, &command).await,
        Command::Evict(command) => evict::run(&engine?, &command).await,
    }
}
