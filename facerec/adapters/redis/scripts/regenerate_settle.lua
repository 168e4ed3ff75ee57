-- with: people_shared
-- with: findface_shared
-- with: contacts_shared
-- with: regenerate_shared
-- After a switch: list the faces of an image that are in the current set alone, and forget those that are in the other alone.
-- ARGV: run, p, hash.
local run, p, hash = unpack(ARGV)
if not own_of(run) or redis.call('HGET', document(p, hash), 'state') ~= 'done' then return 0 end
local known, changed, posted = {}, 0, redis.call('HEXISTS', document(p, hash), 'posted') == 1
for _, record in ipairs(in_database(FACES, 'LRANGE', p .. hash, 0, -1)) do
  local face = face_of(record)
  known[face] = true
  if not is_listed(p, face) and not redis.call('ZSCORE', p .. 'hidden', face) then
    -- Of a posted photo only the faces that were meant are in galleries.
    if posted then hide(p, face) else show(p, face) end
    changed = changed + 1
  end
end
for _, record in ipairs(in_database(ASIDE_FACES, 'LRANGE', p .. hash, 0, -1)) do
  local face = face_of(record)
  if not known[face] and (is_listed(p, face) or redis.call('ZSCORE', p .. 'hidden', face)) then
    forget_face(p, face)
    forget_contact_faces(p, face)
    changed = changed + 1
  end
end
return changed
