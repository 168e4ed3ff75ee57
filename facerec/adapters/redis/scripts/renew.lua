-- A job is still in hand. ARGV: owner, p, hash, ticket, now, seconds that the claim holds.
local owner, p, hash, ticket, now, claim_seconds = unpack(ARGV)
local key = document(p, hash)
if redis.call('HGET', key, 'claim') ~= ticket then return 'not ours' end
redis.call('HSET', key, 'claim_until', seconds_text(time_or(now) + claim_seconds))
return 'ok'
