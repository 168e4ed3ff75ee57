-- The names of the images that match. ARGV: owner, p, hash. Read in one step, so that no half-written image is seen.
-- Returns {own names, other names}; of an image in the crowd {own names, {}, its face records}.
local _, p, hash = unpack(ARGV)
local own_names = in_database(HASH_TO_NAMES, 'SMEMBERS', p .. hash)
if redis.call('ZSCORE', p .. 'crowd', hash) then
  return {own_names, {}, in_database(FACES, 'LRANGE', p .. hash, 0, -1)}
end
local others = in_database(LINKS, 'SMEMBERS', p .. hash)
redis.call('SELECT', HASH_TO_NAMES)
local found = {}
for _, other in ipairs(others) do
  for _, name in ipairs(redis.call('SMEMBERS', p .. other)) do found[#found + 1] = name end
end
redis.call('SELECT', OWN)
return {own_names, found}
