-- A job was given up. ARGV: owner, p, hash, ticket, now, code, reason, '1' when a person waited for it.
local owner, p, hash, ticket, now, code, reason, person_waits = unpack(ARGV)
-- The image was erased, and what is there now came later.
if is_erased(p, hash, ticket) then return 'erased' end
local key = document(p, hash)
local doc = redis.call('HMGET', key, 'state', 'claim', 'announced')
if not doc[1] then return 'unknown' end
if doc[1] == 'done' then return 'done' end
if doc[2] ~= ticket and (doc[2] or person_waits == '1') then
  -- Whoever has it in hand must not leave it to this job.
  if doc[3] == ticket then redis.call('HDEL', key, 'announced') end
  return 'not ours'
end
redis.call('HDEL', key, 'claim', 'claim_until', 'interactive')
if person_waits == '1' and doc[3] then
  -- The same image was sent meanwhile as a job, which waits: nothing failed but the request.
  set_state(owner, p, hash, 'queued')
  return 'ok'
end
redis.call('HSET', key, 'code', code, 'reason', reason, 'failed_ticket', ticket, 'done_at', seconds_text(time_or(now)))
set_state(owner, p, hash, 'failed')
return 'ok'
