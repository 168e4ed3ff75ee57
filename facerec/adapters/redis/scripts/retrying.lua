-- A job waits for its next try. ARGV: owner, p, hash, ticket, now, seconds that the claim holds, code, reason.
local owner, p, hash, ticket, now, claim_seconds, code, reason = unpack(ARGV)
local key = document(p, hash)
if redis.call('HGET', key, 'claim') ~= ticket then return 'not ours' end
redis.call('HSET', key, 'claim_until', seconds_text(time_or(now) + claim_seconds), 'code', code, 'reason', reason)
set_state(owner, p, hash, 'queued')
return 'ok'
