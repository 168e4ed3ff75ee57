-- Write some names of an image of an archive, before the image itself: it may have too many for one step.
-- ARGV: p, hash, then names and tickets by turns.
local p, hash = ARGV[1], ARGV[2]
if redis.call('EXISTS', document(p, hash)) == 1 then return 0 end
for i = 3, #ARGV, 2 do
  redis.call('HSET', p .. 'names:' .. hash, ARGV[i], ARGV[i + 1])
  advance_counter(ARGV[i + 1])
end
return 1
