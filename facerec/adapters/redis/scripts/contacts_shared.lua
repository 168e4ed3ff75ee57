-- Contacts: what the scripts share. The layout is told in facerec/adapters/redis/contacts.py. Ids travel as text, because
-- numbers of Lua and cjson would round them.
local function contacts_key(p, what, user) return p .. 'contacts:' .. what .. ':' .. user end
local function contact_key(p, user, contact) return p .. 'contact:' .. user .. ':' .. contact end
local function bearers_key(p, face) return p .. 'contacts:of:' .. face end
local function brought_key(p, hash) return p .. 'contacts:image:' .. hash end

local function has_turn(p, user, token) return redis.call('GET', contacts_key(p, 'turn', user)) == token end
local function version_of(p, user) return redis.call('GET', contacts_key(p, 'version', user)) or '0' end
local function advance(p, user) return redis.call('INCR', contacts_key(p, 'version', user)) end

-- The face record of a contact's face, or false.
local function record_at(p, hash, face)
  redis.call('SELECT', FACES)
  local record = redis.call('LINDEX', p .. hash, tonumber(face) % 4096)
  if not record or face_of(record) ~= face then
    record = false
    for _, other in ipairs(redis.call('LRANGE', p .. hash, 0, -1)) do
      if face_of(other) == face then record = other end
    end
  end
  redis.call('SELECT', OWN)
  return record
end

local function record_of_contact_face(p, text)
  local doc = cjson.decode(text)
  return doc.image ~= cjson.null and record_at(p, doc.image, doc.face)
end

-- A contact may be without faces now: then it is none.
local function drop_if_empty(p, user, contact)
  if redis.call('EXISTS', contact_key(p, user, contact)) == 1 then return end
  redis.call('SREM', contacts_key(p, 'list', user), contact)
  redis.call('HDEL', contacts_key(p, 'leaders', user), contact)
  redis.call('SREM', contacts_key(p, 'stale', user), contact)
end

-- A face of the core is gone: so it is from every contact that has it. Their clusters are made anew before they are next used.
local function forget_contact_faces(p, face)
  for _, bearer in ipairs(redis.call('SMEMBERS', bearers_key(p, face))) do
    local user, contact, number = bearer:match('^(%S+) (%S+) (%S+)$')
    redis.call('HDEL', contact_key(p, user, contact), number)
    redis.call('SADD', contacts_key(p, 'stale', user), contact)
    drop_if_empty(p, user, contact)
    advance(p, user)
  end
  redis.call('DEL', bearers_key(p, face))
end

-- Whether an image may go because contacts alone brought it and no face of a contact has it, once `user` expects it no more.
-- Returns false, or the newest ticket of theirs. A job of theirs that still is on its way is stopped by the mark that it sets.
local function left_by_contacts(p, hash, user, token, seconds)
  if not has_turn(p, user, token) then return false end
  local key = brought_key(p, hash)
  redis.call('HDEL', key, 'expected ' .. user)
  redis.call('SREM', contacts_key(p, 'loose', user), hash)
  local newest, flat = redis.call('HGET', key, 'brought'), redis.call('HGETALL', key)
  if not newest then return false end
  for i = 1, #flat, 2 do
    if flat[i]:sub(1, 9) == 'expected ' then return false end
    if flat[i]:sub(1, 5) == 'name ' and tonumber(flat[i + 1]) > tonumber(newest) then newest = flat[i + 1] end
  end
  for _, record in ipairs(in_database(FACES, 'LRANGE', p .. hash, 0, -1)) do
    if redis.call('EXISTS', bearers_key(p, face_of(record))) == 1 then return false end
  end
  local names = redis.call('HGETALL', p .. 'names:' .. hash)
  for i = 1, #names, 2 do
    if redis.call('HGET', key, 'name ' .. names[i]) ~= names[i + 1] then return false end
  end
  redis.call('SET', p .. 'erased:' .. hash, newest, 'EX', seconds)
  redis.call('DEL', key)
  return newest
end
