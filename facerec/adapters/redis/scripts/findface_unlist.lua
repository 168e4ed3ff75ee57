-- with: findface_shared
-- Go on with the removal of a gallery: some faces leave it, and after the last of them it is no more.
-- ARGV: p, name, how many faces. Returns whether faces are left, 1 or 0.
local p, name, count = unpack(ARGV)
local key, metas = gallery_key(p, name), {}
if not is_being_removed(p, name) then
  -- Another has finished, and the name may stand for a new gallery.
  strike_out(key)
  return 0
end

-- The fields of a face name the gallery no more; returns the face's meta.
local function withdraw_gallery(face)
  local said = redis.call('HMGET', face_key(p, face), 'galleries', 'meta')
  local left, named = {}, false
  for _, other in ipairs(split(said[1] or '')) do
    if other == name then named = true else left[#left + 1] = other end
  end
  if named then redis.call('HSET', face_key(p, face), 'galleries', table.concat(left, ',')) end
  return said[2] or ''
end

for _, face in ipairs(redis.call('ZRANGE', key, 0, count - 1)) do
  local meta = withdraw_gallery(face)
  metas[meta] = (metas[meta] or 0) + 1
end
redis.call('ZREMRANGEBYRANK', key, 0, count - 1)
for meta, faces in pairs(metas) do
  if redis.call('HINCRBY', key .. ':metas', meta, -faces) <= 0 then redis.call('HDEL', key .. ':metas', meta) end
end
-- No entry of the log tells of this version, so who follows the gallery reads it anew. It goes on counting after the end: a
-- worker that knew this gallery must not take a new one of the name for it.
redis.call('HINCRBY', p .. 'gallery:versions', name, 1)
if redis.call('EXISTS', key) == 1 then return 1 end
redis.call('ZREM', p .. 'galleries', name)
strike_out(key)
redis.call('UNLINK', key .. ':metas', key .. ':log')
return 0
