-- Make a name lead to the newest finished image that bears it, and back.
-- ARGV: p, name, then hashes of images that bear it or are said to; the others are taken to be among its holders rightly.
local p, name = ARGV[1], ARGV[2]
local holders = p .. 'holders:' .. name
local candidates = {}
for i = 3, #ARGV do candidates[ARGV[i]] = true end
local current = in_database(NAME_TO_HASH, 'GET', p .. name)
if current then candidates[current] = true end

for hash in pairs(candidates) do
  local doc = redis.call('HMGET', document(p, hash), 'state', 'ticket')
  local known = redis.call('HGET', p .. 'names:' .. hash, name)
  if doc[1] == 'done' and not known and in_database(HASH_TO_NAMES, 'SISMEMBER', p .. hash, name) == 1 then
    redis.call('HSET', p .. 'names:' .. hash, name, doc[2])
    known = doc[2]
  end
  if doc[1] == 'done' and known then
    redis.call('ZADD', holders, known, hash)
    in_database(HASH_TO_NAMES, 'SADD', p .. hash, name)
  else
    redis.call('ZREM', holders, hash)
    in_database(HASH_TO_NAMES, 'SREM', p .. hash, name)
  end
end

local newest = redis.call('ZREVRANGE', holders, 0, 0)[1]
if redis.call('ZCARD', holders) <= 1 then redis.call('DEL', holders) end
if newest then
  in_database(NAME_TO_HASH, 'SET', p .. name, newest)
  redis.call('ZADD', p .. 'names', 0, name)
else
  in_database(NAME_TO_HASH, 'DEL', p .. name)
  redis.call('ZREM', p .. 'names', name)
end
return 'ok'
