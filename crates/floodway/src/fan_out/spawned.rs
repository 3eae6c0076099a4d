//! The engines that run items in tasks or threads of their own: long-lived workers that pull.

mod control;
mod drive;
mod lane;
mod operate;
mod shared;
mod supervisor;
mod worker;

use std::num::NonZeroUsize;

pub use self::{
    control::Control,
    drive::{SpawnedDrive, Steer},
    operate::{Block, Charge, Child, Direct, Each, Operate},
};
use super::{
    FanOut,
    attempts::Attempts,
    classes::Classes,
    engine::{Ends, Engine, Parts},
    options::DEFAULT_CONCURRENCY,
    source::Source,
};

/// Runs items in workers: tasks of the runtime that pull one item after the other. The default.
///
/// Everything has to be `Send + 'static`. Items make progress whatever the task does that waits
/// for the fan-out, on as many threads as the runtime has.
#[derive(Clone, Copy, Debug)]
pub struct Spawned;

/// Runs every item in a task of its own, which a worker waits for.
///
/// For items that `tokio-console` is to show one by one, or that call `tokio::task::id`. Costs a
/// spawn per item. An item that times out or is cancelled is gone once the runtime gets to it: its
/// permits come back then, but the next item may begin before.
#[derive(Clone, Copy, Debug)]
pub struct SpawnEach;

/// Runs synchronous operations, `Fn(item) -> Result`, on threads of the runtime's blocking pool.
///
/// As many at a time as there are cores unless told otherwise, so that the rest of the service
/// keeps its share. An operation that runs cannot be interrupted: a stop takes effect between
/// items, and the end waits for those that run. So does dropping the runtime.
#[derive(Clone, Copy, Debug)]
pub struct Blocking;

/// What spawned engines need: `Send + 'static`. What borrows, or is not `Send`, runs with
/// `.in_task()`.
///
/// This keeps an `Rc` across an await, and does not compile:
///
/// ```compile_fail
/// # use std::{convert::Infallible, rc::Rc};
/// # use floodway::fan_out::FanOutExt;
/// # async fn keeps_an_rc() {
/// let operation = |n: u32| async move {
///     let shared = Rc::new(n);
///     tokio::task::yield_now().await;
///     Ok::<_, Infallible>(*shared)
/// };
/// (0..3).fan_out(operation).collect().await;
/// # }
/// ```
///
/// This borrows from the calling function, and does not either:
///
/// ```compile_fail,E0373
/// # use std::convert::Infallible;
/// # use floodway::fan_out::FanOutExt;
/// # async fn borrows() {
/// let text = String::from("text");
/// let operation = |n: usize| {
///     let text = &text;
///     async move { Ok::<_, Infallible>(n + text.len()) }
/// };
/// (0..3).fan_out(operation).collect().await;
/// # }
/// ```
///
/// In the task both do:
///
/// ```
/// # use std::{convert::Infallible, rc::Rc};
/// # use floodway::fan_out::FanOutExt;
/// # async fn in_the_task() {
/// let text = String::from("text");
/// let operation = |n: usize| {
///     let text = &text;
///     async move {
///         let shared = Rc::new(n);
///         tokio::task::yield_now().await;
///         Ok::<_, Infallible>(*shared + text.len())
///     }
/// };
/// (0..3).fan_out(operation).in_task().collect().await;
/// # }
/// ```
pub trait SendOrUseInTask: Send + 'static {}

impl<T: Send + 'static> SendOrUseInTask for T {}

impl<S, F, C, A, Fut, T, E> Engine<S, F, C, A> for Spawned
where
    S: Source<Item: SendOrUseInTask> + SendOrUseInTask,
    F: Fn(S::Item) -> Fut + SendOrUseInTask + Sync,
    Fut: Future<Output = Result<T, E>> + SendOrUseInTask,
    C: Classes<S::Item, Key: SendOrUseInTask> + SendOrUseInTask,
    A: Attempts<S::Item, E> + SendOrUseInTask + Sync,
    T: SendOrUseInTask,
    E: SendOrUseInTask,
{
    type Value = T;
    type Error = E;
    type Drive = Box<SpawnedDrive<S, Direct<F>, C, A, T, E>>;

    fn drive(fan_out: FanOut<S, F, C, A, Self>, ends: Ends) -> Self::Drive {
        SpawnedDrive::new(move || Parts::new(fan_out, ends, DEFAULT_CONCURRENCY).map_call(Direct))
    }
}

impl<S, F, C, A, Fut, T, E> Engine<S, F, C, A> for SpawnEach
where
    S: Source<Item: SendOrUseInTask> + SendOrUseInTask,
    F: Fn(S::Item) -> Fut + SendOrUseInTask + Sync,
    Fut: Future<Output = Result<T, E>> + SendOrUseInTask,
    C: Classes<S::Item, Key: SendOrUseInTask> + SendOrUseInTask,
    A: Attempts<S::Item, E> + SendOrUseInTask + Sync,
    T: SendOrUseInTask,
    E: SendOrUseInTask,
{
    type Value = T;
    type Error = E;
    type Drive = Box<SpawnedDrive<S, Each<F>, C, A, T, E>>;

    fn drive(fan_out: FanOut<S, F, C, A, Self>, ends: Ends) -> Self::Drive {
        SpawnedDrive::new(move || Parts::new(fan_out, ends, DEFAULT_CONCURRENCY).map_call(Each))
    }
}

impl<S, F, C, A, T, E> Engine<S, F, C, A> for Blocking
where
    S: Source<Item: SendOrUseInTask> + SendOrUseInTask,
    F: Fn(S::Item) -> Result<T, E> + SendOrUseInTask + Sync,
    C: Classes<S::Item, Key: SendOrUseInTask> + SendOrUseInTask,
    A: Attempts<S::Item, E> + SendOrUseInTask + Sync,
    T: SendOrUseInTask,
    E: SendOrUseInTask,
{
    type Value = T;
    type Error = E;
    type Drive = Box<SpawnedDrive<S, Block<F>, C, A, T, E>>;

    fn drive(fan_out: FanOut<S, F, C, A, Self>, ends: Ends) -> Self::Drive {
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        SpawnedDrive::new(move || Parts::new(fan_out, ends, cores).map_call(Block))
    }
}
