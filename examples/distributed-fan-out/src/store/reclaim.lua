-- Delivers again what dead consumers had: those whose beats have ceased. Each item that has no outcome
-- becomes an entry of its own in the second stream, or has failed if it was delivered often enough.
-- Consumers with nothing left are removed.
-- KEYS: job, alive, stream, again, recorded, failed.  ARGV: run, entries at a time.
-- Gives how many items have no outcome yet, or -1 if the job is gone.
local run, items, attempts =
  unpack(redis.call('HMGET', KEYS[1], 'run', 'items', 'attempts'))
if run ~= ARGV[1] then return -1 end
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. now)
local lost, failed = 0, 0
local function deliver_again(stream, id)
  local entry = redis.call('XRANGE', stream, id, id)[1]
  if not entry then return end
  local field = {}
  for at = 1, #entry[2], 2 do field[entry[2][at]] = tonumber(entry[2][at + 1]) end
  for item = field.first, field.first + field.count - 1 do
    if redis.call('GETBIT', KEYS[5], item) == 1 then
      -- Recorded before the worker died.
    elseif field.delivery < tonumber(attempts) then
      redis.call('XADD', KEYS[4], '*', 'first', item, 'count', 1, 'delivery', field.delivery + 1)
      lost = lost + 1
    else
      redis.call('SETBIT', KEYS[5], item, 1)
      redis.call('SETBIT', KEYS[6], item, 1)
      failed = failed + 1
    end
  end
end
for _, stream in ipairs({KEYS[3], KEYS[4]}) do
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, 'workers')) do
    local name, pending = consumer[2], consumer[4]
    if not redis.call('ZSCORE', KEYS[2], name) then
      if pending > 0 then
        local entries = redis.call('XPENDING', stream, 'workers', '-', '+', ARGV[2], name)
        for _, entry in ipairs(entries) do
          deliver_again(stream, entry[1])
          redis.call('XACK', stream, 'workers', entry[1])
          redis.call('XDEL', stream, entry[1])
        end
        pending = pending - #entries
      end
      if pending <= 0 then redis.call('XGROUP', 'DELCONSUMER', stream, 'workers', name) end
    end
  end
end
if lost > 0 then redis.call('HINCRBY', KEYS[1], 'lost', lost) end
local left = tonumber(items) - redis.call('HINCRBY', KEYS[1], 'succeeded', 0)
  - redis.call('HINCRBY', KEYS[1], 'failed', failed)
if left == 0 then
  redis.call('HSETNX', KEYS[1], 'ended', now)
end
return left
