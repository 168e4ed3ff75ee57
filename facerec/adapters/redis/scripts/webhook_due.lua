-- Notices that are due. ARGV: limit, lease in seconds, the most of one owner, and p and the calls under way of some owners.
-- Returns {{member, attempt, claim, url, secret} of each, p of owners whose keys are of a wrong type: those are passed over for a
-- while}.
-- A member is {p}<state>:<hash>; when its owner has no webhook any more it is forgotten. Whoever brings an image to an end puts it
-- into the one list webhooks:due; here it goes on to the list of its owner, so that what one of them waits for hides nobody else's.
local limit, lease, each = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local SORTED, PASSED_OVER = 500, 60
local under_way, busy = {}, 0
for i = 4, #ARGV, 2 do
  under_way[ARGV[i]] = tonumber(ARGV[i + 1])
  busy = busy + 1
end
local present = seconds_now()
local function at(seconds) return string.format('%.6f', seconds) end

local damaged, seen = {}, {}
local function pass_over(p)
  redis.call('ZADD', 'webhooks:waiting', at(present + PASSED_OVER), p)
  if not seen[p] then damaged[#damaged + 1] = p end
  seen[p] = true
end

-- What is due later is in the hands of a worker of the release before, which knows this list alone.
local function sort_out()
  local due = redis.call('ZRANGEBYSCORE', 'webhooks:due', '-inf', at(present), 'WITHSCORES', 'LIMIT', 0, SORTED)
  for i = 1, #due, 2 do
    local p = string.match(due[i], '^(.*\31)') or ''
    local moved = redis.pcall('ZADD', p .. 'webhook:calls', due[i + 1], due[i])
    if type(moved) == 'table' then
      redis.call('ZADD', 'webhooks:due', at(present + PASSED_OVER), due[i])
      pass_over(p)
    else
      redis.call('ZADD', 'webhooks:waiting', 'LT', at(present), p)
      redis.call('ZREM', 'webhooks:due', due[i])
    end
  end
end

local told = {}
local function claim(p, member, hook)
  local tried = redis.call('HGET', 'webhooks:tries', member) or '0'
  local attempt = tonumber(string.match(tried, '^%d+')) + 1
  local number = attempt .. ' ' .. redis.call('INCR', 'webhooks:claims')
  redis.call('HSET', 'webhooks:tries', member, number)
  redis.call('ZADD', p .. 'webhook:calls', at(present + lease), member)
  told[#told + 1] = {member, attempt, number, hook[1], hook[2]}
end

-- The owner's next turn comes when something of it is due, and behind those who wait now, some of them since this very moment.
local function line_up(p)
  local first = redis.call('ZRANGE', p .. 'webhook:calls', 0, 0, 'WITHSCORES')
  if first[1] then
    redis.call('ZADD', 'webhooks:waiting', at(math.max(present + 2e-6, tonumber(first[2]))), p)
  else
    redis.call('ZREM', 'webhooks:waiting', p)
  end
end

local function serve(p, room)
  local hook = redis.pcall('HMGET', p .. 'webhook', 'url', 'secret')
  local calls = p .. 'webhook:calls'
  local due = redis.pcall('ZRANGEBYSCORE', calls, '-inf', at(present), 'LIMIT', 0, hook[1] and room or SORTED)
  if hook.err or due.err then return pass_over(p) end
  for _, member in ipairs(due) do
    if hook[1] then
      claim(p, member, hook)
    else
      redis.call('ZREM', calls, member)
      redis.call('HDEL', 'webhooks:tries', member)
    end
  end
  line_up(p)
end

sort_out()
for _, p in ipairs(redis.call('ZRANGEBYSCORE', 'webhooks:waiting', '-inf', at(present), 'LIMIT', 0, limit + busy)) do
  local room = math.min(each - (under_way[p] or 0), limit - #told)
  if room > 0 then serve(p, room) end
end
return {told, damaged}
