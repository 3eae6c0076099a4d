-- One budget of a fleet, and what may happen to it.
--
-- This does what `floodway_control::fleet::{Account, Ledger}` do, with the same names and in the same
-- order, and comes to the same numbers: a test compares them over random requests. It is followed by
-- one of the other files of this folder. All numbers are whole and below 2^53; flags are 0 or 1.
--
-- KEYS: the account, then what belongs to it.
--   floodway:{name}           hash: version, engine (which run keeps it), state (as `read_state` says)
--   floodway:{name}:members   hash: replica -> as `read_member` says
--   floodway:{name}:due       zset: what ends when: a replica or a remnant, as `place` calls them
--   floodway:{name}:wants     hash: weight, floor and want -> how many replicas have them
--   floodway:{name}:declared  hash: usable, budget and margin -> how many replicas declare them
--   floodway:{name}:remnants  hash: `place` -> as `remnant` says

local call, floor, min, max = redis.call, math.floor, math.min, math.max
local format, match = string.format, string.match
local ACCOUNT, MEMBERS, DUE, WANTS, DECLARED, REMNANTS = unpack(KEYS)
local VERSION = '1'

local FEW, LEVEL_EVERY, SWEEP_EVERY, SLACK = 64, 500, 500, 250
local TURN, REQUESTS_PER_SECOND, FEW_HUNGRY, LAPSES_PER_STEP = 10000, 5000, 16, 32
local SCALE, MOST_WEIGHT, MOST = 1024, 1024, 4294967295

-- A lease's remnant without a time has to be confirmed as closed.
local NEVER = -1

-- The account, the changes of WANTS and of DECLARED that are not written yet.
local a, wants, declared = nil, {}, {}

-- What follows reads and writes records: arrays in MessagePack, whose order `record.rs` knows as well.
-- `stale`: the level is to be computed again; `available`: what it was computed for; `kinds`: how many
-- entries DECLARED has; `moved`: they have changed since the budget in force was set; `left`: how many
-- entries REMNANTS has; `first`: nothing in DUE ends earlier.
local function read_state(text)
  local now, wall, epoch, usable, budget, margin, set, set_budget, set_margin, total, remnants,
    lapsed_floors, lapsed, members, hungry, learning_from, learning_until, reserve_until,
    reserve_floors, returned_floors, per_weight, plenty, floors_fit, levelled, swept, kinds, moved,
    stale, available, floors, left, first = cmsgpack.unpack(text)
  return {
    now = now, wall = wall, epoch = epoch, usable = usable, budget = budget, margin = margin,
    set = set, set_budget = set_budget, set_margin = set_margin, total = total,
    remnants = remnants, lapsed_floors = lapsed_floors, lapsed = lapsed, members = members,
    hungry = hungry, learning_from = learning_from, learning_until = learning_until,
    reserve_until = reserve_until, reserve_floors = reserve_floors,
    returned_floors = returned_floors, per_weight = per_weight, plenty = plenty, floors_fit = floors_fit, levelled = levelled,
    swept = swept, kinds = kinds, moved = moved, stale = stale, available = available,
    floors = floors, left = left, first = first,
  }
end

local function write_state()
  return cmsgpack.pack(
    a.now, a.wall, a.epoch, a.usable, a.budget, a.margin, a.set, a.set_budget, a.set_margin,
    a.total, a.remnants, a.lapsed_floors, a.lapsed, a.members, a.hungry, a.learning_from,
    a.learning_until, a.reserve_until, a.reserve_floors, a.returned_floors, a.per_weight,
    a.plenty, a.floors_fit, a.levelled, a.swept, a.kinds, a.moved, a.stale, a.available, a.floors,
    a.left, a.first
  )
end

-- Loads the account, if there is one; begins one to `create` it. Returns what is wrong.
local function load(create)
  local version, engine, state = unpack(call('HMGET', ACCOUNT, 'version', 'engine', 'state'))
  if version == VERSION then
    a = read_state(state)
    a.engine, a.kept_by = engine, engine
    return
  end
  if version or call('EXISTS', ACCOUNT) == 1 then
    return redis.error_reply('FOREIGN ' .. ACCOUNT)
  end
  if not create then return end
  -- What belonged to an account that is lost says nothing without it.
  local kinds = { [MEMBERS] = 'hash', [DUE] = 'zset', [WANTS] = 'hash', [DECLARED] = 'hash', [REMNANTS] = 'hash' }
  for key, kind in pairs(kinds) do
    local found = call('TYPE', key).ok
    if found ~= 'none' and found ~= kind then return redis.error_reply('FOREIGN ' .. key) end
  end
  call('DEL', MEMBERS, DUE, WANTS, DECLARED, REMNANTS)
  -- A new account: nothing but zeros.
  local zeros = {}
  for i = 1, 32 do zeros[i] = 0 end
  a = read_state(cmsgpack.pack(unpack(zeros)))
  a.engine, a.stale = '', 1
