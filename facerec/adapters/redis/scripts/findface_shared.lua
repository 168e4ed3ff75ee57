-- with: people_shared
-- Faces in galleries: what the scripts share that change them. The layout is told in facerec/adapters/redis/findface.py.
-- Ids travel as text, because cjson would round them.

local LOGGED = 10000 -- changes of a gallery that a worker may fall behind before it reads all of it anew

local function face_key(p, face) return p .. 'face:' .. face end
local function gallery_key(p, gallery) return p .. 'gallery:' .. gallery end
local function meta_key(p, meta) return p .. 'meta:' .. meta end

-- A gallery's number in the list of galleries, nil for none. It is negative while the gallery is being removed: then nobody sees
-- the gallery any more, but its name is not free. The release before knows no such numbers: to it the gallery is one like others
-- whose faces become fewer. So a name stands for one gallery at a time, whoever makes, fills or removes it meanwhile.
local function number_of(p, gallery) return tonumber(redis.call('ZSCORE', p .. 'galleries', gallery) or nil) end
local function is_gallery(p, gallery) return (number_of(p, gallery) or -1) >= 0 end
local function is_being_removed(p, gallery) return (number_of(p, gallery) or 0) < 0 end

local function log_change(p, gallery, sign, face)
  local version = redis.call('HINCRBY', p .. 'gallery:versions', gallery, 1)
  redis.call('XADD', gallery_key(p, gallery) .. ':log', 'MAXLEN', '~', LOGGED, string.format('%.0f-0', version), sign, face)
end

-- A face comes into a gallery, or leaves it. `meta` is the face's, for the counts of the gallery.
local function join(p, gallery, face, meta)
  if redis.call('ZADD', gallery_key(p, gallery), face, face) == 0 then return end
  redis.call('HINCRBY', gallery_key(p, gallery) .. ':metas', meta, 1)
  if gallery ~= 'default' then log_change(p, gallery, '+', face) end
end

local function leave(p, gallery, face, meta)
  if redis.call('ZREM', gallery_key(p, gallery), face) == 0 then return end
  if redis.call('HINCRBY', gallery_key(p, gallery) .. ':metas', meta, -1) <= 0 then
    redis.call('HDEL', gallery_key(p, gallery) .. ':metas', meta)
  end
  if gallery ~= 'default' then log_change(p, gallery, '-', face) end
end

