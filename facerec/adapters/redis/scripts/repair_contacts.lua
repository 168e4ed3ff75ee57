-- with: contacts_shared
-- Make one key of contacts agree with the others again. ARGV: p, kind of the key, the rest of it. The clusters of a contact are
-- made anew before they are next used.
local p, kind, rest = ARGV[1], ARGV[2], ARGV[3]
local mend = {}

local function mend_contact(user, contact)
  local bond, key, kept = bond_of(user, contact), contact_key(p, user, contact), {}
  local flat = redis.call('HGETALL', key)
  for i = 1, #flat, 2 do
    local doc = cjson.decode(flat[i + 1])
    if doc.image ~= cjson.null and not record_at(p, doc.image, doc.face) then
      redis.call('HDEL', key, flat[i])
      redis.call('SREM', bearers_key(p, doc.face), bond .. ' ' .. flat[i])
    elseif doc.image ~= cjson.null then
      redis.call('SADD', bearers_key(p, doc.face), bond .. ' ' .. flat[i])
      kept[#kept + 1] = {face = doc.face, image = doc.image}
    end
  end
  redis.call('SADD', contacts_key(p, 'list', user), contact)
  redis.call('SADD', contacts_key(p, 'stale', user), contact)
  drop_if_empty(p, user, contact)
  if #kept == 0 then release(p, bond) end
  if #kept > 0 and not person_of_contact(p, bond) then take_in(p, bond, kept) end
  advance(p, user)
end

function mend.contact() mend_contact(rest:match('^(%S+):(%S+)$')) end

function mend.list()
  for _, what in ipairs({'list', 'stale'}) do
    for _, contact in ipairs(redis.call('SMEMBERS', contacts_key(p, what, rest))) do drop_if_empty(p, rest, contact) end
  end
  for _, contact in ipairs(redis.call('HKEYS', contacts_key(p, 'leaders', rest))) do drop_if_empty(p, rest, contact) end
  advance(p, rest)
end
mend.stale, mend.leaders = mend.list, mend.list

function mend.loose()
  if redis.call('EXISTS', contacts_key(p, 'loose', rest)) == 1 then redis.call('SADD', 'contacts:unsettled', p .. rest) end
end

function mend.of()
  local key = bearers_key(p, rest)
  for _, bearer in ipairs(redis.call('SMEMBERS', key)) do
    local user, contact, number = bearer:match('^(%S+) (%S+) (%S+)$')
    local text = user and redis.call('HGET', contact_key(p, user, contact), number)
    if not text or cjson.decode(text).face ~= rest then redis.call('SREM', key, bearer) end
  end
end

function mend.image()
  local key, is_expected = brought_key(p, rest), false
  for _, field in ipairs(redis.call('HKEYS', key)) do
    local user = field:match('^expected (%S+)$')
    if user and redis.call('SISMEMBER', contacts_key(p, 'loose', user), rest) == 0 then
      redis.call('HDEL', key, field)
    elseif user then is_expected = true end
  end
  if not is_expected and redis.call('EXISTS', document(p, rest)) == 0 then redis.call('DEL', key) end
end

function mend.bond()
  local person = person_of_contact(p, rest)
  if not person then return end
  if not exists(p, person) then
    bind(p, rest, '')
    mend_contact(rest:match('^(%S+) (%S+)$'))
  elseif has_face(p, rest) then
    bind(p, rest, person)
  else
    release(p, rest)
  end
end

function mend.person()
  for _, bond in ipairs(contacts_of(p, rest)) do
    if not person_of_contact(p, bond) and exists(p, rest) and has_face(p, bond) then
      bind(p, bond, rest)
    elseif person_of_contact(p, bond) ~= rest then
      redis.call('SREM', contacts_of_key(p, rest), bond)
    end
  end
end

mend[kind]()
return 'ok'
