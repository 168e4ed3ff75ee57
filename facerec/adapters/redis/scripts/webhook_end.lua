-- A call was made. ARGV: p, member, claim, seconds until it is due again ('' never), at, status, error.
-- When the image came into this state once more meanwhile, or another worker took over, the notice is not ours any more.
local p, member, claim, seconds, at, status, error = unpack(ARGV)
local calls = p .. 'webhook:calls'
if redis.call('HGET', 'webhooks:tries', member) == claim then
  if seconds == '' then
    redis.call('ZREM', calls, member)
    redis.call('HDEL', 'webhooks:tries', member)
    if redis.call('EXISTS', calls) == 0 then redis.call('ZREM', 'webhooks:waiting', p) end
  else
    local due = string.format('%.6f', seconds_now() + tonumber(seconds))
    redis.call('ZADD', calls, due, member)
    redis.call('ZADD', 'webhooks:waiting', 'LT', due, p)
  end
end
if at ~= '' and redis.call('EXISTS', p .. 'webhook') == 1 then
  redis.call('HSET', p .. 'webhook', 'last_at', at, 'last_status', status, 'last_error', error)
end
return 'ok'
