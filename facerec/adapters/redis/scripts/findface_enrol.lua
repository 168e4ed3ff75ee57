-- with: findface_shared
-- Faces of a finished image were posted once more. ARGV: p, hash, enrolment, where the journal stood when its candidates were
-- looked for ('' when there are none to look for).
-- Returns {'ok'}, {'gone'} when a face is not there, {'moved', entries after the position} or {'gap'}: then nothing is written.
local p, hash, wish, position = ARGV[1], ARGV[2], cjson.decode(ARGV[3]), ARGV[4]
local news = position ~= '' and after_position(position)
if news then return news end
local there = {}
for _, record in ipairs(in_database(FACES, 'LRANGE', p .. hash, 0, -1)) do there[face_of(record)] = true end
for _, wanted in ipairs(wish.faces) do
  if not there[wanted.id] then return {'gone'} end
end
for _, wanted in ipairs(wish.faces) do enrol(p, wanted.id, wanted, wish) end
return {'ok'}
