-- with: findface_shared
-- Hold faces against the galleries, in one short step. ARGV: p, then 'images' and hashes; or 'members', the name of a set (of a
-- gallery, 'hidden', or 'meta:<meta>') and for each member: face, its image's ticket, its number there; or 'gallery' and a name.
-- Returns problems {face, detail}. Nothing is written.
local p, what = ARGV[1], ARGV[2]
local problems = {}
local function problem(face, detail) problems[#problems + 1] = {face, detail} end

local function check_face(face)
  local listed, hidden = is_listed(p, face), redis.call('ZSCORE', p .. 'hidden', face)
  if listed and hidden then problem(face, 'is in the default gallery and hidden at once') end
  if not listed and not hidden then problem(face, 'is in no gallery') end
  local said = redis.call('HMGET', face_key(p, face), 'galleries', 'meta')
  for _, name in ipairs(split(said[1] or '')) do
    if not redis.call('ZSCORE', gallery_key(p, name), face) then problem(face, 'is not in its gallery ' .. name) end
  end
  local meta = said[2] or ''
  if meta ~= '' and not redis.call('ZSCORE', meta_key(p, meta), face) then
    problem(face, 'is not listed under its meta, by galleries')
  end
end

local function check_image(hash)
  if redis.call('HGET', document(p, hash), 'state') ~= 'done' then return end
  for _, record in ipairs(in_database(FACES, 'LRANGE', p .. hash, 0, -1)) do
    local face = face_of(record)
    if face ~= '0' then check_face(face) end
  end
end

local function is_there(face, ticket, number)
  local hash = redis.call('ZRANGEBYSCORE', p .. 'images', ticket, ticket)[1]
  if not hash then return false end
  local record = in_database(FACES, 'LINDEX', p .. hash, number)
  if record and face_of(record) == face then return true end
  for _, other in ipairs(in_database(FACES, 'LRANGE', p .. hash, 0, -1)) do
    if face_of(other) == face then return true end
  end
  return false
end

local function names_it(face, set)
  local said = redis.call('HMGET', face_key(p, face), 'galleries', 'meta')
  if set:sub(1, 5) == 'meta:' then return (said[2] or '') == set:sub(6) end
  if set == 'default' or set == 'hidden' then return true end
  for _, name in ipairs(split(said[1] or '')) do
    if name == set then return true end
  end
  return false
end

local function key_of(set)
  if set == 'hidden' or set:sub(1, 5) == 'meta:' then return p .. set end
  return gallery_key(p, set)
end

local function check_member(set, face, ticket, number)
  if not redis.call('ZSCORE', key_of(set), face) then return end
  if not is_there(face, ticket, number) then
    problem(face, 'is in the gallery set ' .. set .. ', but on no finished image')
  elseif not names_it(face, set) then
    problem(face, 'is in the gallery set ' .. set .. ', and does not say so itself')
  end
end

local function check_gallery(name)
  local key = gallery_key(p, name)
  if name ~= 'default' and redis.call('EXISTS', key) == 1 and not redis.call('ZSCORE', p .. 'galleries', name) then
    problem('', 'the gallery ' .. name .. ' has faces, but is not in the list of galleries')
  end
  if redis.call('HLEN', key .. ':metas') > CHUNK then return end
  local sum = 0
  for _, count in ipairs(redis.call('HVALS', key .. ':metas')) do sum = sum + tonumber(count) end
  local size = redis.call('ZCARD', key)
  if sum ~= size then
    problem('', 'the gallery ' .. name .. ' counts ' .. sum .. ' faces by their metas, but has ' .. size)
  end
end

if what == 'images' then
  for i = 3, #ARGV do check_image(ARGV[i]) end
elseif what == 'members' then
  for i = 4, #ARGV, 3 do check_member(ARGV[3], ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
else
  check_gallery(ARGV[3])
end
return problems
