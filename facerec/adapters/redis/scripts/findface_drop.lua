-- with: findface_shared
-- with: contacts_shared
-- Remove a face from its image; where it was is noted, for when its photo is posted again (facerec.removed). ARGV: owner, p, hash,
-- face, journal length, SHA-1 of the image's records, SHA-1 of its sorted links, then the hashes of linked images that match no other
-- of its faces. Returns 'changed' when the image did, 'last' when a posted photo would have no face left: then nothing is
-- written, and the photo is to be erased; else 'ok'.
local owner, p, hash, face, length, seen, seen_links = unpack(ARGV, 1, 7)
local key = p .. hash
local records = in_database(FACES, 'LRANGE', key, 0, -1)
local links = in_database(LINKS, 'SMEMBERS', key)
table.sort(links)
if redis.sha1hex(table.concat(records)) ~= seen or redis.sha1hex(table.concat(links)) ~= seen_links then return 'changed' end
local left, gone = {}, nil
for _, record in ipairs(records) do
  if face_of(record) == face then gone = record else left[#left + 1] = record end
end
if #left == #records then return 'changed' end
if #left == 0 and redis.call('HEXISTS', document(p, hash), 'posted') == 1 then return 'last' end
local ticket = redis.call('HGET', document(p, hash), 'ticket')
redis.call('SELECT', LINKS)
for i = 8, #ARGV do
  redis.call('SREM', key, ARGV[i])
  redis.call('SREM', p .. ARGV[i], hash)
end
redis.call('SELECT', FACES)
redis.call('DEL', key)
in_chunks('RPUSH', key, left)
redis.call('SELECT', OWN)
forget_face(p, face)
forget_contact_faces(p, face)
local position = write_journal(length, 'remove', owner, hash, ticket, {})
if #left > 0 then position = write_journal(length, 'add', owner, hash, ticket, left) end
local noted = redis.call('HGET', document(p, hash), 'removed')
local place = string.format('%s:%d:%d:%d:%d', face, struct.unpack('<i4i4i4i4', gone, 13))
redis.call('HSET', document(p, hash), 'removed', noted and noted .. ',' .. place or place)
withdraw_aside(p, hash)
set_current(p, hash, 'faces', #left)
set_current(p, hash, 'position', position)
owe_aside(p, hash)
return 'ok'
