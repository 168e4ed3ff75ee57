-- with: contacts_shared
-- Whether an answer was right. ARGV: p, id, rank ('' for none was). Returns 'ok', 'unknown' or 'rank'.
local p, id, rank = unpack(ARGV)
local key = p .. 'contacts:answer:' .. id
local doc = redis.call('HMGET', key, 'user', 'count', 'feedback')
if not doc[1] then return 'unknown' end
if rank ~= '' and tonumber(rank) > tonumber(doc[2]) then return 'rank' end
local function count(feedback, by)
  local name = feedback == '' and 'false_positives' or 'true_positives'
  for _, counts in ipairs({p .. 'contacts:counts', contacts_key(p, 'counts', doc[1])}) do
    redis.call('HINCRBY', counts, name, by)
  end
end
if doc[3] then count(doc[3], -1) end
count(rank, 1)
redis.call('HSET', key, 'feedback', rank)
return 'ok'
