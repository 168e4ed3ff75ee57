-- with: people_shared
-- Contacts: what the scripts share. The layout is told in facerec/adapters/redis/contacts.py. Ids travel as text, because
-- numbers of Lua and cjson would round them. `contact` is its id; where its user is not beside it, "user contact".
local function contacts_key(p, what, user) return p .. 'contacts:' .. what .. ':' .. user end
local function contact_key(p, user, contact) return p .. 'contact:' .. user .. ':' .. contact end
local function bearers_key(p, face) return p .. 'contacts:of:' .. face end
local function brought_key(p, hash) return p .. 'contacts:image:' .. hash end
local function bond_of(user, contact) return user .. ' ' .. contact end

local function has_turn(p, user, token) return redis.call('GET', contacts_key(p, 'turn', user)) == token end
local function advance(p, user) return redis.call('INCR', contacts_key(p, 'version', user)) end

-- Which set of encodings databases 3 and 4 hold: contacts:sets counts how often they were exchanged for another model's.
local function current_set() return redis.call('GET', 'contacts:sets') or '0' end
local function version_of(p, user) return (redis.call('GET', contacts_key(p, 'version', user)) or '0') .. '.' .. current_set() end

-- The contacts whose clusters must be made anew: those that lost a face, and after an exchange all.
local function is_all_stale(p, user) return (redis.call('GET', contacts_key(p, 'set', user)) or '0') ~= current_set() end
local function stale_of(p, user)
  return redis.call('SMEMBERS', contacts_key(p, is_all_stale(p, user) and 'list' or 'stale', user))
end
local function note_stale(p, user)
  if not is_all_stale(p, user) then return end
  redis.call('SUNIONSTORE', contacts_key(p, 'stale', user), contacts_key(p, 'list', user))
  redis.call('SET', contacts_key(p, 'set', user), current_set())
end

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

-- Images that a call brought or let go: they are looked at before the turn ends, or when whoever had it died.
local function loosen(p, user, hash)
  redis.call('SADD', contacts_key(p, 'loose', user), hash)
  redis.call('SADD', 'contacts:unsettled', p .. user)
end

local function fasten(p, user, hash)
  local key = contacts_key(p, 'loose', user)
  redis.call('SREM', key, hash)
  if redis.call('EXISTS', key) == 0 then redis.call('SREM', 'contacts:unsettled', p .. user) end
end

-- Whether a contact, "user contact", has a face that is one.
local function has_face(p, bond)
  local user, contact = bond:match('^(%S+) (%S+)$')
  for _, text in ipairs(redis.call('HVALS', contact_key(p, user, contact))) do
    if cjson.decode(text).image ~= cjson.null then return true end
  end
  return false
end

-- A contact has no face any more, so it is no person. A person that a contact founded goes with its last contact, unless faces
-- are left that came to it in another way; then it keeps the name that somebody gave it.
local function release(p, bond)
  local person = person_of_contact(p, bond)
  if not person then return end
  bind(p, bond, '')
  note_person(p, person)
  local heir = contacts_of(p, person)[1]
  if name_of(p, person) == name_of_contact(bond) then
    edit(p, person, {name = heir and name_of_contact(heir) or ''})
  end
  if not heir and redis.call('HDEL', person_key(p, person), 'founded') == 1 and size_of(p, person) == 0 then
    edit(p, person, {name = ''})
  end
  refresh(p, person, redis.call('TIME')[1])
  bump(p)
end

-- The person with whom a face stays although a contact gets it, and whether it stays even if the contact is another person:
-- so it is when it came there with another contact that has it, too, or when somebody named or hid that person. What the
-- grouping alone placed does not stay.
local function settled_at(p, bond, face, hash)
  local person = redis.call('HGET', p .. 'faces:person', face)
  if not person or person == '' then return nil end
  local is_first = true
  for _, bearer in ipairs(redis.call('SMEMBERS', bearers_key(p, face))) do
    local other = bearer:match('^%S+ %S+')
    if person_of_contact(p, other) == person then return person, true end
    is_first = is_first and other == bond
  end
  if #contacts_of(p, person) > 0 then return nil end
  if is_first and redis.call('HEXISTS', brought_key(p, hash), 'brought') == 1 then return nil end
  return person, not is_unknown(p, person)
end

-- A contact that gets faces is a person: the one that it is already, else the first with whom a face stays, else a new one.
local function become_person(p, bond, places)
  local person = person_of_contact(p, bond)
  if person then return person end
  local now = redis.call('TIME')[1]
  for i = 1, #places do
    person = person or places[i].at
  end
  if not person then
    person = create(p, now)
    redis.call('HSET', person_key(p, person), 'founded', '1')
  end
  bind(p, bond, person)
  if is_unknown(p, person) then edit(p, person, {name = name_of_contact(bond)}) end
  return person
