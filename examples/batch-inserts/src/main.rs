//! Many callers insert a row each, and the database sees few statements with many.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people: results go to stdout, progress and errors to stderr"
)]

mod arguments;
mod downstream;
mod order;
mod postgres;
mod run;
mod sqlite;
mod table;
mod url;

use std::{
    future::{pending, poll_fn},
    process::ExitCode,
    sync::Arc,
    task::Poll,
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use floodway::{BatchError, BatchSizing, Batcher, Registry};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    arguments::Arguments,
    downstream::Downstream,
    order::Order,
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
    let downstream = Arc::new(Downstream::open(arguments).await?);
    let outcome = tokio::select! {
        outcome = compare(arguments, &downstream) => outcome.map(|()| ExitCode::SUCCESS),
        () = interrupted => Ok(ExitCode::from(INTERRUPTED)),
    };
    let removed = downstream.remove().await;
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

/// The same rows without a batcher and with it.
async fn compare(arguments: &Arguments, downstream: &Arc<Downstream>) -> Result<()> {
    let mut rows = vec![unbatched(arguments, downstream).await?];
    let fixed = arguments.fixed.iter().map(|size| BatchSizing::Fixed(*size as usize));
    for sizing in [BatchSizing::default()].into_iter().chain(fixed) {
        rows.push(batched(arguments, downstream, sizing).await?);
    }
    println!("{}", table::shown(&rows));
    let [without, with, ..] = &rows[..] else { unreachable!("two runs at least") };
    let (before, after) = (without.measured.rate(), with.measured.rate());
    if before > 0.0 {
        println!(
            "{} callers store {:.1} times as many rows per second through the batcher.",
            arguments.callers,
            after / before
        );
    }
    if let Some(sentence) = bad_rows(&with.measured) {
        println!("{sentence}");
    }
    Ok(())
}

async fn unbatched(arguments: &Arguments, downstream: &Arc<Downstream>) -> Result<Row> {
    let title = "unbatched".to_owned();
    let insert = {
        let downstream = Arc::clone(downstream);
        move |order: Order| {
            let downstream = Arc::clone(&downstream);
            async move {
                match downstream.insert(&order).await {
                    Ok(()) => Ok(Answer::Stored),
                    Err(error) if downstream.is_caused_by_row(&error) => {
                        Ok(Answer::refused(&error))
                    }
                    Err(error) => Err(error).context("cannot insert a row"),
                }
            }
        }
    };
    let bar = bar(arguments, &title);
    let measured = run(arguments, &bar, insert).await?;
    bar.finish_and_clear();
    check(downstream, &measured).await?;
    Ok(Row { title, measured, batcher: None })
}

async fn batched(
    arguments: &Arguments,
    downstream: &Arc<Downstream>,
    sizing: BatchSizing,
) -> Result<Row> {
    let title = match sizing {
        BatchSizing::Fixed(size) => format!("at most {size}"),
        _ => "batched".to_owned(),
    };
    // A registry of its own, because the batcher of the run before may still be ending.
    let batcher = downstream.batcher(sizing, &Registry::new())?;
    let insert = {
        let (batcher, downstream) = (batcher.clone(), Arc::clone(downstream));
        move |order: Order| insert_through(batcher.clone(), Arc::clone(&downstream), order)
    };
    let bar = bar(arguments, &title);
    let measured = run(arguments, &bar, insert).await?;
    bar.finish_and_clear();
    check(downstream, &measured).await?;
    Ok(Row { title, measured, batcher: Some(batcher.snapshot()) })
}

/// One row through the batcher, as a request handler has it.
async fn insert_through(
    batcher: Batcher<Order, (), sqlx::Error>,
    downstream: Arc<Downstream>,
    order: Order,
) -> Result<Answer> {
    let Err(error) = batcher.call(order).await else { return Ok(Answer::Stored) };
    match error.error().filter(|reason| downstream.is_caused_by_row(reason)) {
        // It took too many calls to find out which row is to blame.
        Some(_) if matches!(error, BatchError::Batch(_)) => Ok(Answer::RefusedWithOthers),
        Some(reason) => Ok(Answer::refused(reason)),
        None => Err(error).context("cannot insert a row"),
    }
}

/// Draws nothing where stderr is not a terminal.
fn bar(arguments: &Arguments, title: &str) -> ProgressBar {
    let bar = ProgressBar::new(arguments.rows).with_prefix(title.to_owned());
    let template = "{prefix:<12} {bar:30} {human_pos} of {human_len} rows, {per_sec}";
    bar.with_style(ProgressStyle::with_template(template).expect("the template is valid"))
}

/// Counts the rows in the table, which is the only one who knows, and empties it.
async fn check(downstream: &Downstream, measured: &Measured) -> Result<()> {
    let found = downstream.count().await.context("cannot count the rows")?;
    ensure!(
        u64::try_from(found) == Ok(measured.stored),
        "{} rows were reported as stored, and the table has {found}",
        measured.stored
    );
    downstream.clear().await.context("cannot empty the table")
}

fn bad_rows(measured: &Measured) -> Option<String> {
    let Measured { stored, refused, refused_with_others, reason, .. } = measured;
    let reason = reason.as_ref()?;
    let mut sentence = format!(
        "{refused} bad rows were refused ({reason}), and {stored} others of their batches are stored."
    );
    if *refused_with_others > 0 {
        sentence += &format!(
            " {refused_with_others} rows were refused with others: there were more bad rows in a \
             batch than it may be divided for."
        );
    }
    Some(sentence)
}
