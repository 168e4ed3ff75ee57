-- with: people_shared
-- with: contacts_shared
-- Take back the newest operation. ARGV: p, token, now. What has been erased since stays erased, what the grouping placed
-- since stays where it is. Returns {'ok', op, persons, faces}, {'more', op, persons, faces} when it was done in steps and some of
-- them are left to take back, {'nothing'} or {'refused', reason, op}; an operation that
-- cannot be taken back leaves the history, because that will not change.
local p, token, now = unpack(ARGV)
local done = answered(p, token)
if done then return done end
local raw = redis.call('LPOP', p .. 'people:history')
if not raw then return answer(p, token, {'nothing'}) end
local entry = cjson.decode(raw)
local gone, created = entry.gone or {}, {}
for _, person in ipairs(entry.created or {}) do created[person] = true end

local back, count = {}, 0 -- faces that are still there, by the person they return to
for _, move in ipairs(entry.moves or {}) do
  local now_at, some = persons_of(p, move.faces), {}
  for _, face in ipairs(move.faces) do
    if now_at[face] then some[#some + 1] = face end
  end
  back[#back + 1] = {person = move.before, faces = some}
  count = count + #some
end
local returning = {}
for _, move in ipairs(back) do
  if #move.faces > 0 then returning[move.person] = true end
end
for _, person in ipairs(entry.persons) do
  local lost = not gone[person] and not exists(p, person)
  local empty = gone[person] and not gone[person].name and not returning[person]
  if (lost and not created[person]) or empty then
    return answer(p, token, {'refused', 'the last picture of person ' .. person .. ' has been erased', entry.op})
  end
end

local touched = {}
for person, fields in pairs(gone) do
  create(p, now, person)
  local name = fields.name
  fields.name = nil
  for field, value in pairs(fields) do redis.call('HSET', person_key(p, person), field, value) end
  set_name(p, person, name or '')
  redis.call('HDEL', p .. 'people:merged', person)
  touched[person] = true
end
for person, fields in pairs(entry.fields or {}) do
  if exists(p, person) then
    edit(p, person, fields)
    touched[person] = true
  end
end
if entry.founded and exists(p, entry.founded) then redis.call('HSET', person_key(p, entry.founded), 'founded', '1') end
for person, contacts in pairs(entry.contacts or {}) do
  for _, contact in ipairs(contacts) do
    local current = person_of_contact(p, contact)
    local is_free = not current or (entry.op == 'merge' and current == entry.persons[2])
    if exists(p, person) and is_free and has_face(p, contact) then bind(p, contact, person) end
  end
end
for person in pairs(touched) do drop_name_of_another(p, person) end
for _, move in ipairs(back) do put(p, move.faces, move.person, touched) end
for _, pair in ipairs(entry.added or {}) do unlink(p, pair[1], pair[2]) end
for _, pair in ipairs(entry.removed or {}) do
  if exists(p, pair[2]) and redis.call('HEXISTS', p .. 'faces:person', pair[1]) == 1 then link(p, pair[1], pair[2]) end
end
refresh_all(p, touched, now)
bump(p)
local following = entry.chain and redis.call('LINDEX', p .. 'people:history', 0)
local more = following and cjson.decode(following).chain == entry.chain
return answer(p, token, {more and 'more' or 'ok', entry.op, entry.persons, tostring(count)})