end

-- A contact got faces, a list of {face, image}: they are its person's from now on.
local function take_in(p, bond, faces)
  if #faces == 0 then return end
  local places, moving = {}, {}
  for i, each in ipairs(faces) do
    local at, firmly = settled_at(p, bond, each.face, each.image)
    places[i] = {face = each.face, at = at, firmly = firmly}
  end
  local person = become_person(p, bond, places)
  for _, place in ipairs(places) do
    if place.at ~= person and not place.firmly and not is_linked(p, place.face, person) then
      moving[#moving + 1] = place.face
    end
  end
  local touched = {[person] = true}
  put(p, moving, person, touched)
  refresh_all(p, touched, redis.call('TIME')[1])
  bump(p)
end

-- A contact lost faces, a list of ids. Out of a person that a contact founded they go to another contact that has them, unless they
-- were said not to be its person, else to nobody; what somebody else put together stays.
local function let_go(p, bond, faces)
  local person, homes, touched = person_of_contact(p, bond), {}, {}
  if not person or redis.call('HEXISTS', person_key(p, person), 'founded') == 0 then return end
  for _, face in ipairs(faces) do
    if redis.call('HGET', p .. 'faces:person', face) == person then
      local home = ''
      for _, bearer in ipairs(redis.call('SMEMBERS', bearers_key(p, face))) do
        local other = person_of_contact(p, bearer:match('^%S+ %S+')) or ''
        if other == person or (home == '' and not is_linked(p, face, other)) then home = other end
      end
      homes[home] = homes[home] or {}
      table.insert(homes[home], face)
    end
  end
  for home, some in pairs(homes) do
    if home ~= person then put(p, some, home, touched) end
  end
  refresh_all(p, touched, redis.call('TIME')[1])
  bump(p)
end

-- After an operation was taken back: a person has not the name of a contact that it is not any more.
local function drop_name_of_another(p, person)
  local contact, user = (name_of(p, person) or ''):match('^contact (%-?%d+) of user (%-?%d+)$')
  if contact and person_of_contact(p, bond_of(user, contact)) ~= person then edit(p, person, {name = ''}) end
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
  local touched = {}
  for _, bearer in ipairs(redis.call('SMEMBERS', bearers_key(p, face))) do
    local user, contact, number = bearer:match('^(%S+) (%S+) (%S+)$')
    redis.call('HDEL', contact_key(p, user, contact), number)
    redis.call('SADD', contacts_key(p, 'stale', user), contact)
    drop_if_empty(p, user, contact)
    touched[bond_of(user, contact)] = true
    advance(p, user)
  end
  for bond in pairs(touched) do
    if not has_face(p, bond) then release(p, bond) end
  end
  redis.call('DEL', bearers_key(p, face))
end

-- Whether an image may go because contacts alone brought it and no face of a contact has it, once `user` expects it no more.
-- Returns false, or the newest ticket of theirs. A job of theirs that still is on its way is stopped by the mark that it sets.
local function left_by_contacts(p, hash, user, token, seconds)
  if not has_turn(p, user, token) then return false end
  local key = brought_key(p, hash)
  redis.call('HDEL', key, 'expected ' .. user)
  fasten(p, user, hash)
  local newest, flat = redis.call('HGET', key, 'brought'), redis.call('HGETALL', key)
  if not newest then return false end
  for i = 1, #flat, 2 do
    if flat[i]:sub(1, 9) == 'expected ' then return false end
    if flat[i]:sub(1, 5) == 'name ' and tonumber(flat[i + 1]) > tonumber(newest) then newest = flat[i + 1] end
  end
  for _, record in ipairs(in_database(FACES, 'LRANGE', p .. hash, 0, -1)) do
    if redis.call('EXISTS', bearers_key(p, face_of(record))) == 1 then return false end
  end
  -- One that is not theirs: then the names, of which there may be very many, need no look.
  if redis.call('HLEN', p .. 'names:' .. hash) > #flat / 2 then return false end
  local names = redis.call('HGETALL', p .. 'names:' .. hash)
  for i = 1, #names, 2 do
    if redis.call('HGET', key, 'name ' .. names[i]) ~= names[i + 1] then return false end
  end
  redis.call('SET', p .. 'erased:' .. hash, newest, 'EX', seconds)
  redis.call('DEL', key)
  return newest
end
