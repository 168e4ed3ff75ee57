-- ARGV: seconds that a silent worker is missed. Returns how many workers live and have no problem, and how many more should:
-- those with a problem or still loading, and those that fell silent without a word.
redis.call('ZREMRANGEBYSCORE', 'workers:heard', '-inf', redis.call('TIME')[1] - ARGV[1])
local live, missing = 0, 0
for _, name in ipairs(redis.call('ZRANGE', 'workers:heard', 0, -1)) do
  local state = redis.call('GET', 'worker:' .. name)
  local said = state and cjson.decode(state)
  if said and not said.problem and not said.loading then live = live + 1 else missing = missing + 1 end
end
return {live, missing}
