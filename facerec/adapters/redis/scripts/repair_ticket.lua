-- with: people_shared
-- with: findface_shared
-- with: contacts_shared
-- with: repair_shared
-- Two images have one ticket, so their faces have the same ids: give this one a new ticket and have it scanned again.
-- ARGV: owner, p, hash, now, journal length, hash of the other.
local owner, p, hash, now, length, other = unpack(ARGV)
local ticket = redis.call('HGET', document(p, hash), 'ticket')
if not ticket or ticket ~= redis.call('HGET', document(p, other), 'ticket') then return 'changed' end
unfinish(owner, p, hash, ticket, now, length, 'another image had the same ticket')
local new = new_ticket()
redis.call('HSET', document(p, hash), 'ticket', new, 'failed_ticket', new)
redis.call('ZADD', p .. 'images', new, hash)
redis.call('ZADD', p .. 'state:failed', new, hash)
return 'ok'
