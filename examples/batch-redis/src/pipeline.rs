//! Commands into Redis, a pipeline for each batch. Made to be copied.
//!
//! What a command costs alone is the way there and back: writes, reads and wake-ups on both sides. A
//! pipeline has them once.

use floodway::{BatchSizing, Batcher, BuildError, Registry};
use redis::{Cmd, RedisError, RedisResult, Value, aio::MultiplexedConnection};

/// A batcher of commands through `connection`, with at most `in_flight` pipelines at once.
///
/// Each command has its own answer, an error included: `INCR` of a text fails alone. A pipeline is no
/// transaction, and when the connection is lost nobody knows which of its commands were done. So
/// nothing is sent twice here; who has only commands that may be done twice can say
/// `.on_batch_error(OnBatchError::Retry { … })`.
pub(crate) fn batcher(
    connection: MultiplexedConnection,
    in_flight: usize,
    sizing: BatchSizing,
    registry: &Registry,
) -> Result<Batcher<Cmd, Value, RedisError>, BuildError> {
    Batcher::builder("commands")
        .sizing(sizing)
        .max_in_flight(in_flight)
        .registry(registry)
        // Cloning a connection gives the same one.
        .build(move |commands| send_all(connection.clone(), commands))
}

/// One result for each command.
async fn send_all(
    mut connection: MultiplexedConnection,
    commands: Vec<Cmd>,
) -> RedisResult<Vec<RedisResult<Value>>> {
    let mut pipeline = redis::pipe();
    for command in commands {
        pipeline.add_command(command);
    }
    // Errors of single commands are among the results; what is left is the connection's.
    pipeline.ignore_errors().query_async(&mut connection).await
}
