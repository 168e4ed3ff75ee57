-- Find jobs that the broker lost. ARGV: owner, p, cutoff, now, limit, code, reason. Returns {hashes, now failed; hashes whose
-- documents are damaged, which are left alone}.
-- Called when no job waits in the broker: an image announced before the cutoff that nobody claims has no job any more.
-- failed_ticket 0 is no job's: should the job turn up after all, it is done as if nothing had been said.
local owner, p, cutoff, now, limit, code, reason = unpack(ARGV)
local lost, damaged = {}, {}
for _, state in ipairs({'queued', 'processing'}) do
  for _, hash in ipairs(redis.call('ZRANGE', p .. 'state:' .. state, 0, tonumber(limit) - 1)) do
    local key = document(p, hash)
    local doc = redis.pcall('HMGET', key, 'queued_at', 'claim_until', 'ticket')
    if doc.err or not tonumber(doc[1]) or not tonumber(doc[2] or 0) or not tonumber(doc[3]) then
      damaged[#damaged + 1] = hash
    elseif tonumber(doc[1]) < tonumber(cutoff) and (not doc[2] or tonumber(doc[2]) < tonumber(now)) then
      redis.call('HSET', key, 'code', code, 'reason', reason, 'failed_ticket', 0, 'done_at', now)
      redis.call('HDEL', key, 'claim', 'claim_until')
      set_state(owner, p, hash, 'failed')
      lost[#lost + 1] = hash
    end
  end
end
return {lost, damaged}
