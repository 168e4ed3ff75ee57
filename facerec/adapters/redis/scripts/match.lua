-- The names of the images that match. ARGV: owner, p, hash. Read in one step, so that no half-written image is seen.
-- Returns {names, hashes whose names are too many for one step}; of an image in the crowd {{}, {}, model of the current set,
-- its face records}. The image is not linked to itself, so it is left out; another image of the same name is not.
local _, p, hash = unpack(ARGV)
if redis.call('ZSCORE', p .. 'crowd', hash) then
  return {{}, {}, (current_facts(p, hash)) or '', in_database(FACES, 'LRANGE', p .. hash, 0, -1)}
end
local found, many = {}, {}
for _, other in ipairs(in_database(LINKS, 'SMEMBERS', p .. hash)) do
  local names = published_names(p, other)
  if not names then many[#many + 1] = other end
  for _, name in ipairs(names or {}) do found[#found + 1] = name end
end
return {found, many}
