-- with: people_shared
-- Make a camera, change fields of one, or remove it. ARGV: p, id, 'add', 'change' or 'remove'; for 'remove' the call's token, else
-- field and value (JSON) by turns. Returns 'ok' or 'unknown'.
local p, id, what = ARGV[1], ARGV[2], ARGV[3]
local key = p .. 'camera:' .. id
if what == 'remove' then
  local before = answered(p, ARGV[4])
  if before then return before[1] end
  redis.call('ZREM', p .. 'cameras', id)
  return answer(p, ARGV[4], {redis.call('DEL', key) == 1 and 'ok' or 'unknown'})[1]
end
if what == 'add' then
  redis.call('ZADD', p .. 'cameras', 'NX', string.format('%.0f', redis.call('INCR', 'camera')), id)
elseif redis.call('EXISTS', key) == 0 then
  return 'unknown'
end
redis.call('HSET', key, unpack(ARGV, 4))
return 'ok'
