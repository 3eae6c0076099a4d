-- Records outcomes and takes the entries that are done with out of their streams, in one step.
-- An item that has an outcome keeps it: what comes later is counted as a duplicate. One that failed is
-- delivered again until it has had its attempts.
-- KEYS: job, stream, again, recorded, failed, workers.
-- ARGV: run, worker; then, each with its number before it: items that succeeded; item and delivery of
-- those that failed; entries of the stream; entries of the other one.
-- Gives how many items have no outcome yet, or -1 if the job is gone.
local run, items, attempts =
  unpack(redis.call('HMGET', KEYS[1], 'run', 'items', 'attempts'))
if run ~= ARGV[1] then return -1 end
local at = 3
local function number()
  at = at + 1
  return tonumber(ARGV[at - 1])
end
local succeeded, failed, suppressed, retried = 0, 0, 0, 0
for _ = 1, number() do
  if redis.call('SETBIT', KEYS[4], ARGV[at], 1) == 0 then
    succeeded = succeeded + 1
  else
    suppressed = suppressed + 1
  end
  at = at + 1
end
for _ = 1, number() do
  local item, delivery = number(), number()
  if redis.call('GETBIT', KEYS[4], item) == 1 then
    suppressed = suppressed + 1
  elseif delivery < tonumber(attempts) then
    redis.call('XADD', KEYS[2], '*', 'first', item, 'count', 1, 'delivery', delivery + 1)
    retried = retried + 1
  else
    redis.call('SETBIT', KEYS[4], item, 1)
    redis.call('SETBIT', KEYS[5], item, 1)
    failed = failed + 1
  end
end
for stream = 2, 3 do
  local count = number()
  if count > 0 then
    local entries = {}
    for entry = 1, count do
      entries[entry] = ARGV[at]
      at = at + 1
    end
    redis.call('XACK', KEYS[stream], 'workers', unpack(entries))
    redis.call('XDEL', KEYS[stream], unpack(entries))
  end
end
if suppressed > 0 then redis.call('HINCRBY', KEYS[1], 'suppressed', suppressed) end
if retried > 0 then redis.call('HINCRBY', KEYS[1], 'retried', retried) end
redis.call('HINCRBY', KEYS[6], ARGV[2] .. ':items', succeeded + failed)
local left = tonumber(items) - redis.call('HINCRBY', KEYS[1], 'succeeded', succeeded)
  - redis.call('HINCRBY', KEYS[1], 'failed', failed)
if left == 0 then
  local now = redis.call('TIME')
  redis.call('HSETNX', KEYS[1], 'ended', now[1] * 1000 + math.floor(now[2] / 1000))
end
return left
