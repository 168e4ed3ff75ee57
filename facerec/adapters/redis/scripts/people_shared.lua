-- People: what the scripts share that read or change them. The layout is told in facerec/adapters/redis/people.py.
-- Ids travel as text, because cjson would round them. A face without a person has '' in faces:person; none there ('-' in
-- records of the history) means that it was never asked to whom it belongs.

-- with: people_notes

local HISTORY = 100
local REMEMBERED = 600 -- seconds that an operation sent twice is recognised

local function person_key(p, person) return p .. 'person:' .. person end
local function faces_key(p, person) return p .. 'person:' .. person .. ':faces' end
local function not_faces_key(p, person) return p .. 'person:' .. person .. ':not' end
local function not_persons_key(p, face) return p .. 'face:' .. face .. ':not' end

local function exists(p, person) return redis.call('EXISTS', person_key(p, person)) == 1 end
local function name_of(p, person) return redis.call('HGET', person_key(p, person), 'name') end
local function size_of(p, person) return redis.call('ZCARD', faces_key(p, person)) end
local function bump(p) redis.call('INCR', p .. 'people:version') end

-- Call a command with many values, a chunk at a time.
local function each(command, key, values)
  for first = 1, #values, CHUNK do
    redis.call(command, key, unpack(values, first, math.min(first + CHUNK - 1, #values)))
  end
end

-- ZADD with each face as its own score, so that the newest pictures are last.
local function add_faces(key, faces)
  local pairs_of = {}
  for i, face in ipairs(faces) do pairs_of[2 * i - 1], pairs_of[2 * i] = face, face end
  each('ZADD', key, pairs_of)
end

-- Who each face is: a person, '' or false; a table by face.
local function persons_of(p, faces)
  local found = {}
  for first = 1, #faces, CHUNK do
    local last = math.min(first + CHUNK - 1, #faces)
    local persons = redis.call('HMGET', p .. 'faces:person', unpack(faces, first, last))
    for i = first, last do found[faces[i]] = persons[i - first + 1] end
  end
  return found
end

-- Whether the faces of a person are unknown to its owner: nobody named it, nobody hid it.
local function is_unknown(p, person)
  if person == '' then return true end
  local doc = redis.call('HMGET', person_key(p, person), 'name', 'hidden')
  return not doc[1] and not doc[2]
end

local function show_unknown(p, faces, unknown)
  if unknown then add_faces(p .. 'faces:unknown', faces) else each('ZREM', p .. 'faces:unknown', faces) end
end

-- All faces of a person are shown among the unknown ones, or none. Who has very many is named or hidden in one short step all the same:
-- {p}people:showing says up to which face that has been done, and people_show.lua goes on.
local SHOWN_AT_ONCE = 1000
local function showing_key(p) return p .. 'people:showing' end

local function end_showing(p, person)
  redis.call('HDEL', showing_key(p), person)
  if redis.call('EXISTS', showing_key(p)) == 0 then strike_out(showing_key(p)) end
end

local function show_next(p, person, after)
  local faces = redis.call('ZRANGEBYSCORE', faces_key(p, person), after, '+inf', 'LIMIT', 0, SHOWN_AT_ONCE)
  show_unknown(p, faces, is_unknown(p, person))
  if #faces < SHOWN_AT_ONCE then return end_showing(p, person) end
  redis.call('HSET', showing_key(p), person, '(' .. faces[#faces])
  note_unfinished(showing_key(p))
end

-- Who was seen by which camera when (facerec.adapters.redis.findface): goes with the person of a face.
local function seen_key(p, person, camera) return p .. 'person:' .. person .. ':seen:' .. camera end

local function move_sightings(p, faces, before, after)
  for _, face in ipairs(faces) do
    local seen = redis.call('HMGET', p .. 'face:' .. face, 'cam_id', 'timestamp')
    if seen[1] and seen[2] then
      local old = before[face]
      if old and old ~= '' then redis.call('ZREM', seen_key(p, old, seen[1]), face) end
      if after ~= '' and after ~= '-' then redis.call('ZADD', seen_key(p, after, seen[1]), seen[2], face) end
    end
  end
end

-- Give all these faces to a person, to nobody ('') or forget them ('-'); `touched` collects who lost and won.
local function put(p, faces, person, touched)
  local persons, homes = persons_of(p, faces), {}
  note_faces(p, persons)
  for face, current in pairs(persons) do
    if current then
      homes[current] = homes[current] or {}
      table.insert(homes[current], face)
    end
  end
  move_sightings(p, faces, persons, person)
  for current, leaving in pairs(homes) do
    each('ZREM', current == '' and p .. 'faces:strays' or faces_key(p, current), leaving)
    if current ~= '' then touched[current] = true end
  end
  if person == '-' then
    each('HDEL', p .. 'faces:person', faces)
    show_unknown(p, faces, false)
    return
  end
  local mapping = {}
  for i, face in ipairs(faces) do mapping[2 * i - 1], mapping[2 * i] = face, person end
  each('HSET', p .. 'faces:person', mapping)
  add_faces(person == '' and p .. 'faces:strays' or faces_key(p, person), faces)
  show_unknown(p, faces, is_unknown(p, person))
  if person ~= '' then touched[person] = true end
end

local function unlist(p, person)
  local listed = redis.call('HGET', person_key(p, person), 'listed')
  if listed then redis.call('ZREM', p .. 'people:' .. listed:match('^%a+'), listed:match('%S+$')) end
end

-- Change a name, '' for none.
local function set_name(p, person, name)
  note_person(p, person)
  local old = name_of(p, person)
  if old then redis.call('ZREM', p .. 'people:names', old .. '\31' .. person) end
  if name == '' then
    redis.call('HDEL', person_key(p, person), 'name')
  else
    redis.call('HSET', person_key(p, person), 'name', name)
    redis.call('ZADD', p .. 'people:names', 0, name .. '\31' .. person)
  end
end

-- Change fields of a person: name, hidden, cover; '' removes one.
local function edit(p, person, fields)
  note_person(p, person)
  local unknown = is_unknown(p, person)
  for field, value in pairs(fields) do
    if field == 'name' then
      set_name(p, person, value)
    elseif value == '' then
      redis.call('HDEL', person_key(p, person), field)
    else
      redis.call('HSET', person_key(p, person), field, value)
    end
  end
  if is_unknown(p, person) ~= unknown then show_next(p, person, '-inf') end
end

-- Persons are numbered owner by owner: one number for all would tell each owner how much the others do. The release before gives what
-- follows the number in `person`, to whomever: this is never behind, and what it gave is passed over.
local function advance_counter_of_all(person)
  if tonumber(redis.call('GET', 'person') or 0) < tonumber(person) then redis.call('SET', 'person', person) end
end

local function last_person_key(p)
  local key = p .. 'people:last'
  if redis.call('EXISTS', key) == 0 and redis.call('EXISTS', p .. 'people:version') == 1 then
    redis.call('SET', key, redis.call('GET', 'person') or 0)
  end
  return key
end

local function advance_persons(p, person)
  local key = last_person_key(p)
  if tonumber(redis.call('GET', key) or 0) < tonumber(person) then redis.call('SET', key, person) end
  advance_counter_of_all(person)
end

local function new_person(p)
  local key, person = last_person_key(p), nil
  repeat person = string.format('%.0f', redis.call('INCR', key)) until not exists(p, person)
  advance_counter_of_all(person)
  return person
end

local function create(p, now, person)
  person = person or new_person(p)
  note_person(p, person)
  redis.call('HSET', person_key(p, person), 'created_at', now, 'changed_at', now)
  return person
end

-- The contacts that a person is (facerec/adapters/redis/contacts.py), each as "user contact". A contact is at most one person.
local function contacts_of_key(p, person) return p .. 'person:' .. person .. ':contacts' end
local function contacts_of(p, person)
  local found = redis.call('SMEMBERS', contacts_of_key(p, person))
  table.sort(found)
  return found
end
local function person_of_contact(p, contact) return redis.call('HGET', p .. 'contacts:persons', contact) end

-- A contact is this person from now on, or '' for none.
local function bind(p, contact, person)
  local before = person_of_contact(p, contact)
  note(p, 'contact ' .. contact, before or '')
  if before then redis.call('SREM', contacts_of_key(p, before), contact) end
  if person == '' then
    redis.call('HDEL', p .. 'contacts:persons', contact)
  else
    redis.call('HSET', p .. 'contacts:persons', contact, person)
    redis.call('SADD', contacts_of_key(p, person), contact)
  end
end

-- The name that a contact gives to a person without one.
local function name_of_contact(contact)
  local user, id = contact:match('^(%S+) (%S+)$')
  return 'contact ' .. id .. ' of user ' .. user
end

-- The name that somebody gave to a person, or nil.
local function given_name(p, person)
  local name = name_of(p, person)
  for _, contact in ipairs(contacts_of(p, person)) do
    if name == name_of_contact(contact) then return nil end
  end
  return name or nil
end

-- Remove a person that has no face, and every "not this person" that names it.
local function vanish(p, person)
  for _, contact in ipairs(contacts_of(p, person)) do bind(p, contact, '') end
  for _, face in ipairs(redis.call('SMEMBERS', not_faces_key(p, person))) do
    note(p, 'not ' .. face .. ' ' .. person, '1')
    redis.call('SREM', not_persons_key(p, face), person)
  end
  set_name(p, person, '')
  unlist(p, person)
  end_showing(p, person)
  redis.call('DEL', person_key(p, person), faces_key(p, person), not_faces_key(p, person))
end

-- After a change: who has neither face nor name vanishes; the others get a cover and their place in the lists.
local function refresh(p, person, now)
  local key = person_key(p, person)
  local size = size_of(p, person)
  note_person(p, person)
  local doc = redis.call('HMGET', key, 'name', 'hidden', 'cover', 'listed')
  if size == 0 and not doc[1] then return vanish(p, person) end
  if not doc[3] or not redis.call('ZSCORE', faces_key(p, person), doc[3]) then
    local first = redis.call('ZRANGE', faces_key(p, person), 0, 0)[1]
    if first then redis.call('HSET', key, 'cover', first) else redis.call('HDEL', key, 'cover') end
  end
  local list = doc[2] and 'hidden' or doc[1] and 'named' or 'unnamed'
  local place = string.format('%010.0f:%016.0f', size, tonumber(person))
  unlist(p, person)
  redis.call('ZADD', p .. 'people:' .. list, 0, place)
  redis.call('HSET', key, 'listed', list .. ' ' .. place, 'changed_at', now)
end

local function refresh_all(p, touched, now)
  for person in pairs(touched) do
    if exists(p, person) then refresh(p, person, now) end
  end
end

-- "Not this person", or no longer.
local function link(p, face, person)
  note(p, 'not ' .. face .. ' ' .. person, redis.call('SISMEMBER', not_persons_key(p, face), person))
  redis.call('SADD', not_persons_key(p, face), person)
  redis.call('SADD', not_faces_key(p, person), face)
end

local function unlink(p, face, person)
  note(p, 'not ' .. face .. ' ' .. person, redis.call('SISMEMBER', not_persons_key(p, face), person))
  redis.call('SREM', not_persons_key(p, face), person)
  redis.call('SREM', not_faces_key(p, person), face)
end

local function is_linked(p, face, person) return redis.call('SISMEMBER', not_faces_key(p, person), face) == 1 end

-- The hash of the image that a face is on, or nil.
local function image_of(p, face)
  local ticket = string.format('%.0f', math.floor(tonumber(face) / 4096))
  return redis.call('ZRANGEBYSCORE', p .. 'images', ticket, ticket)[1]
end

-- The record of a face, or nil.
local function record_of(p, face)
  local hash = image_of(p, face)
  if not hash then return nil end
  redis.call('SELECT', FACES)
  local record = redis.call('LINDEX', p .. hash, tonumber(face) % 4096)
  if not record or face_of(record) ~= face then
    record = nil
    for _, other in ipairs(redis.call('LRANGE', p .. hash, 0, -1)) do
      if face_of(other) == face then record = other end
    end
  end
  redis.call('SELECT', OWN)
  return record, hash
end

-- The faces of an image are gone: nobody has them any more.
local function forget_faces(p, faces, now)
  if #faces == 0 then return end
  bump(p)
  local touched, known = {}, {}
  for face, person in pairs(persons_of(p, faces)) do
    if person then known[#known + 1] = face end
  end
  if #known == 0 then return end
  put(p, known, '-', touched)
  for _, face in ipairs(known) do
    for _, person in ipairs(redis.call('SMEMBERS', not_persons_key(p, face))) do unlink(p, face, person) end
  end
  refresh_all(p, touched, now)
end

-- The history: what an operation changed, for undo, newest first. The same operation may be sent twice when an answer was
-- lost; it is known by its token and gets the same answer again.
local function answered(p, token)
  local answer = redis.call('GET', p .. 'people:done:' .. token)
  return answer and cjson.decode(answer)
end

local function answer(p, token, reply, seconds)
  redis.call('SET', p .. 'people:done:' .. token, cjson.encode(reply), 'EX', seconds or REMEMBERED)
  return reply
end

local function remember(p, entry)
  redis.call('LPUSH', p .. 'people:history', cjson.encode(entry))
  redis.call('LTRIM', p .. 'people:history', 0, HISTORY - 1)
end

-- Name, hidden and cover as they are, '' for none.
local function fields_of(p, person)
  local doc = redis.call('HMGET', person_key(p, person), 'name', 'hidden', 'cover')
  return {name = doc[1] or '', hidden = doc[2] or '', cover = doc[3] or ''}
end

-- All fields of a person that is about to vanish.
local function whole(p, person)
  local flat, fields = redis.call('HGETALL', person_key(p, person)), {}
  for i = 1, #flat, 2 do
    if flat[i] ~= 'listed' then fields[flat[i]] = flat[i + 1] end
  end
  return fields
end

-- A person is about to vanish by an operation: note in the history's entry all that vanishes with it.
local function note_end(p, person, entry)
  entry.gone[person] = whole(p, person)
  entry.contacts = entry.contacts or {}
  entry.contacts[person] = contacts_of(p, person)
  for _, face in ipairs(redis.call('SMEMBERS', not_faces_key(p, person))) do
    table.insert(entry.removed, {face, person})
  end
end

-- A person gives faces to somebody else: a person, 'new', or '' for nobody; all of them are elsewhere now. With op 'not' they
-- are never placed with `source` again. `chain`: what they are taken back with. Returns whose they are.
local function give(p, now, op, faces, target, source, chain)
  local entry = {op = op, at = now, persons = {}, count = #faces, moves = {}, gone = {}, fields = {}, created = {},
                 added = {}, removed = {}, chain = chain}
  if target == 'new' then
    target = create(p, now)
    entry.created[1] = target
  elseif target ~= '' then
    entry.fields[target] = fields_of(p, target)
  end
  if target ~= '' then entry.persons[1] = target end
  local homes = {}
  for face, person in pairs(persons_of(p, faces)) do
    homes[person or '-'] = homes[person or '-'] or {}
    table.insert(homes[person or '-'], face)
  end
  for person, some in pairs(homes) do
    table.insert(entry.moves, {before = person, after = target, faces = some})
    if person ~= '' and person ~= '-' then
      table.insert(entry.persons, person)
      if size_of(p, person) == #some and not name_of(p, person) then
        note_end(p, person, entry)
      else
        entry.fields[person] = fields_of(p, person)
      end
    end
  end
  local touched = {}
  put(p, faces, target, touched)
  for _, face in ipairs(faces) do
    if op == 'not' and not entry.gone[source] then
      link(p, face, source)
      table.insert(entry.added, {face, source})
    elseif target ~= '' and is_linked(p, face, target) then
      unlink(p, face, target)
      table.insert(entry.removed, {face, target})
    end
  end
  refresh_all(p, touched, now)
  bump(p)
  remember(p, entry)
  return target
end
