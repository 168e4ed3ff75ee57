-- with: findface_shared
-- Faces as they are stored. ARGV: p, 1 to see hidden ones too, then for each face: its id, its image's ticket, its number there.
-- Returns for each: {} when there is none, else {hash, done_at, record, person or '', attributes}.
local p, hidden = ARGV[1], ARGV[2] == '1'
local function record_of(hash, face, number)
  local record = in_database(FACES, 'LINDEX', p .. hash, number)
  if record and face_of(record) == face then return record end
  for _, other in ipairs(in_database(FACES, 'LRANGE', p .. hash, 0, -1)) do
    if face_of(other) == face then return other end
  end
end
-- As it is stored, but without galleries that are being removed.
local function attributes_of(face)
  local fields = redis.call('HGETALL', face_key(p, face))
  for i = 1, #fields, 2 do
    if fields[i] == 'galleries' then
      local left = {}
      for _, name in ipairs(split(fields[i + 1])) do
        if not is_being_removed(p, name) then left[#left + 1] = name end
      end
      fields[i + 1] = table.concat(left, ',')
    end
  end
  return fields
end
local found = {}
for i = 3, #ARGV, 3 do
  local face, row = ARGV[i], {}
  local hash = (hidden or is_listed(p, face)) and redis.call('ZRANGEBYSCORE', p .. 'images', ARGV[i + 1], ARGV[i + 1])[1]
  local record = hash and record_of(hash, face, ARGV[i + 2])
  if record then
    local done_at = redis.call('HGET', document(p, hash), 'done_at') or '0'
    row = {hash, done_at, record, person_of(p, face) or '', attributes_of(face)}
  end
  found[#found + 1] = row
end
return found
