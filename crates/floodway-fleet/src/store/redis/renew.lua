-- Answers a replica.
--
-- ARGV: by how much to move the wall clock, the replica, its incarnation, the engine, and the numbers of
-- the request. Returns the fields of the reply in the order of its struct, and the wall clock.

local replica, incarnation, engine = ARGV[2], ARGV[3], ARGV[4]
local r
do
  local epoch, seq, sent, want, held, applied, floor_applied, weight, floor_, ttl, reuse, floor_ttl,
    linger, refresh, budget, margin, fenced, fencer, seen_members, seen_floors, leaving = cmsgpack.unpack(ARGV[5])
  r = {
    epoch = epoch, seq = seq, sent = sent, want = want, held = held, applied = applied,
    floor_applied = floor_applied, weight = weight, floor = floor_, ttl = ttl, reuse = reuse,
    floor_ttl = floor_ttl, linger = linger, refresh = refresh, budget = budget, margin = margin,
    fenced = fenced, fencer = fencer, seen_members = seen_members, seen_floors = seen_floors,
    leaving = leaving,
  }
end

local function every()
  return max(r.refresh, 1, floor(max(a.members, r.seen_members) * 1000 / REQUESTS_PER_SECOND))
end

local function ttl()
  local stretched, own = every(), max(r.refresh, 1)
  if stretched == own then return r.ttl end
  return floor(r.ttl * stretched / own)
end

-- Account::is_anew
local function is_anew(m)
  local lasts = ttl()
  local was_away = max(r.sent - m.sent, 0) >= lasts - floor(lasts / 4)
    and max(a.now - m.seen, 0) >= r.refresh
  return m.seq == 0 or m.lapsed == 1 or m.seen < a.learning_from or was_away
end

-- Account::advance
local function advance(wall, own)
  local begins = a.engine ~= engine
  local known = own and own.incarnation == incarnation and not begins and not is_anew(own)
  -- FleetClock::advance
  local moved = a.wall == 0 and 0 or max(wall - a.wall, 0)
  a.wall = wall
  if known then a.now = max(a.now, min(a.now + moved, max(r.sent + own.ahead, 0) + SLACK)) end
  if begins then
    a.engine = engine
    a.now = a.now + 1
    a.learning_from, a.learning_until = a.now, a.now + 1
    a.reserve_until = a.now
    a.reserve_floors, a.returned_floors = 0, 0
  end
  if is_learning() then
    local lasts = ttl()
    local lapsed = lasts - floor(lasts / 4)
    a.learning_until = max(a.learning_until, a.learning_from + lapsed + r.reuse + r.linger)
    a.reserve_until = max(a.reserve_until, a.learning_from + r.floor_ttl + r.linger)
  end
end

-- Ledger::lapse, while `first` of DUE has ended.
local function lapse(first)
  -- Account::lapse
  local function lapse_member(m, left)
    if a.now < m.due then return m, left end
    if m.keep == 0 or m.floor_due <= a.now then return nil, leave_behind(m, left, a.now) end
    unlist(m)
    a.lapsed = a.lapsed + 1
    a.lapsed_floors = a.lapsed_floors + m.keep
    a.floors = a.floors + m.keep
    local remains = put_behind(m, m.bound - m.keep, m.keep, left, a.now)
    m.grant, m.bound, m.due, m.lapsed, m.hungry, m.extra = m.keep, m.keep, m.floor_due, 1, 0, 0
    return m, remains
  end

  for _ = 1, LAPSES_PER_STEP do
    local at = first[1]
    if not at then return end
    a.first = tonumber(first[2])
    if a.first > a.now then return end
    if string.sub(at, -1) == '\0' then
      local name = string.sub(at, 1, -2)
      local m = member(name)
      local behind = place(name, m.epoch)
      local left = remnant(behind)
      local kept, remains = lapse_member(m, left)
      put_member(name, m, kept)
      put_remnant(behind, left, remains)
    else
      local left = remnant(at)
      -- Account::expire
      local remains
      if left.fenced == 1 then
        remains = { seq = left.seq, permits = left.permits, keep = left.keep, due = NEVER, fenced = 1 }
      else
        release(left)
      end
      put_remnant(at, left, remains)
    end
    first = call('ZRANGE', DUE, 0, 0, 'WITHSCORES')
  end
end

local function reply(m)
  settle_declared()
  local granted_floor = r.floor_ttl == 0 and 0 or min(m.floor, m.grant)
  return {
    r.seq, m.epoch, m.grant, granted_floor, ttl(), r.floor_ttl, m.refresh, a.budget, a.margin,
    min(a.total, MOST), min(a.remnants, MOST), a.members, min(a.floors + reserve(), MOST), a.hungry,
    is_learning() and 1 or 0, a.kinds > 1 and 1 or 0, 1 - a.floors_fit, 0, 0,
  }
end
local SUPERSEDED, SWEEP, WALL = 18, 19, 20

-- Account::has_extra
local function has_extra(m, want, fair)
  if a.plenty == 1 or want <= fair then return false end
  local nobody_lacks = a.hungry == 0
  if fair > 0 then return nobody_lacks end
  local since = a.now - m.since
  if nobody_lacks then return true end
  if m.extra == 1 then return since < TURN end
  return m.since == 0 or since > every() + r.linger
end

