-- with: findface_shared
-- Faces of a finished image were posted once more. ARGV: p, hash, enrolment. Returns 'ok', or 'gone' when a face is not there.
local p, hash, wish = ARGV[1], ARGV[2], cjson.decode(ARGV[3])
local there = {}
for _, record in ipairs(in_database(FACES, 'LRANGE', p .. hash, 0, -1)) do there[face_of(record)] = true end
for _, wanted in ipairs(wish.faces) do
  if not there[wanted.id] then return 'gone' end
end
for _, wanted in ipairs(wish.faces) do enrol(p, wanted.id, wanted, wish) end
return 'ok'
