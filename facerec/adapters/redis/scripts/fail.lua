-- A job was given up. ARGV: owner, p, hash, ticket, now, code, reason.
local owner, p, hash, ticket, now, code, reason = unpack(ARGV)
-- The image was erased, and what is there now came later.
if is_erased(p, hash, ticket) then return 'erased' end
local key = document(p, hash)
local doc = redis.call('HMGET', key, 'state', 'claim')
if not doc[1] then return 'unknown' end
if doc[1] == 'done' then return 'done' end
if doc[2] and doc[2] ~= ticket then return 'not ours' end
redis.call('HSET', key, 'code', code, 'reason', reason, 'failed_ticket', ticket, 'done_at', now)
redis.call('HDEL', key, 'claim', 'claim_until')
set_state(owner, p, hash, 'failed')
return 'ok'
