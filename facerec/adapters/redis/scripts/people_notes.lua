-- While people are copied out (facerec/adapters/redis/people_notes.py), the first change of each thing notes what it was before, so
-- that the copy is that of one moment. A copy that died is forgotten when its notes expire.
local NOTED = {}

local function notes_of(p)
  if not NOTED[p] then
    NOTED[p] = {}
    for _, token in ipairs(redis.call('SMEMBERS', p .. 'people:copies')) do
      local key = p .. 'people:before:' .. token
      if redis.call('EXISTS', key) == 1 then
        table.insert(NOTED[p], key)
      else
        redis.call('SREM', p .. 'people:copies', token)
      end
    end
  end
  return NOTED[p]
end

local function note(p, field, value)
  for _, key in ipairs(notes_of(p)) do redis.call('HSETNX', key, field, value) end
end

local function note_faces(p, before)
  if #notes_of(p) == 0 then return end
  for face, person in pairs(before) do note(p, 'face ' .. face, person or '-') end
end

-- Of one that is not there the note is empty.
local function note_person(p, person)
  if #notes_of(p) == 0 then return end
  local flat = redis.call('HGETALL', p .. 'person:' .. person)
  note(p, 'person ' .. person, #flat > 0 and cjson.encode(flat) or '')
end
