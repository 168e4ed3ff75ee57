-- with: findface_shared
-- Change a face. ARGV: p, face, change as JSON: meta, person, galleries {add | del | set: names}, friend {since, days}, fields.
-- Returns 'ok', 'unknown', 'no person' or {'no gallery', name}.
local p, face, change = ARGV[1], ARGV[2], cjson.decode(ARGV[3])
if not is_listed(p, face) then return 'unknown' end
if change.person and redis.call('EXISTS', p .. 'person:' .. change.person) == 0 then return 'no person' end
for how, names in pairs(change.galleries or {}) do
  for _, name in ipairs(names) do
    if how ~= 'del' and name ~= 'default' and not is_gallery(p, name) then
      return {'no gallery', name}
    end
  end
end
if change.fields then set_fields(p, face, change.fields) end
if change.meta then set_meta(p, face, change.meta) end
for how, names in pairs(change.galleries or {}) do
  local wanted = {}
  if how ~= 'set' then
    local without = {}
    for _, name in ipairs(how == 'del' and names or {}) do without[name] = true end
    for _, name in ipairs(galleries_of(p, face)) do
      if not without[name] then wanted[#wanted + 1] = name end
    end
  end
  for _, name in ipairs(how ~= 'del' and names or {}) do wanted[#wanted + 1] = name end
  set_galleries(p, face, wanted)
end
if change.person then
  if person_of(p, face) ~= change.person then give(p, redis.call('TIME')[1], 'move', {face}, change.person, '') end
  if change.friend then
    local friend = is_friend(p, face, change.friend.since, change.friend.days)
    redis.call('HSET', face_key(p, face), 'friend', friend and '1' or '0')
  end
end
return 'ok'
