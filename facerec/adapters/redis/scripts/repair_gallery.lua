-- with: findface_shared
-- Put a face where it belongs among the galleries. ARGV: p, face, its image's ticket, the set that should not have it or ''.
-- Without a face: list the gallery `set`, and count its faces by their metas anew unless they are too many for one step.
local p, face, ticket, set = unpack(ARGV)
local MANY = 10000

local function count_anew(key)
  if redis.call('ZCARD', key) > MANY then return end
  local counts = {}
  for _, other in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    local meta = redis.call('HGET', face_key(p, other), 'meta') or ''
    counts[meta] = (counts[meta] or 0) + 1
  end
  redis.call('DEL', key .. ':metas')
  for meta, count in pairs(counts) do redis.call('HSET', key .. ':metas', meta, count) end
end

if face == '' then
  if set ~= 'default' and not redis.call('ZSCORE', p .. 'galleries', set) then
    redis.call('ZADD', p .. 'galleries', string.format('%.0f', redis.call('INCR', 'gallery')), set)
  end
  count_anew(gallery_key(p, set))
  return 'ok'
end
local hash = redis.call('ZRANGEBYSCORE', p .. 'images', ticket, ticket)[1]
local is_there = false
for _, record in ipairs(hash and in_database(FACES, 'LRANGE', p .. hash, 0, -1) or {}) do
  if face_of(record) == face then is_there = true end
end
local meta = redis.call('HGET', face_key(p, face), 'meta') or ''
if set:sub(1, 5) == 'meta:' then
  if not is_there or set:sub(6) ~= meta then redis.call('ZREM', p .. set, face) end
elseif set ~= '' and set ~= 'hidden' and set ~= 'default' then
  local named = false
  for _, name in ipairs(galleries_of(p, face)) do named = named or name == set end
  if not is_there or not named then leave(p, set, face, meta) end
end
if not is_there then
  forget_face(p, face)
  return 'ok'
end
if not redis.call('ZSCORE', p .. 'hidden', face) or is_listed(p, face) then show(p, face) end
set_galleries(p, face, galleries_of(p, face))
if meta ~= '' then redis.call('ZADD', meta_key(p, meta), face, face) end
return 'ok'
