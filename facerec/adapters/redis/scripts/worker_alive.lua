-- A worker lives. ARGV: its name, what it says of itself (JSON), milliseconds until it is forgotten. Those who were not heard of
-- in time are struck off the list.
local name, state, milliseconds = unpack(ARGV)
redis.call('SET', 'worker:' .. name, state, 'PX', milliseconds)
redis.call('SADD', 'workers', name)
for _, other in ipairs(redis.call('SMEMBERS', 'workers')) do
  if redis.call('EXISTS', 'worker:' .. other) == 0 then redis.call('SREM', 'workers', other) end
end
