-- with: people_shared
-- Change name, hidden and cover of a person. ARGV: p, token, now, person, then field and value, field and value.
-- '' removes a field. Returns {'ok'}, {'not_found', reason} or {'bad', parameter, reason}.
local p, token, now, person = unpack(ARGV)
local done = answered(p, token)
if done then return done end
if not exists(p, person) then return {'not_found', 'there is no person ' .. person} end
local before, after, changed = fields_of(p, person), {}, false
for i = 5, #ARGV, 2 do
  local field, value = ARGV[i], ARGV[i + 1]
  if field == 'cover' and not redis.call('ZSCORE', faces_key(p, person), value) then
    return {'bad', 'cover', 'the person does not have the face ' .. value}
  end
  after[field] = value
  changed = changed or before[field] ~= value
end
if changed then
  local entry = {op = 'edit', at = now, persons = {person}, fields = {[person] = before}, gone = {}, removed = {}}
  if after.name == '' and size_of(p, person) == 0 then note_end(p, person, entry) end
  edit(p, person, after)
  remember(p, entry)
  refresh(p, person, now)
  bump(p)
end
return answer(p, token, {'ok'})
