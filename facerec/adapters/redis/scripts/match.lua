-- The names of the images that match. ARGV: owner, p, hash. Read in one step, so that no half-written image is seen.
-- Returns {own names, other names, hashes whose names are too many for one step}; of an image in the crowd {own names, {}, ...,
-- model of the current set, its face records}.
local _, p, hash = unpack(ARGV)
local many = {}
local function names_of(image)
  local names = published_names(p, image)
  if not names then many[#many + 1] = image end
  return names or {}
end
local own_names = names_of(hash)
if redis.call('ZSCORE', p .. 'crowd', hash) then
  return {own_names, {}, many, (current_facts(p, hash)) or '', in_database(FACES, 'LRANGE', p .. hash, 0, -1)}
end
local found = {}
for _, other in ipairs(in_database(LINKS, 'SMEMBERS', p .. hash)) do
  for _, name in ipairs(names_of(other)) do found[#found + 1] = name end
end
return {own_names, found, many}