end

local function settle(key, changes)
  local changed = false
  for kind, by in pairs(changes) do
    changes[kind] = nil
    if by ~= 0 then
      changed = true
      if call('HINCRBY', key, kind, by) <= 0 then call('HDEL', key, kind) end
    end
  end
  return changed
end

local function count(changes, kind, by) changes[kind] = (changes[kind] or 0) + by end

-- What somebody asked for and declared who is not among those with a lease any more. Most ask for the same
-- again at once, and nothing has to be written.
local gone_weight, gone_floor, gone_want, gone_budget, gone_margin

local function wants_of(weight, least, want) return format('%d %d %d', weight, least, want) end

local function declares(budget, margin)
  return format('%d %d %d', max(budget - margin, 0), budget, margin)
end

local function forget_gone()
  if not gone_weight then return end
  count(wants, wants_of(gone_weight, gone_floor, gone_want), -1)
  count(declared, declares(gone_budget, gone_margin), -1)
  gone_weight = nil
end

local function settle_wants()
  forget_gone()
  if settle(WANTS, wants) then a.stale = 1 end
end

local function settle_declared()
  forget_gone()
  if settle(DECLARED, declared) then
    a.kinds = call('HLEN', DECLARED)
    a.moved = 1
  end
end

local function save()
  settle_wants()
  settle_declared()
  if a.engine == a.kept_by then
    call('HSET', ACCOUNT, 'state', write_state())
  else
    call('HSET', ACCOUNT, 'version', VERSION, 'engine', a.engine, 'state', write_state())
  end
end

-- Where a replica stands in DUE, or what its lease `epoch` has left behind. Sorts as both do together.
local function place(replica, epoch)
  return replica .. '\0' .. (epoch and format('%016x', epoch) or '')
end

-- What stands at `at` ends at `due`.
local function ends(due, at)
  a.first = min(a.first, due)
  call('ZADD', DUE, format('%d', due), at)
end

local function read_member(text)
  local incarnation, epoch, seq, sent, seen, ahead, grant, bound, keep, held, want, floor_, weight,
    budget, margin, linger, fenced, lapsed, hungry, extra, since, due, floor_due, refresh = cmsgpack.unpack(text)
  return {
    incarnation = incarnation, epoch = epoch, seq = seq, sent = sent, seen = seen, ahead = ahead,
    grant = grant, bound = bound, keep = keep, held = held, want = want, floor = floor_,
    weight = weight, budget = budget, margin = margin, linger = linger, fenced = fenced,
    lapsed = lapsed, hungry = hungry, extra = extra, since = since, due = due,
    floor_due = floor_due, refresh = refresh,
  }
end

local function member(replica)
  local text = call('HGET', MEMBERS, replica)
  return text and read_member(text) or nil
end

local function put_member(replica, before, m)
  if m then
    call('HSET', MEMBERS, replica, cmsgpack.pack(
      m.incarnation, m.epoch, m.seq, m.sent, m.seen, m.ahead, m.grant, m.bound, m.keep, m.held,
      m.want, m.floor, m.weight, m.budget, m.margin, m.linger, m.fenced, m.lapsed, m.hungry,
      m.extra, m.since, m.due, m.floor_due, m.refresh
    ))
    ends(m.due, place(replica))
  elseif before then
    call('HDEL', MEMBERS, replica)
    call('ZREM', DUE, place(replica))
  end
end

local function remnant(at)
  if a.left == 0 then return nil end
  local text = call('HGET', REMNANTS, at)
  if not text then return nil end
  local seq, permits, keep, due, fenced = cmsgpack.unpack(text)
  return { seq = seq, permits = permits, keep = keep, due = due, fenced = fenced }
end

local function put_remnant(at, before, after)
  if after then
    local record =
      cmsgpack.pack(after.seq, after.permits, after.keep, after.due, after.fenced)
    a.left = a.left + call('HSET', REMNANTS, at, record)
    if after.due >= 0 then ends(after.due, at) end
  elseif before then
    a.left = a.left - call('HDEL', REMNANTS, at)
  end
  if before and before.due >= 0 and not (after and after.due >= 0) then call('ZREM', DUE, at) end
end

local function is_learning() return a.now < a.learning_until end

