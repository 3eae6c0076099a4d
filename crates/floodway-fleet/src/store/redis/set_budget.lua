-- An operator sets budget and margin for all replicas (ARGV), or leaves them to the replicas again.

local problem = load(true)
if problem then return problem end
a.set = ARGV[1] and 1 or 0
a.set_budget, a.set_margin = tonumber(ARGV[1] or 0), tonumber(ARGV[2] or 0)
-- What replicas declare is looked at again once nothing is set.
a.moved = 1
set_in_force()
relevel()
save()
