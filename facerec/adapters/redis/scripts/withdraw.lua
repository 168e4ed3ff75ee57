-- The broker did not take a job that was announced. ARGV: owner, p, hash, name, ticket, now, code, reason.
-- Undo the announcement, unless a worker has the job after all or another upload came meanwhile.
local owner, p, hash, name, ticket, now, code, reason = unpack(ARGV)
local key = document(p, hash)
local doc = redis.call('HMGET', key, 'state', 'ticket', 'announced', 'claim', 'failed_ticket')
if doc[3] ~= ticket then return 'kept' end
if doc[1] ~= 'queued' or doc[4] then
  -- A person's request may have it in hand, and must not leave it to a job that is not there.
  redis.call('HDEL', key, 'announced')
  return 'kept'
end
if doc[2] == ticket then
  redis.call('ZREM', p .. 'images', hash)
  redis.call('ZREM', p .. 'state:queued', hash)
  for _, other in ipairs(redis.call('HKEYS', p .. 'names:' .. hash)) do forget_open_name(p, hash, other) end
  redis.call('DEL', key, p .. 'names:' .. hash)
  announce(owner, hash, 'erased')
  return 'gone'
end
if not doc[5] then return 'kept' end
if redis.call('HGET', p .. 'names:' .. hash, name) == ticket then
  redis.call('HDEL', p .. 'names:' .. hash, name)
  forget_open_name(p, hash, name)
end
redis.call('HSET', key, 'code', code, 'reason', reason, 'done_at', now)
set_state(owner, p, hash, 'failed')
return 'failed'
