-- Takes the lease of a replica (ARGV) away, or what it has left behind. Whether there was any.

local problem = load(false)
if problem or not a then return problem or 0 end
local replica = ARGV[1]
local m = member(replica)
local found = m and 1 or 0
if m then
  local at = place(replica, m.epoch)
  local left = remnant(at)
  local until_ = m.lapsed == 1 and a.now or m.due
  local remains = leave_behind(m, left, until_)
  -- Until its lease has ended, a living one would open again what somebody closes.
  if remains and m.lapsed == 0 and remains.due < 0 then remains.due = until_ end
  put_member(replica, m, nil)
  put_remnant(at, left, remains)
else
  for _, at in ipairs(call('HKEYS', REMNANTS)) do
    -- A place ends in a zero byte and sixteen digits.
    if string.sub(at, 1, -18) == replica then
      local left = remnant(at)
      put_remnant(at, left, nil)
      release(left)
      found = 1
    end
  end
end
save()
return found
