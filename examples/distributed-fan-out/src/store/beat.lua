-- Says that a consumer lives, for some milliseconds from now by the server's clock.
-- KEYS: job, alive, workers.
-- ARGV: run, consumer, milliseconds, worker, whether it has just started, milliseconds since the last
-- beat, permits of the worker, permits of all.
-- Gives how many items have no outcome yet, or -1 if the job is gone.
local run, items, succeeded, failed =
  unpack(redis.call('HMGET', KEYS[1], 'run', 'items', 'succeeded', 'failed'))
if run ~= ARGV[1] then return -1 end
local now = redis.call('TIME')
redis.call('ZADD', KEYS[2], now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[3], ARGV[2])
redis.call('HINCRBY', KEYS[3], ARGV[4] .. ':starts', ARGV[5])
redis.call('HINCRBY', KEYS[3], ARGV[4] .. ':milliseconds', ARGV[6])
redis.call('HINCRBY', KEYS[3], ARGV[4] .. ':permit_milliseconds', ARGV[6] * ARGV[7])
local outstanding = tonumber(redis.call('HGET', KEYS[1], 'outstanding')) or 0
if tonumber(ARGV[8]) > outstanding then redis.call('HSET', KEYS[1], 'outstanding', ARGV[8]) end
return items - succeeded - failed