-- Account::grant
local function grant(m)
  local weight, least, want = claim(m)
  local fair = min(share(a.per_weight, a.plenty, a.floors_fit, weight, least, want), a.usable)
  local extra = has_extra(m, want, fair) and 1 or 0
  local learning = is_learning()
  local target = learning and r.applied or fair + extra
  m.grant = min(target, max(a.usable - (a.total + reserve()), 0))
  m.bound = max(m.grant, r.applied, r.held)
  if m.grant <= fair then extra = 0 end
  if m.extra ~= extra then m.since = a.now end
  m.extra = extra
  local needs = min(max(want, a.floors_fit == 1 and least or 0), max(fair, 1))
  m.hungry = not learning and m.grant < needs and 1 or 0
  local promised = r.floor_ttl == 0 and 0 or min(m.floor, m.grant)
  m.keep = min(max(promised, r.floor_applied), m.bound)
  m.due = a.now + ttl() + r.reuse
  m.floor_due = max(m.due, a.now + r.floor_ttl)
  m.refresh = every()
  if learning then
    m.refresh = min(m.refresh, a.learning_until - a.now + 1)
  elseif m.hungry == 1 and a.hungry < FEW_HUNGRY then
    m.refresh = max(floor(m.refresh / 4), 1)
  end
end

-- Account::leave
local function leave(m)
  set_in_force()
  relevel()
  local holds = max(r.applied, r.held)
  a.total = a.total + holds
  local until_ = a.now + ttl()
  local remains = put_behind(m, holds, 0, nil, until_)
    or { seq = m.seq, permits = 0, keep = 0, due = until_, fenced = 0 }
  m.grant = 0
  return reply(m), nil, remains
end

-- Account::lease
local function lease(m, evicted)
  if m.epoch == 0 then
    m.epoch = r.epoch == 0 and a.epoch + 1 or r.epoch
    a.epoch = max(a.epoch, m.epoch)
    m.incarnation = incarnation
  elseif r.epoch ~= 0 then
    a.epoch = max(a.epoch, r.epoch)
    m.epoch = r.epoch
  end
  local unknown = m.seq == 0 and (not evicted or is_learning())
  local was_missed = r.epoch ~= 0 and (unknown or (m.seq > 0 and m.seen < a.learning_from))
  if was_missed and a.now < a.reserve_until then
    a.reserve_floors = max(a.reserve_floors, r.seen_floors)
    a.returned_floors = a.returned_floors + r.floor_applied
  end
  -- Member::take
  local ahead = a.now - r.sent
  m.ahead = is_anew(m) and ahead or min(m.ahead, ahead)
  m.seq, m.sent, m.seen, m.held = r.seq, r.sent, a.now, r.held
  m.want = r.leaving == 1 and 0 or r.want
  m.floor, m.weight, m.budget, m.margin = r.floor, r.weight, r.budget, r.margin
  m.linger, m.fenced, m.lapsed = r.linger, r.fenced, 0
  if r.leaving == 1 then return leave(m) end
  list(m)
  set_in_force()
  if a.members <= FEW or a.now >= a.levelled + LEVEL_EVERY then relevel() end
  grant(m)
  a.hungry = a.hungry + m.hungry
  a.total = a.total + m.bound
  a.floors = a.floors + m.keep
  local answer = reply(m)
  if a.remnants > 0 and r.fencer == 1 and a.now >= a.swept + SWEEP_EVERY then
    a.swept = a.now
    answer[SWEEP] = 1
  end
  return answer, m, nil
end

local function newcomer()
  local zeros = {}
  for i = 1, 24 do zeros[i] = 0 end
  return read_member(cmsgpack.pack(unpack(zeros)))
end

local problem = load(true)
if problem then return problem end
local time = call('TIME')
local wall = max(tonumber(time[1]) * 1000 + floor(tonumber(time[2]) / 1000) + tonumber(ARGV[1]), 0)
local own = member(replica)
advance(wall, own)
if a.now >= a.first then
  local first = call('ZRANGE', DUE, 0, 0, 'WITHSCORES')
  lapse(first)
  own = member(replica)
end
-- Account::left_under
local of_own = own and (r.epoch == 0 or own.incarnation ~= incarnation)
local at = place(replica, of_own and own.epoch or r.epoch)
local left = remnant(at)

-- Account::renew
local answer
if own and own.incarnation ~= incarnation then
  local outdated = own.seen < a.learning_from and own.epoch < r.epoch
  if (r.epoch ~= 0 and not outdated) or r.leaving == 1 then
    answer = reply(own)
    answer[SUPERSEDED] = 1
  else
    local remains = leave_behind(own, left, a.now)
    local m
    answer, m = lease(newcomer())
    put_member(replica, own, m)
    put_remnant(at, left, remains)
  end
elseif own and r.seq <= own.seq then
  answer = reply(own)
elseif not own and left and r.seq <= left.seq then
  local m = newcomer()
  m.epoch = r.epoch
  answer = reply(m)
else
  if left then release(left) end
  if own then
    unlist(own)
    a.total = a.total - own.bound
  end
  local m, remains
  answer, m, remains = lease(own or newcomer(), not own and left)
  put_member(replica, own, m)
  put_remnant(place(replica, answer[2]), left, remains)
end
save()
answer[WALL] = wall
return answer
