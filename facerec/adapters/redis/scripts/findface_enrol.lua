-- with: findface_shared
-- Faces of a finished image were posted once more. ARGV: p, hash, enrolment, where the journal stood when its candidates were
-- looked for ('' when there are none to look for).
-- Returns {'ok'}, {'gone'} when a face is not there, {'moved', entries after the position} or {'gap'}: then nothing is written.
local p, hash, wish, position = ARGV[1], ARGV[2], cjson.decode(ARGV[3]), ARGV[4]
if position ~= '' then
  local last = redis.call('GET', 'journal:position') or '0'
  if last ~= position then
    local first = string.format('%.0f-0', tonumber(position) + 1)
    local entries = redis.call('XRANGE', 'journal', first, '+', 'COUNT', 1000)
    if tonumber(last) < tonumber(position) or not entries[1] or entries[1][1] ~= first then return {'gap'} end
    return {'moved', entries}
  end
end
local there = {}
for _, record in ipairs(in_database(FACES, 'LRANGE', p .. hash, 0, -1)) do there[face_of(record)] = true end
for _, wanted in ipairs(wish.faces) do
  if not there[wanted.id] then return {'gone'} end
end
for _, wanted in ipairs(wish.faces) do enrol(p, wanted.id, wanted, wish) end
return {'ok'}
