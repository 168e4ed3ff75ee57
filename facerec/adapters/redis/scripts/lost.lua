-- Find jobs that the broker lost. ARGV: owner, p, seconds, now, limit, code, reason, hashes that were suspects at the look before.
-- Returns {hashes, now failed; hashes whose documents are damaged, which are left alone; hashes that are suspects now}.
-- Called when the broker holds no job: an image announced that many seconds ago that nobody claims has no job any more. It fails
-- when that is so at two looks: at one, its job may be on its way from the broker to a worker.
-- failed_ticket 0 is no job's: should the job turn up after all, it is done as if nothing had been said.
local owner, p, seconds, now, limit, code, reason = unpack(ARGV)
now = time_or(now)
local suspected = {}
for i = 8, #ARGV do suspected[ARGV[i]] = true end
local lost, damaged, suspects = {}, {}, {}
for _, state in ipairs({'queued', 'processing'}) do
  for _, hash in ipairs(redis.call('ZRANGE', p .. 'state:' .. state, 0, tonumber(limit) - 1)) do
    local key = document(p, hash)
    local doc = redis.pcall('HMGET', key, 'queued_at', 'claim_until', 'ticket')
    if doc.err or not tonumber(doc[1]) or not tonumber(doc[2] or 0) or not tonumber(doc[3]) then
      damaged[#damaged + 1] = hash
    elseif tonumber(doc[1]) < now - seconds and (not doc[2] or tonumber(doc[2]) < now) then
      if suspected[hash] then
        redis.call('HSET', key, 'code', code, 'reason', reason, 'failed_ticket', 0, 'done_at', seconds_text(now))
        redis.call('HDEL', key, 'claim', 'claim_until', 'interactive')
        set_state(owner, p, hash, 'failed')
        lost[#lost + 1] = hash
      else
        suspects[#suspects + 1] = hash
      end
    end
  end
end
return {lost, damaged, suspects}