local function claim(m)
  return min(m.weight, MOST_WEIGHT), m.floor, min(m.want, m.budget)
end

local function list(m)
  a.members = a.members + 1
  local weight, least, want = claim(m)
  local known = gone_weight
  if known ~= weight or gone_floor ~= least or gone_want ~= want then
    if known then count(wants, wants_of(known, gone_floor, gone_want), -1) end
    count(wants, wants_of(weight, least, want), 1)
  end
  if not known or gone_budget ~= m.budget or gone_margin ~= m.margin then
    if known then count(declared, declares(gone_budget, gone_margin), -1) end
    count(declared, declares(m.budget, m.margin), 1)
  end
  gone_weight = nil
end

local function unlist(m)
  a.floors = a.floors - m.keep
  if m.lapsed == 1 then
    a.lapsed = a.lapsed - 1
    a.lapsed_floors = a.lapsed_floors - m.bound
    return
  end
  a.hungry = a.hungry - m.hungry
  a.members = a.members - 1
  forget_gone()
  gone_weight, gone_floor, gone_want = claim(m)
  gone_budget, gone_margin = m.budget, m.margin
end

local function set_in_force()
  settle_declared()
  if a.set == 1 then
    a.usable, a.budget, a.margin = max(a.set_budget - a.set_margin, 0), a.set_budget, a.set_margin
  elseif a.moved == 1 and a.kinds > 0 then
    local usable, budget, margin
    for _, kind in ipairs(call('HKEYS', DECLARED)) do
      local u, b, m = match(kind, '^(%d+) (%d+) (%d+)$')
      u, b, m = tonumber(u), tonumber(b), tonumber(m)
      if not usable or u < usable or (u == usable and (b < budget or (b == budget and m < margin))) then
        usable, budget, margin = u, b, m
      end
    end
    a.usable, a.budget, a.margin, a.moved = usable, budget, margin, 0
  end
end

local function reserve()
  if a.now >= a.reserve_until then return 0 end
  return max(a.reserve_floors - a.returned_floors, 0)
end

local function share(per_weight, plenty, floors_fit, weight, least, want)
  if floors_fit == 0 then least = 0 end
  local level = floor(per_weight * weight / SCALE)
  if plenty == 1 then return max(want, least) + level end
  return max(min(want, level), least)
end

local function relevel()
  a.levelled = a.now
  settle_wants()
  local available = max(a.usable - (a.remnants + a.lapsed_floors + reserve()), 0)
  if a.stale == 0 and available == a.available then return end
  a.stale, a.available = 0, available

  -- Level::of
  local found, floors, weights, size = call('HGETALL', WANTS), 0, 0, 0
  local weight, least, want, many = {}, {}, {}, {}
  for i = 1, #found, 2 do
    size = size + 1
    local w, f, n = match(found[i], '^(%d+) (%d+) (%d+)$')
    weight[size], least[size], want[size] = tonumber(w), tonumber(f), tonumber(n)
    many[size] = tonumber(found[i + 1])
    floors = floors + least[size] * many[size]
    weights = weights + weight[size] * many[size]
  end
  a.floors_fit = floors <= available and 1 or 0
  local wanted = 0
  for i = 1, size do
    if a.floors_fit == 0 then least[i] = 0 end
    wanted = wanted + max(want[i], least[i]) * many[i]
  end
  a.plenty = wanted <= available and 1 or 0
  if a.plenty == 1 then
    a.per_weight = weights == 0 and 0 or floor((available - wanted) * SCALE / weights)
    return
  end
  local fits, exceeds = 0, available * SCALE + SCALE
  while exceeds - fits > 1 do
    local middle, sum = floor((fits + exceeds) / 2), 0
    for i = 1, size do
      local n, by = want[i], floor(middle * weight[i] / SCALE)
      if by < n then n = by end
      if n < least[i] then n = least[i] end
      sum = sum + n * many[i]
    end
    if sum <= available then fits = middle else exceeds = middle end
  end
  a.per_weight = fits
end

-- Returns what of `m` is left behind now, `left` included.
local function put_behind(m, permits, keep, left, until_)
  a.remnants = a.remnants + permits
  permits = permits + (left and left.permits or 0)
  if permits == 0 then return nil end
  local due = m.fenced == 1 and NEVER or until_ + m.linger
  return { seq = m.seq, permits = permits, keep = keep, due = due, fenced = m.fenced }
end

local function leave_behind(m, left, until_)
  unlist(m)
  return put_behind(m, m.bound, 0, left, until_)
end

local function release(left)
  a.total = a.total - left.permits
  a.remnants = a.remnants - left.permits
end
