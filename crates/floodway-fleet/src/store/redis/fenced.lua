-- What leases had left behind is closed. ARGV: replica, epoch, seq, permits and keep of each, in turn.

local problem = load(false)
if problem or not a then return problem end
for i = 1, #ARGV, 5 do
  local at = place(ARGV[i], tonumber(ARGV[i + 1]))
  local left = remnant(at)
  -- What is no longer as it was when it was closed stays: it may be more by now.
  local same = left and left.seq == tonumber(ARGV[i + 2])
    and left.permits == tonumber(ARGV[i + 3]) and left.keep == tonumber(ARGV[i + 4])
  if same and left.due < 0 then
    put_remnant(at, left, nil)
    release(left)
  end
end
save()
