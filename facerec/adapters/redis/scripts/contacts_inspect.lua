-- with: contacts_shared
-- Hold one key of contacts against the others. ARGV: p, kind of the key, the rest of it. Nothing is written.
-- Returns {faults in words}, and of a contact also {representatives, its faces: face_id, document, face record or ''}; those
-- only when its clusters are not to be made anew anyway.
local p, kind, rest = ARGV[1], ARGV[2], ARGV[3]
local faults, look = {}, {}
local function fault(...) faults[#faults + 1] = string.format(...) end
local function is_contact(user, contact) return redis.call('EXISTS', contact_key(p, user, contact)) == 1 end

local function check_face(bond, number, text, found)
  local doc = cjson.decode(text)
  if doc.image == cjson.null then return end
  local record = record_at(p, doc.image, doc.face)
  if not record then
    fault('face %s is a face of an image that does not have it', number)
  elseif redis.call('SISMEMBER', bearers_key(p, doc.face), bond .. ' ' .. number) == 0 then
    fault('face %s is not known to the face of the core that it is', number)
  end
  for _, part in ipairs({number, text, record or ''}) do found[#found + 1] = part end
end

function look.contact()
  local user, contact = rest:match('^(%S+):(%S+)$')
  local bond, found = bond_of(user, contact), {}
  local flat = redis.call('HGETALL', contact_key(p, user, contact))
  if #flat == 0 then return {} end
  if redis.call('SISMEMBER', contacts_key(p, 'list', user), contact) == 0 then
    fault('it is not in the list of the user')
  end
  for i = 1, #flat, 2 do check_face(bond, flat[i], flat[i + 1], found) end
  local is_stale = redis.call('SISMEMBER', contacts_key(p, 'stale', user), contact) == 1
  if is_stale or is_all_stale(p, user) then return {} end
  table.insert(found, 1, redis.call('HGET', contacts_key(p, 'leaders', user), contact) or '')
  return found
end

function look.list()
  for _, what in ipairs({'list', 'stale'}) do
    for _, contact in ipairs(redis.call('SMEMBERS', contacts_key(p, what, rest))) do
      if not is_contact(rest, contact) then fault('contact %s is in its %s and has no face', contact, what) end
    end
  end
  for _, contact in ipairs(redis.call('HKEYS', contacts_key(p, 'leaders', rest))) do
    if not is_contact(rest, contact) then fault('contact %s has representatives and no face', contact) end
  end
end
look.stale, look.leaders = look.list, look.list

function look.loose()
  local is_idle = redis.call('EXISTS', contacts_key(p, 'turn', rest)) == 0
  if redis.call('EXISTS', contacts_key(p, 'loose', rest)) == 0 then return end
  if is_idle then fault('a call died and left images') end
  if redis.call('SISMEMBER', 'contacts:unsettled', p .. rest) == 0 then fault('nobody is told of its loose images') end
end

function look.of()
  for _, bearer in ipairs(redis.call('SMEMBERS', bearers_key(p, rest))) do
    local user, contact, number = bearer:match('^(%S+) (%S+) (%S+)$')
    local text = user and redis.call('HGET', contact_key(p, user, contact), number)
    if not text or cjson.decode(text).face ~= rest then fault('%q is said to be this face and is not', bearer) end
  end
end

function look.image()
  local flat = redis.call('HGETALL', brought_key(p, rest))
  for i = 1, #flat, 2 do
    local user = flat[i]:match('^expected (%S+)$')
    if user and redis.call('SISMEMBER', contacts_key(p, 'loose', user), rest) == 0 then
      fault('user %s is said to expect it and does not', user)
    elseif user then return end
  end
  if #flat > 0 and redis.call('EXISTS', document(p, rest)) == 0 then fault('contacts brought it, but there is no such image') end
end

function look.bond()
  local person = person_of_contact(p, rest)
  if not person then return end
  if not has_face(p, rest) then fault('it is person %s and has no face', person) end
  if not exists(p, person) then
    fault('it is person %s, who does not exist', person)
  elseif redis.call('SISMEMBER', contacts_of_key(p, person), rest) == 0 then
    fault('it is person %s, who does not know', person)
  end
end

function look.person()
  for _, bond in ipairs(contacts_of(p, rest)) do
    if person_of_contact(p, bond) ~= rest then fault('person %s is said to be contact "%s" and is not', rest, bond) end
  end
end

local found = look[kind]() or {}
return {faults, found}
