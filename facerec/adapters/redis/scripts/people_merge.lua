-- with: people_shared
-- All faces of one person become another's, at most so many in one step. ARGV: p, token, now, source, target, choice ('' or '='
-- and the name to keep), most faces, chain: what the steps of one merger have in common, and are taken back by.
-- Returns {'ok', faces that were said not to be the other, and are now}, {'more', the same} when faces are left and the source is,
-- {'not_found', reason}, {'bad', parameter, reason}, or {'names', one, other} when both have a name, not the same, and none is
-- chosen.
local p, token, now, source, target, choice, most, chain = unpack(ARGV)
local done = answered(p, token)
if done then return done end
for _, person in ipairs({source, target}) do
  if not exists(p, person) then return {'not_found', 'there is no person ' .. person} end
end
if source == target then return {'bad', 'into', 'a person cannot be merged into itself'} end
local from_name, into_name = given_name(p, source), given_name(p, target)
local name = into_name or from_name or name_of(p, target) or name_of(p, source) or ''
if choice ~= '' then
  name = choice:sub(2)
elseif from_name and into_name and from_name ~= into_name then
  return {'names', from_name, into_name}
end

local faces = redis.call('ZRANGE', faces_key(p, source), 0, tonumber(most) - 1)
if size_of(p, source) > #faces then
  local denied = {}
  for _, face in ipairs(faces) do
    if is_linked(p, face, target) then denied[#denied + 1] = face end
  end
  give(p, now, 'merge', faces, target, source, chain)
  return answer(p, token, {'more', denied})
end
local entry = {op = 'merge', at = now, persons = {source, target}, count = 0, moves = {}, gone = {}, fields = {}, created = {},
               added = {}, removed = {}, chain = chain}
local contradicted = {}
-- For each of these there is more to do.
for _, face in ipairs(redis.call('SRANDMEMBER', not_faces_key(p, source), math.ceil(most / 4))) do
  table.insert(entry.removed, {face, source})
  unlink(p, face, source)
  if redis.call('HGET', p .. 'faces:person', face) == target then
    contradicted[#contradicted + 1] = face
  elseif not is_linked(p, face, target) then
    link(p, face, target)
    table.insert(entry.added, {face, target})
  end
end
if redis.call('EXISTS', not_faces_key(p, source)) == 1 then
  bump(p)
  remember(p, entry)
  return answer(p, token, {'more', contradicted})
end
for _, face in ipairs(faces) do
  if is_linked(p, face, target) then
    unlink(p, face, target)
    table.insert(entry.removed, {face, target})
    contradicted[#contradicted + 1] = face
  end
end
entry.count, entry.name, entry.moves = #faces, name, {{before = source, after = target, faces = faces}}
entry.gone, entry.fields = {[source] = whole(p, source)}, {[target] = fields_of(p, target)}
entry.contacts = {[source] = contacts_of(p, source)}
for _, contact in ipairs(entry.contacts[source]) do bind(p, contact, target) end
note_person(p, target)
if not entry.gone[source].founded and redis.call('HDEL', person_key(p, target), 'founded') == 1 then
  entry.founded = target
end
set_name(p, source, '')
put(p, faces, target, {})
vanish(p, source)
edit(p, target, {name = name})
refresh(p, target, now)
redis.call('HSET', p .. 'people:merged', source, target)
bump(p)
remember(p, entry)
return answer(p, token, {'ok', contradicted})
