-- A job waits for its next try. ARGV: owner, p, hash, ticket, claim_until, code, reason.
local owner, p, hash, ticket, claim_until, code, reason = unpack(ARGV)
local key = document(p, hash)
if redis.call('HGET', key, 'claim') ~= ticket then return 'not ours' end
redis.call('HSET', key, 'claim_until', claim_until, 'code', code, 'reason', reason)
set_state(owner, p, hash, 'queued')
return 'ok'
