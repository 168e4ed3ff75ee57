-- A regeneration as people see it, at one moment. ARGV: the least score of images that are parked.
-- Returns {its hash, 1 or 0 for switched, images that wait, of these parked, finished images}, or {} when there is none.
local run = redis.call('HGETALL', RUN)
if #run == 0 then return {} end
local finished = 0
for _, owner in ipairs(redis.call('SMEMBERS', 'owners')) do
  local p = prefix_of(owner)
  finished = finished + redis.call('ZCARD', p .. 'images')
  for _, state in ipairs(OPEN_STATES) do finished = finished - redis.call('ZCARD', p .. 'state:' .. state) end
end
return {run, redis.call('EXISTS', SWITCHED), redis.call('ZCARD', PENDING), redis.call('ZCOUNT', PENDING, ARGV[1], '+inf'), finished}
