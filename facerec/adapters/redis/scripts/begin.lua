-- A worker has a job in hand. ARGV: owner, p, hash, name, ticket, queued_at, now, seconds that a claim holds, '1' when a person waits
-- for it. Returns {verdict, ticket of the image, code, reason}; see facerec.ports.Start. 'unpublished' is 'done', but for names.
local owner, p, hash, name, ticket, queued_at, now, claim_seconds, person_waits = unpack(ARGV)
now = time_or(now)
advance_counter_to_job(ticket)
if is_erased(p, hash, ticket) then return {'erased'} end
local key = document(p, hash)
local image_ticket = ensure_document(owner, p, hash, free_ticket(p, hash, ticket), queued_at)
remember_name(p, hash, name, ticket)
local doc = redis.call('HMGET', key, 'state', 'claim', 'claim_until', 'failed_ticket', 'code', 'reason', 'interactive')
local state, claim, claimed_until, interactive = doc[1], doc[2], doc[3], doc[7]
if state == 'done' then
  publish_name(p, hash, name)
  -- Who finished it may have died before all its names were published.
  local names = redis.call('HLEN', p .. 'names:' .. hash)
  return {names > in_database(HASH_TO_NAMES, 'SCARD', p .. hash) and 'unpublished' or 'done'}
end
if state == 'failed' and doc[4] == ticket then return {'failed', image_ticket, doc[5], doc[6]} end
local is_ours = claim == ticket -- its own redelivery takes the claim over at once
local is_claimed = claim and not is_ours and tonumber(claimed_until) > now
if person_waits == '1' then
  if is_claimed then return {'claimed'} end
  -- Of an image that was there before, whatever becomes of this request: a job of it that waits is not answered by it.
  if state and not is_ours then return {'go', image_ticket} end
  redis.call('HSET', key, 'interactive', ticket)
elseif is_claimed and claim ~= interactive then
  -- Another job that is not yet acknowledged has the same image: it will finish it, and find this name recorded. The request of
  -- a person is tried once and may come to nothing, so that no job relies on it.
  return {'claimed'}
end
redis.call('HSET', key, 'claim', ticket, 'claim_until', seconds_text(now + claim_seconds))
redis.call('HINCRBY', key, 'attempts', 1)
set_state(owner, p, hash, 'processing')
return {'go', image_ticket}
