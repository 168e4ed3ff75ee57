-- with: people_shared
-- What the grouping must know of one owner, all at one moment. ARGV: p, n, n pairs of image hash and ticket, m, m faces
-- whose persons are asked, subjects: faces that may be placed. Returns {version, 1 or 0 for each image (still there), person
-- of each face ('' none, nil unknown), flat list of persons and sizes, for each subject {persons it is not}, or nil when it is
-- on no picture any more, flat list of the known faces of the subjects' pictures and their persons}.
local p = ARGV[1]
local images, faces, subjects, at = {}, {}, {}, 2
for i = 1, tonumber(ARGV[at]) do
  local hash, ticket = ARGV[at + 2 * i - 1], ARGV[at + 2 * i]
  local doc = redis.call('HMGET', document(p, hash), 'state', 'ticket')
  images[i] = (doc[1] == 'done' and doc[2] == ticket) and 1 or 0
end
at = at + 2 * tonumber(ARGV[at]) + 1
for i = 1, tonumber(ARGV[at]) do faces[i] = ARGV[at + i] end
for i = at + #faces + 1, #ARGV do subjects[#subjects + 1] = ARGV[i] end

local seen, sizes = {}, {}
local function count(person)
  if person and person ~= '' and not seen[person] then
    seen[person] = true
    sizes[#sizes + 1] = person
    sizes[#sizes + 1] = size_of(p, person)
  end
end
local current, persons = persons_of(p, faces), {}
for i, face in ipairs(faces) do
  persons[i] = current[face]
  count(current[face])
end

local nots, mates, asked, there = {}, {}, {}, {}
for _, subject in ipairs(subjects) do
  local hash = image_of(p, subject)
  if hash and not asked[hash] then
    asked[hash] = true
    local others = in_database(FACES, 'LRANGE', p .. hash, 0, -1)
    for n, record in ipairs(others) do
      others[n] = face_of(record)
      there[others[n]] = true
    end
    for face, person in pairs(persons_of(p, others)) do
      if person then
        mates[#mates + 1] = face
        mates[#mates + 1] = person
        count(person)
      end
    end
  end
end
for i, subject in ipairs(subjects) do
  nots[i] = there[subject] and redis.call('SMEMBERS', not_persons_key(p, subject)) or false
end
return {redis.call('GET', p .. 'people:version') or '0', images, persons, sizes, nots, mates}
