-- with: findface_shared
-- with: contacts_shared
-- Erase an image. ARGV: owner, p, hash, seconds that the mark for late jobs lives, journal length, and, to erase only what
-- contacts brought and no longer need, the user whose call ends and the token of its turn.
-- Returns {} when unknown, else {names, faces, links, state}.
local owner, p, hash, seconds, length, user, token = unpack(ARGV)
local left = user and left_by_contacts(p, hash, user, token, seconds)
if user and not left then return {} end
local key = document(p, hash)
local doc = redis.call('HMGET', key, 'state', 'ticket')
if not doc[2] then return {} end
local newest = left or redis.call('GET', 'ticket') or doc[2]
redis.call('SET', p .. 'erased:' .. hash, newest, 'EX', seconds)
redis.call('HSET', 'pictures:erased', p .. hash, newest)

local names = redis.call('HKEYS', p .. 'names:' .. hash)
local known = {}
for i, record in ipairs(in_database(FACES, 'LRANGE', p .. hash, 0, -1)) do known[i] = face_of(record) end
forget_faces(p, known, redis.call('TIME')[1])
for _, face in ipairs(known) do
  forget_face(p, face)
  forget_contact_faces(p, face)
end
local faces, links = withdraw(owner, p, hash, doc[2], length)
redis.call('ZREM', p .. 'images', hash)
for _, state in ipairs(OPEN_STATES) do redis.call('ZREM', p .. 'state:' .. state, hash) end
redis.call('DEL', key, p .. 'names:' .. hash, brought_key(p, hash))
announce(owner, hash, 'erased')
return {names, faces, links, doc[1] or 'queued'}
