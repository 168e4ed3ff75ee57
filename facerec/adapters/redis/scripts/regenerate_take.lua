-- with: regenerate_shared
-- Images that are to be done now. ARGV: run, now, jobs at once, due again, number of the last batch whose jobs were all published.
-- Returns {number of this batch, owner prefix and hash, ...}: as many as fit in beside those that are under way.
--
-- What was taken is remembered until the next call tells that it was published. When that names another batch, whoever took the
-- last one died before, or the broker was away, or the answer was lost: its images are due at once, before all others.
local run, now, at_once, again, published = unpack(ARGV)
local doc = redis.call('HMGET', RUN, 'run', 'state', 'batch')
if doc[1] ~= run or doc[2] == 'paused' or doc[2] == 'dropping' then return {published} end
local batch = doc[3] or '0'
if published ~= batch then
  local taken = redis.call('ZRANGE', UNSENT, 0, -1, 'WITHSCORES')
  for i = 1, #taken, 2 do
    -- One that was done, or put off, or taken again since then is as it should be.
    if redis.call('ZSCORE', PENDING, taken[i]) == taken[i + 1] then redis.call('ZADD', PENDING, -1, taken[i]) end
  end
end
redis.call('DEL', UNSENT)
local busy = redis.call('ZCOUNT', PENDING, '(' .. now, '(' .. PARKED)
local free = tonumber(at_once) - busy
local found = free > 0 and redis.call('ZRANGEBYSCORE', PENDING, '-inf', now, 'LIMIT', 0, free) or {}
if #found == 0 and published == batch then return {batch} end
for _, member in ipairs(found) do
  redis.call('ZADD', PENDING, again, member)
  redis.call('ZADD', UNSENT, again, member)
end
table.insert(found, 1, string.format('%.0f', redis.call('HINCRBY', RUN, 'batch', 1)))
return found
