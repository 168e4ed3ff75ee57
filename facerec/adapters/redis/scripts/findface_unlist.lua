-- with: findface_shared
-- Go on with the removal of a gallery: some faces name it no more. ARGV: p, name, how many faces. Returns how many are left.
local p, name, count = unpack(ARGV)
local faces = redis.call('ZPOPMIN', removed_key(p, name), count)
for i = 1, #faces, 2 do
  local key, left, named = face_key(p, faces[i]), {}, false
  for _, other in ipairs(split(redis.call('HGET', key, 'galleries'))) do
    if other == name then named = true else left[#left + 1] = other end
  end
  if named then redis.call('HSET', key, 'galleries', table.concat(left, ',')) end
end
return redis.call('ZCARD', removed_key(p, name))
