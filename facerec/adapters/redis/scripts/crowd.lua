-- A finished image joins the crowd: its links to other members are kept no more. ARGV: p, hash, and
-- 'aside' for the set aside.
local p, hash, set = unpack(ARGV)
local crowd, LINKS = p .. (set and 'crowd:aside' or 'crowd'), set and ASIDE_LINKS or LINKS
local doc = redis.call('HMGET', document(p, hash), 'state', 'ticket')
if doc[1] ~= 'done' then return 'not done' end
redis.call('ZADD', crowd, doc[2], hash)
for _, other in ipairs(in_database(LINKS, 'SMEMBERS', p .. hash)) do
  if redis.call('ZSCORE', crowd, other) then
    redis.call('SELECT', LINKS)
    redis.call('SREM', p .. hash, other)
    redis.call('SREM', p .. other, hash)
    redis.call('SELECT', OWN)
  end
end
return 'ok'
