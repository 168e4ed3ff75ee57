-- A worker has a job in hand. ARGV: owner, p, hash, name, ticket, queued_at, now, claim_until.
-- Returns {verdict, ticket of the image, code, reason}; see facerec.ports.Start.
local owner, p, hash, name, ticket, queued_at, now, claim_until = unpack(ARGV)
if is_erased(p, hash, ticket) then return {'erased'} end
local key = document(p, hash)
local image_ticket = ensure_document(owner, p, hash, ticket, queued_at)
remember_name(p, hash, name, ticket)
local doc = redis.call('HMGET', key, 'state', 'claim', 'claim_until', 'failed_ticket', 'code', 'reason')
local state, claim, claimed_until = doc[1], doc[2], doc[3]
if state == 'done' then
  publish_name(p, hash, name)
  return {'done'}
end
if state == 'failed' and doc[4] == ticket then return {'failed', image_ticket, doc[5], doc[6]} end
-- Another job that is not yet acknowledged has the same image: it will finish it, and find this name recorded. Its own
-- redelivery has the same ticket and so takes the claim over at once.
if claim and claim ~= ticket and tonumber(claimed_until) > tonumber(now) then return {'claimed'} end
redis.call('HSET', key, 'claim', ticket, 'claim_until', claim_until)
redis.call('HINCRBY', key, 'attempts', 1)
set_state(owner, p, hash, 'processing')
return {'go', image_ticket}
