-- with: people_check_shared
-- Repair what a look at people found, if it is still so. ARGV: p, now, look of three arguments.
local p, now, what, one, other = unpack(ARGV)
if #LOOKS[what](p, one, other) == 0 then return 'ok' end
local touched = {}

-- A face is where it is said to be: that is the one key which has each face once. Where it was found counts when nothing is said.
local function mend_face(face, found)
  local who = redis.call('HGET', p .. 'faces:person', face)
  for _, person in ipairs({who or '-', found}) do
    if person ~= '-' then
      redis.call('ZREM', home_key(p, person), face)
      if person ~= '' then touched[person] = true end
    end
  end
  if not record_of(p, face) then
    for _, person in ipairs(redis.call('SMEMBERS', not_persons_key(p, face))) do unlink(p, face, person) end
    return put(p, {face}, '-', touched)
  end
  local whose = who or found
  if whose == '-' then return show_unknown(p, {face}, false) end
  whose = heir_of(p, whose)
  if whose ~= '' and not exists(p, whose) then create(p, now, whose) end
  put(p, {face}, whose, touched)
end

if what == 'face' then
  mend_face(one, other)
elseif what == 'person' then
  if not exists(p, one) then create(p, now, one) end
  local name = name_of(p, one)
  if name then set_name(p, one, name) end
  touched[one] = true
elseif what == 'entry' then
  redis.call('ZREM', p .. 'people:' .. other, one)
elseif what == 'name' then
  redis.call('ZREM', p .. 'people:names', one)
elseif exists(p, other) and redis.call('HGET', p .. 'faces:person', one) ~= other and record_of(p, one) then
  link(p, one, other)
else
  unlink(p, one, other)
end
for person in pairs(touched) do
  -- The counter may be behind those that there are, as in a copy.
  advance_persons(p, person)
end
refresh_all(p, touched, now)
bump(p)
return 'ok'
