-- with: findface_shared
-- with: contacts_shared
-- Erase an image. ARGV: owner, p, hash, seconds that the mark for late jobs lives, journal length, the call's token, and, to
-- erase only what contacts brought and no longer need, the user whose call ends and the token of its turn.
-- Returns {} when unknown, {'unfinished'} when withdraw_names.lua has to finish an earlier erasure first, else {names, faces,
-- links, state}; of an image that was sent under very many names it is withdraw_names.lua that tells them.
local owner, p, hash, seconds, length, call, user, turn = unpack(ARGV)
local before = answered(p, call)
if before then return before end
if redis.call('EXISTS', withdrawn_key(p, hash)) == 1 then return {'unfinished'} end
local left = user and left_by_contacts(p, hash, user, turn, seconds)
if user and not left then return {} end
local key = document(p, hash)
local doc = redis.call('HMGET', key, 'state', 'ticket')
if not doc[2] then return {} end
local newest = left or redis.call('GET', 'ticket') or doc[2]
redis.call('SET', p .. 'erased:' .. hash, newest, 'EX', seconds)
redis.call('HSET', 'pictures:erased', p .. hash, newest)

local names_key = p .. 'names:' .. hash
if redis.call('HLEN', names_key) > NAMES_AT_ONCE then
  redis.call('RENAME', names_key, withdrawn_key(p, hash))
  note_unfinished(names_key)
end
local names = redis.call('HKEYS', names_key)
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
redis.call('DEL', key, names_key, brought_key(p, hash))
announce(owner, hash, 'erased')
-- The names are not kept for longer than it takes to send a call again over a new connection.
return answer(p, call, {names, faces, links, doc[1] or 'queued'}, 30)
