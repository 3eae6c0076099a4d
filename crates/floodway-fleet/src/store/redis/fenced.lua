-- What leases had left behind is closed. ARGV: replicas and epochs, in turn.

local problem = load(false)
if problem or not a then return problem end
for i = 1, #ARGV, 2 do
  local at = place(ARGV[i], tonumber(ARGV[i + 1]))
  local left = remnant(at)
  if left and left.due < 0 then
    put_remnant(at, left, nil)
    release(left)
  end
end
save()
