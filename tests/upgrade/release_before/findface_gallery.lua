-- with: findface_shared
-- Make or remove a gallery. ARGV: p, 'add' or 'remove', name. Returns 'ok', 'exists' or 'unknown'. Its faces stay in 'default'.
local p, what, name = unpack(ARGV)
local known = redis.call('ZSCORE', p .. 'galleries', name)
if what == 'add' then
  if known then return 'exists' end
  redis.call('ZADD', p .. 'galleries', string.format('%.0f', redis.call('INCR', 'gallery')), name)
  return 'ok'
end
if not known then return 'unknown' end
for _, face in ipairs(redis.call('ZRANGE', gallery_key(p, name), 0, -1)) do
  local left = {}
  for _, other in ipairs(split(redis.call('HGET', face_key(p, face), 'galleries'))) do
    if other ~= name then left[#left + 1] = other end
  end
  redis.call('HSET', face_key(p, face), 'galleries', table.concat(left, ','))
end
redis.call('ZREM', p .. 'galleries', name)
redis.call('DEL', gallery_key(p, name), gallery_key(p, name) .. ':metas', gallery_key(p, name) .. ':log')
-- The version goes on counting: a worker that knew the old gallery must not take a new one of this name for it.
redis.call('HINCRBY', p .. 'gallery:versions', name, 1)
return 'ok'
