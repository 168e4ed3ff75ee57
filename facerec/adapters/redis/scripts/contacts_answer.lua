-- with: contacts_shared
-- Remember what was answered. ARGV: p, user, call, now, url, candidates as JSON, their number, answers kept for a user.
-- Returns the answer's id.
local p, user, call, now, url, candidates, count, keep = unpack(ARGV)
local done = p .. 'contacts:answered:' .. call
local id = redis.call('GET', done)
if id then return id end
id = new_id('contacts:answer')
redis.call('HSET', p .. 'contacts:answer:' .. id, 'user', user, 'at', now, 'url', url, 'candidates', candidates, 'count', count)
redis.call('ZADD', p .. 'contacts:answers', id, id)
local own = contacts_key(p, 'answers', user)
redis.call('ZADD', own, id, id)
for _, counts in ipairs({p .. 'contacts:counts', contacts_key(p, 'counts', user)}) do
  redis.call('HINCRBY', counts, 'recognize_calls', 1)
end
for _, old in ipairs(redis.call('ZRANGE', own, 0, -tonumber(keep) - 1)) do
  redis.call('ZREM', own, old)
  redis.call('ZREM', p .. 'contacts:answers', old)
  redis.call('DEL', p .. 'contacts:answer:' .. old)
end
redis.call('SET', done, id, 'EX', 60)
return id
