-- with: contacts_shared
-- Change contacts in one step, and the persons that they are. ARGV: p, user, token, call, version, 1 when the user leaves, then for each contact: its id,
-- representatives (face_ids with spaces between), a, d, a times (face_id, document), d times face_id.
-- Returns 'written', 'lost' (it is somebody else's turn), 'moved' (not at that version) or 'gone' (a face of the core is).
local p, user, token, call, version, leaves = unpack(ARGV, 1, 6)
local done = contacts_key(p, 'done', user)
if not has_turn(p, user, token) then return 'lost' end
if redis.call('GET', done) == call then return 'written' end
if version_of(p, user) ~= version then return 'moved' end

local at = 6
local function argument()
  at = at + 1
  return ARGV[at]
end
local changes = {}
while at < #ARGV do
  local change = {contact = argument(), leaders = argument(), add = {}, delete = {}}
  local a, d = tonumber(argument()), tonumber(argument())
  for i = 1, a do
    local face = {number = argument(), text = argument()}
    local doc = cjson.decode(face.text)
    if doc.image ~= cjson.null then
      face.image, face.face = doc.image, doc.face
      if not record_at(p, face.image, face.face) then return 'gone' end
    end
    change.add[i] = face
  end
  for i = 1, d do change.delete[i] = argument() end
  changes[#changes + 1] = change
end

local function bearer(contact, number) return bond_of(user, contact) .. ' ' .. number end

-- Returns the face of the core that it was, or nil.
local function delete(contact, number)
  local key = contact_key(p, user, contact)
  local text = redis.call('HGET', key, number)
  local doc = text and cjson.decode(text)
  redis.call('HDEL', key, number)
  if not doc or doc.image == cjson.null then return nil end
  redis.call('SREM', bearers_key(p, doc.face), bearer(contact, number))
  loosen(p, user, doc.image)
  return doc.face
end

local function add(contact, face)
  redis.call('HSET', contact_key(p, user, contact), face.number, face.text)
  redis.call('SADD', contacts_key(p, 'list', user), contact)
  if not face.image then return end
  redis.call('SADD', bearers_key(p, face.face), bearer(contact, face.number))
  redis.call('HDEL', brought_key(p, face.image), 'expected ' .. user)
  fasten(p, user, face.image)
end

note_stale(p, user)
for _, change in ipairs(changes) do
  local lost, won = {}, {}
  for _, number in ipairs(change.delete) do lost[#lost + 1] = delete(change.contact, number) end
  for _, face in ipairs(change.add) do
    add(change.contact, face)
    if face.image then won[#won + 1] = face end
  end
  let_go(p, bond_of(user, change.contact), lost)
  take_in(p, bond_of(user, change.contact), won)
  if change.leaders == '' then
    redis.call('HDEL', contacts_key(p, 'leaders', user), change.contact)
  else
    redis.call('HSET', contacts_key(p, 'leaders', user), change.contact, change.leaders)
  end
  redis.call('SREM', contacts_key(p, 'stale', user), change.contact)
  drop_if_empty(p, user, change.contact)
  if change.leaders == '' then release(p, bond_of(user, change.contact)) end
end
if #changes > 0 then advance(p, user) end
if leaves == '1' then
  for _, id in ipairs(redis.call('ZRANGE', contacts_key(p, 'answers', user), 0, -1)) do
    redis.call('DEL', p .. 'contacts:answer:' .. id)
    redis.call('ZREM', p .. 'contacts:answers', id)
  end
  local counts = redis.call('HGETALL', contacts_key(p, 'counts', user))
  for i = 1, #counts, 2 do redis.call('HINCRBY', p .. 'contacts:counts', counts[i], 0 - counts[i + 1]) end
  redis.call('DEL', contacts_key(p, 'answers', user), contacts_key(p, 'counts', user), contacts_key(p, 'set', user))
end
redis.call('SET', done, call, 'EX', 600)
return 'written'
