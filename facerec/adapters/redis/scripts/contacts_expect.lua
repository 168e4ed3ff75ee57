-- with: contacts_shared
-- An image is at the front door for a user's contact: admit it (as admit.lua does) and note that it is expected, in one step.
-- ARGV: p, user, token, hash, url. Returns {state, ticket}, or {} when it is somebody else's turn.
local p, user, token, hash, url = unpack(ARGV)
if not has_turn(p, user, token) then return {} end
local key, ticket = brought_key(p, hash), new_ticket()
local state = redis.call('HGET', document(p, hash), 'state') or 'new'
loosen(p, user, hash)
redis.call('HSET', key, 'expected ' .. user, '1', 'name ' .. url, ticket)
if state == 'new' then redis.call('HSETNX', key, 'brought', ticket) end
if state == 'done' then
  remember_name(p, hash, url, ticket)
  publish_name(p, hash, url)
end
return {state, ticket}
