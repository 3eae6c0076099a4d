-- Begins a job unless there is one of this name, and gives the description of whichever there is.
-- KEYS: job, stream, again.  ARGV: fields and values of the description.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], unpack(ARGV))
  redis.call('XGROUP', 'CREATE', KEYS[2], 'workers', '0', 'MKSTREAM')
  redis.call('XGROUP', 'CREATE', KEYS[3], 'workers', '0', 'MKSTREAM')
end
return redis.call('HGETALL', KEYS[1])
