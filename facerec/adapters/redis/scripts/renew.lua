-- A job is still in hand. ARGV: owner, p, hash, ticket, claim_until.
local owner, p, hash, ticket, claim_until = unpack(ARGV)
local key = document(p, hash)
if redis.call('HGET', key, 'claim') ~= ticket then return 'not ours' end
redis.call('HSET', key, 'claim_until', claim_until)
return 'ok'
