-- with: regenerate_shared
-- Images that are to be done now. ARGV: run, now, jobs at once, due again.
-- Returns {owner prefix and hash, ...}: as many as fit in beside those that are under way.
local run, now, at_once, again = unpack(ARGV)
local doc = redis.call('HMGET', RUN, 'run', 'state')
if doc[1] ~= run or doc[2] == 'paused' or doc[2] == 'dropping' then return {} end
local busy = redis.call('ZCOUNT', PENDING, '(' .. now, '(' .. PARKED)
local free = tonumber(at_once) - busy
if free <= 0 then return {} end
local found = redis.call('ZRANGEBYSCORE', PENDING, '-inf', now, 'LIMIT', 0, free)
for _, member in ipairs(found) do redis.call('ZADD', PENDING, again, member) end
return found
