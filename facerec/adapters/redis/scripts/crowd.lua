-- A finished image joins the crowd: its links to other members are kept no more. ARGV: p, hash.
local p, hash = unpack(ARGV)
local doc = redis.call('HMGET', document(p, hash), 'state', 'ticket')
if doc[1] ~= 'done' then return 'not done' end
redis.call('ZADD', p .. 'crowd', doc[2], hash)
for _, other in ipairs(in_database(LINKS, 'SMEMBERS', p .. hash)) do
  if redis.call('ZSCORE', p .. 'crowd', other) then
    redis.call('SELECT', LINKS)
    redis.call('SREM', p .. hash, other)
    redis.call('SREM', p .. other, hash)
    redis.call('SELECT', OWN)
  end
end
return 'ok'
