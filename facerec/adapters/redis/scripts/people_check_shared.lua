-- What must hold of people, told in words: each look is at one face, one person, one entry of a list or one "not this person",
-- and takes the same few steps however large a person is. A look is {what, two words that say at what}.
-- with: people_shared

-- Who has a face that is on a picture: the person that is told, or into whom that one was merged; nobody stays nobody.
local function heir_of(p, person)
  for _ = 1, 100 do
    if person == '' or exists(p, person) then return person end
    local into = redis.call('HGET', p .. 'people:merged', person)
    if not into then return person end
    person = into
  end
  return person
end

local function home_key(p, person) return person == '' and p .. 'faces:strays' or faces_key(p, person) end
local function called(person) return person == '' and 'nobody' or person end
local function has(key, member) return redis.call('ZSCORE', key, member) and true or false end

-- The list in which a person should be, and its place there.
local function place_of(p, person)
  local doc = redis.call('HMGET', person_key(p, person), 'name', 'hidden')
  local list = doc[2] and 'hidden' or doc[1] and 'named' or 'unnamed'
  return list, string.format('%010.0f:%016.0f', size_of(p, person), tonumber(person))
end

local LOOKS = {}

-- `found` is where the face was found: a person, '' for the strays, '-' for any other key.
function LOOKS.face(p, face, found)
  local problems, who = {}, redis.call('HGET', p .. 'faces:person', face)
  local function problem(text) problems[#problems + 1] = text end
  if who and not record_of(p, face) then problem('face ' .. face .. ' has a place among the people and is on no finished image') end
  if who and not has(home_key(p, who), face) then
    problem('face ' .. face .. ' is said to be of person ' .. called(who) .. ', who does not have it')
  end
  if found ~= '-' and who ~= found and has(home_key(p, found), face) then
    problem('person ' .. called(found) .. ' has face ' .. face .. ', which is said to be elsewhere')
  end
  local unknown = who and (who == '' or (exists(p, who) and is_unknown(p, who)))
  local showing = who and redis.call('HGET', showing_key(p), who)
  local is_shown = not showing or tonumber(face) <= tonumber(showing:sub(2))
  if is_shown and has(p .. 'faces:unknown', face) ~= (unknown or false) then
    problem('face ' .. face .. ' is ' .. (unknown and 'not' or 'wrongly') .. ' among the unknown ones')
  end
  return problems
end

function LOOKS.person(p, person)
  local problems, size = {}, size_of(p, person)
  local function problem(text) problems[#problems + 1] = text end
  if not exists(p, person) then
    if size > 0 then problem('person ' .. person .. ' has faces and does not exist') end
    return problems
  end
  local doc = redis.call('HMGET', person_key(p, person), 'name', 'cover')
  if size == 0 and not doc[1] then problem('person ' .. person .. ' has neither name nor faces') end
  if (doc[2] and has(faces_key(p, person), doc[2]) or false) ~= (size > 0) then
    problem('the cover of person ' .. person .. ' is not one of its faces')
  end
  local list, place = place_of(p, person)
  if not has(p .. 'people:' .. list, place) then problem(place .. ' is not in the list of ' .. list .. ' people') end
  if doc[1] and not has(p .. 'people:names', doc[1] .. '\31' .. person) then
    problem('the name ' .. doc[1] .. ' of person ' .. person .. ' is not listed')
  end
  return problems
end

function LOOKS.entry(p, entry, list)
  if not has(p .. 'people:' .. list, entry) then return {} end
  local person = entry:match(':(%d+)$')
  person = person and string.format('%.0f', tonumber(person))
  if person and exists(p, person) then
    local right, place = place_of(p, person)
    if right == list and place == entry then return {} end
  end
  return {entry .. ' is wrongly in the list of ' .. list .. ' people'}
end

function LOOKS.name(p, entry)
  local name, person = entry:match('^(.*)\31([^\31]*)$')
  if not has(p .. 'people:names', entry) or (person and name_of(p, person) == name) then return {} end
  return {'the name ' .. entry:gsub('\31', ' of person ') .. ' is wrongly listed'}
end

LOOKS['not'] = function(p, face, person)
  local one, other = is_linked(p, face, person), redis.call('SISMEMBER', not_persons_key(p, face), person) == 1
  local problems, about = {}, 'face ' .. face .. ' is said not to be person ' .. person
  if one ~= other then
    problems[1] = 'that face ' .. face .. ' is not person ' .. person .. ' is known to one of them alone'
  end
  if (one or other) and not exists(p, person) then problems[#problems + 1] = about .. ', who does not exist' end
  if (one or other) and redis.call('HGET', p .. 'faces:person', face) == person then
    problems[#problems + 1] = about .. ', who has it'
  end
  return problems
end
