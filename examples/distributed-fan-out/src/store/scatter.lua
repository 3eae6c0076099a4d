-- Puts the next items into the stream, as many as fit, and gives how many entries that were and the
-- next item. The cursor moves with the entries, so who is killed here scatters nothing twice.
-- KEYS: job, stream, again.  ARGV: run, entries that may lie in the streams, entries at a time.
local run, next_item, items, chunk =
  unpack(redis.call('HMGET', KEYS[1], 'run', 'next', 'items', 'chunk'))
if run ~= ARGV[1] then return {-1, 0} end
next_item, items, chunk = tonumber(next_item), tonumber(items), tonumber(chunk)
local room = tonumber(ARGV[2]) - redis.call('XLEN', KEYS[2]) - redis.call('XLEN', KEYS[3])
room = math.min(room, tonumber(ARGV[3]))
local added = 0
while added < room and next_item < items do
  local count = math.min(chunk, items - next_item)
  redis.call('XADD', KEYS[2], '*', 'first', next_item, 'count', count, 'delivery', 1)
  next_item = next_item + count
  added = added + 1
end
if added > 0 then
  local now = redis.call('TIME')
  redis.call('HSETNX', KEYS[1], 'began', now[1] * 1000 + math.floor(now[2] / 1000))
  redis.call('HSET', KEYS[1], 'next', next_item)
end
return {added, next_item}