local function split(text)
  local parts = {}
  for part in (text or ''):gmatch('[^,]+') do parts[#parts + 1] = part end
  return parts
end

-- Every gallery that a face is in, 'default' first; those that are being removed, too.
local function galleries_of(p, face)
  local found = {'default'}
  for _, name in ipairs(split(redis.call('HGET', face_key(p, face), 'galleries'))) do found[#found + 1] = name end
  return found
end

-- Bystanders of a posted photo belong to its image and to no gallery.
local function hide(p, face)
  if redis.call('ZADD', p .. 'hidden', face, face) == 1 then log_change(p, '*hidden', '+', face) end
end

local function show(p, face)
  if redis.call('ZREM', p .. 'hidden', face) == 1 then log_change(p, '*hidden', '-', face) end
  join(p, 'default', face, redis.call('HGET', face_key(p, face), 'meta') or '')
end

local function set_meta(p, face, meta)
  local old = redis.call('HGET', face_key(p, face), 'meta') or ''
  if old == meta then return end
  for _, gallery in ipairs(galleries_of(p, face)) do
    local metas = gallery_key(p, gallery) .. ':metas'
    if redis.call('HINCRBY', metas, old, -1) <= 0 then redis.call('HDEL', metas, old) end
    redis.call('HINCRBY', metas, meta, 1)
  end
  if old ~= '' then redis.call('ZREM', meta_key(p, old), face) end
  if meta ~= '' then redis.call('ZADD', meta_key(p, meta), face, face) end
  redis.call('HSET', face_key(p, face), 'meta', meta)
end

-- Galleries of a face besides 'default' become exactly these; those that do not exist, or not for long, are left out.
local function set_galleries(p, face, wanted)
  local meta = redis.call('HGET', face_key(p, face), 'meta') or ''
  local keep, names = {}, {}
  for _, name in ipairs(wanted) do
    if name ~= 'default' and not keep[name] and is_gallery(p, name) then
      keep[name] = true
      names[#names + 1] = name
      join(p, name, face, meta)
    end
  end
  for _, name in ipairs(galleries_of(p, face)) do
    if name ~= 'default' and not keep[name] then leave(p, name, face, meta) end
  end
  redis.call('HSET', face_key(p, face), 'galleries', table.concat(names, ','))
end

local function person_of(p, face)
  local person = redis.call('HGET', p .. 'faces:person', face)
  return person and person ~= '' and person or nil
end

-- A face is of this person from now on.
local function set_person(p, face, person)
  local touched = {}
  put(p, {face}, person, touched)
  if is_linked(p, face, person) then unlink(p, face, person) end
  refresh_all(p, touched, redis.call('TIME')[1])
  bump(p)
end

-- Dynamic persons: the person of the nearest face that has one, from the same camera unless all count, or a new one.
local function choose_person(p, face, candidates, everywhere, now)
  local camera = redis.call('HGET', face_key(p, face), 'cam_id')
  for _, other in ipairs(candidates) do
    local person = other ~= face and person_of(p, other)
    if person and (everywhere or redis.call('HGET', face_key(p, other), 'cam_id') == camera) then return person end
  end
  return create(p, now)
end

-- Friend: seen by this camera on enough different days since then.
local function is_friend(p, face, since, days)
  local person, camera = person_of(p, face), redis.call('HGET', face_key(p, face), 'cam_id')
  if not person or not camera then return false end
  local seen, count = {}, 0
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', seen_key(p, person, camera), since, '+inf')) do
    local day = redis.call('HGET', face_key(p, other), 'day')
    if day and not seen[day] then
      seen[day] = true
      count = count + 1
    end
  end
  return count >= days
end

-- What is said of a face may change where and when its person was seen: the old sighting goes with what told of it.
local function set_fields(p, face, fields)
  local person = person_of(p, face) or ''
  move_sightings(p, {face}, {[face] = person}, '')
  for name, value in pairs(fields) do redis.call('HSET', face_key(p, face), name, value) end
  move_sightings(p, {face}, {}, person)
end

-- What was posted with a face. `wish` is facerec.enrolment.Enrolment as JSON.
local function enrol(p, face, wanted, wish)
  show(p, face)
  set_fields(p, face, wanted.fields)
  if wanted.meta then set_meta(p, face, wanted.meta) end
  local galleries = galleries_of(p, face)
  for _, name in ipairs(wish.galleries) do galleries[#galleries + 1] = name end
  set_galleries(p, face, galleries)
  if wish.persons then
    local person = person_of(p, face) or choose_person(p, face, wanted.candidates, wish.everywhere, wish.now)
    set_person(p, face, person)
    local friend = is_friend(p, face, wish.friend_since, wish.friend_days)
    redis.call('HSET', face_key(p, face), 'friend', friend and '1' or '0')
  end
end

-- An image is written: its faces come into the galleries, all of them or those that were posted.
local function list_faces(image)
  local wish = image.enrolment ~= '' and cjson.decode(image.enrolment)
  if wish and not image.restored then redis.call('HSET', document(image.p, image.hash), 'posted', 1) end
  local wanted = {}
  for _, face in ipairs(wish and wish.faces or {}) do wanted[face.id] = face end
  for _, record in ipairs(image.records) do
    local face = face_of(record)
    if not wish then show(image.p, face)
    elseif wanted[face] then enrol(image.p, face, wanted[face], wish)
    else hide(image.p, face) end
  end
end

local function forget_face(p, face)
  local meta = redis.call('HGET', face_key(p, face), 'meta') or ''
  for _, gallery in ipairs(galleries_of(p, face)) do leave(p, gallery, face, meta) end
  if redis.call('ZREM', p .. 'hidden', face) == 1 then log_change(p, '*hidden', '-', face) end
  if meta ~= '' then redis.call('ZREM', meta_key(p, meta), face) end
  forget_faces(p, {face}, redis.call('TIME')[1])
  redis.call('DEL', face_key(p, face))
end

local function is_listed(p, face) return redis.call('ZSCORE', gallery_key(p, 'default'), face) end
