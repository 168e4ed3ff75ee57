-- Make a name lead to the newest finished image that bears it, and back.
-- ARGV: p, name, then hashes of images that may bear it besides those that are known to.
local p, name = ARGV[1], ARGV[2]
local holders = p .. 'holders:' .. name
local candidates = {}
for i = 3, #ARGV do candidates[ARGV[i]] = true end
local current = in_database(NAME_TO_HASH, 'GET', p .. name)
if current then candidates[current] = true end
for _, hash in ipairs(redis.call('ZRANGE', holders, 0, -1)) do candidates[hash] = true end

local bearers, newest, newest_upload = {}, nil, -1
for hash in pairs(candidates) do
  local doc = redis.call('HMGET', document(p, hash), 'state', 'ticket')
  local known = redis.call('HGET', p .. 'names:' .. hash, name)
  if doc[1] == 'done' and not known and in_database(HASH_TO_NAMES, 'SISMEMBER', p .. hash, name) == 1 then
    redis.call('HSET', p .. 'names:' .. hash, name, doc[2])
    known = doc[2]
  end
  if doc[1] == 'done' and known then
    bearers[#bearers + 1] = {known, hash}
    in_database(HASH_TO_NAMES, 'SADD', p .. hash, name)
    if tonumber(known) > newest_upload then newest, newest_upload = hash, tonumber(known) end
  else
    in_database(HASH_TO_NAMES, 'SREM', p .. hash, name)
  end
end

redis.call('DEL', holders)
if newest then
  in_database(NAME_TO_HASH, 'SET', p .. name, newest)
  redis.call('ZADD', p .. 'names', 0, name)
  if #bearers > 1 then
    for _, bearer in ipairs(bearers) do redis.call('ZADD', holders, bearer[1], bearer[2]) end
  end
else
  in_database(NAME_TO_HASH, 'DEL', p .. name)
  redis.call('ZREM', p .. 'names', name)
end
return 'ok'
