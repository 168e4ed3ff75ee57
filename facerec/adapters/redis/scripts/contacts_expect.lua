-- with: contacts_shared
-- An image is about to be written for a user. ARGV: p, user, token, hash, url, ticket, 1 when the image was unknown.
-- Returns 1, or 0 when it is somebody else's turn.
local p, user, token, hash, url, ticket, brought = unpack(ARGV)
if not has_turn(p, user, token) then return 0 end
local key = brought_key(p, hash)
redis.call('SADD', contacts_key(p, 'loose', user), hash)
redis.call('HSET', key, 'expected ' .. user, '1', 'name ' .. url, ticket)
if brought == '1' then redis.call('HSETNX', key, 'brought', ticket) end
return 1
