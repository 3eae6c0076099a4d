//! Many callers issue a command each, and Redis sees few pipelines with many.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people: results go to stdout, progress and errors to stderr"
)]

mod arguments;
mod pipeline;
mod run;
mod server;
mod table;
mod url;

use std::{
    future::{pending, poll_fn},
    process::ExitCode,
    task::Poll,
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use floodway::{BatchSizing, Batcher, Registry};
use indicatif::{ProgressBar, ProgressStyle};
use redis::{Cmd, RedisError, Value, aio::MultiplexedConnection};

use crate::{
    arguments::Arguments,
    run::{Answer, Measured, run},
    table::Row,
};

/// What shells expect of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match start(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn start(arguments: &Arguments) -> Result<ExitCode> {
    arguments.check()?;
    let interrupted = ctrl_c().await;
    let mut connection = server::connect(arguments.redis_url.as_deref()).await?;
    let outcome = tokio::select! {
        outcome = compare(arguments, &connection) => outcome.map(|()| ExitCode::SUCCESS),
        () = interrupted => Ok(ExitCode::from(INTERRUPTED)),
    };
    let removed = server::remove(&mut connection).await;
    outcome.and_then(|code| removed.map(|()| code))
}

/// Gives what is done with the next Ctrl-C, which does not end the process from now on.
async fn ctrl_c() -> impl Future<Output = ()> {
    let mut pressed = Box::pin(async {
        // Without a handler there is nothing to wait for, and Ctrl-C ends the process as ever.
        if tokio::signal::ctrl_c().await.is_err() {
            pending::<()>().await;
        }
    });
    // The first poll installs the handler.
    poll_fn(|context| Poll::Ready(pressed.as_mut().poll(context).is_ready())).await;
    pressed
}

/// The same commands without a batcher and with it.
async fn compare(arguments: &Arguments, connection: &MultiplexedConnection) -> Result<()> {
    let mut rows = vec![unbatched(arguments, connection).await?];
    let fixed = arguments.fixed.iter().map(|size| BatchSizing::Fixed(*size as usize));
    for sizing in [BatchSizing::default()].into_iter().chain(fixed) {
        rows.push(batched(arguments, connection, sizing).await?);
    }
    println!("{}", table::shown(&rows));
    let [without, with, ..] = &rows[..] else { unreachable!("two runs at least") };
    let (before, after) = (without.measured.rate(), with.measured.rate());
    if before > 0.0 {
        println!(
            "{} callers have {:.1} times as many commands per second done through the batcher.",
            arguments.callers,
            after / before
        );
    }
    let Measured { done, refused, reason, .. } = &with.measured;
    if let Some(reason) = reason {
        println!(
            "{refused} bad commands were refused ({reason}), and {done} others of their batches \
             are done."
        );
    }
    Ok(())
}

/// Each command on its own. The connection interleaves those of all callers.
async fn unbatched(arguments: &Arguments, connection: &MultiplexedConnection) -> Result<Row> {
    let send = {
        let connection = connection.clone();
        move |command: Cmd| {
            let mut connection = connection.clone();
            async move {
                match command.query_async::<Value>(&mut connection).await {
                    Ok(_) => Ok(Answer::Done),
                    Err(error) => match refused(&error) {
                        Some(answer) => Ok(answer),
                        None => Err(error).context("cannot send a command"),
                    },
                }
            }
        }
    };
    let measured = measure(arguments, connection, "unbatched", send).await?;
    Ok(Row { title: "unbatched".to_owned(), measured, batcher: None })
}

async fn batched(
    arguments: &Arguments,
    connection: &MultiplexedConnection,
    sizing: BatchSizing,
) -> Result<Row> {
    let title = match sizing {
        BatchSizing::Fixed(size) => format!("at most {size}"),
        _ => "batched".to_owned(),
    };
    let in_flight = arguments.in_flight as usize;
    // A registry of its own, because the batcher of the run before may still be ending.
    let batcher = pipeline::batcher(connection.clone(), in_flight, sizing, &Registry::new())?;
    let send = {
        let batcher = batcher.clone();
        move |command: Cmd| send_through(batcher.clone(), command)
    };
    let measured = measure(arguments, connection, &title, send).await?;
    Ok(Row { title, measured, batcher: Some(batcher.snapshot()) })
}

/// One command through the batcher, as a request handler has it.
async fn send_through(batcher: Batcher<Cmd, Value, RedisError>, command: Cmd) -> Result<Answer> {
    match batcher.call(command).await {
        // `redis::from_redis_value` makes a text or a number of it.
        Ok(_) => Ok(Answer::Done),
        Err(error) => match error.error().and_then(refused) {
            Some(answer) => Ok(answer),
            None => Err(error).context("cannot send a command"),
        },
    }
}

/// If the server understood the command and refused it, rather than that it was never answered.
fn refused(error: &RedisError) -> Option<Answer> {
    error.code().map(|_| Answer::Refused(error.to_string()))
}

/// Runs all commands and asks Redis whether it has counted as far as the callers were told.
async fn measure<F, Fut>(
    arguments: &Arguments,
    connection: &MultiplexedConnection,
    title: &str,
    send: F,
) -> Result<Measured>
where
    F: Fn(Cmd) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<Answer>> + Send,
{
    let mut connection = connection.clone();
    server::prepare(&mut connection).await?;
    // Draws nothing where stderr is not a terminal.
    let bar = ProgressBar::new(arguments.commands).with_prefix(title.to_owned());
    let template = "{prefix:<12} {bar:30} {human_pos} of {human_len} commands, {per_sec}";
    let bar =
        bar.with_style(ProgressStyle::with_template(template).expect("the template is valid"));
    let measured = run(arguments, &bar, send).await?;
    bar.finish_and_clear();
    let found = server::counted(&mut connection).await?;
    ensure!(
        found == measured.counted,
        "callers were told of {} INCR, and Redis has counted to {found}",
        measured.counted
    );
    Ok(measured)
}
