-- Notices that are due. ARGV: limit, lease in seconds. Returns {member, attempt, claim, url, secret} of each.
-- A member is {p}<state>:<hash>; when its owner has no webhook any more it is forgotten.
local limit, lease = ARGV[1], tonumber(ARGV[2])
local present = seconds_now()
local told = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', 'webhooks:due', '-inf', present, 'LIMIT', 0, limit)) do
  local p = string.match(member, '^(.*\31)') or ''
  local hook = redis.call('HMGET', p .. 'webhook', 'url', 'secret')
  if hook[1] then
    local tried = redis.call('HGET', 'webhooks:tries', member) or '0'
    local attempt = tonumber(string.match(tried, '^%d+')) + 1
    local claim = attempt .. ' ' .. redis.call('INCR', 'webhooks:claims')
    redis.call('HSET', 'webhooks:tries', member, claim)
    redis.call('ZADD', 'webhooks:due', string.format('%.6f', present + lease), member)
    told[#told + 1] = {member, attempt, claim, hook[1], hook[2]}
  else
    redis.call('ZREM', 'webhooks:due', member)
    redis.call('HDEL', 'webhooks:tries', member)
  end
end
return told
