-- Make a camera, or change fields of one. ARGV: p, id, 1 when new, then field and value (JSON) by turns. Returns 'ok' or 'unknown'.
local p, id = ARGV[1], ARGV[2]
local key = p .. 'camera:' .. id
if ARGV[3] == '1' then
  redis.call('ZADD', p .. 'cameras', 'NX', string.format('%.0f', redis.call('INCR', 'camera')), id)
elseif redis.call('EXISTS', key) == 0 then
  return 'unknown'
end
redis.call('HSET', key, unpack(ARGV, 4))
return 'ok'
