-- with: regenerate_shared
-- An image could not be done now. ARGV: run, p, hash, due, '1' when the image may be to blame. Returns how often it was.
local run, p, hash, due, blamed = unpack(ARGV)
if not own_of(run) or not redis.call('ZSCORE', PENDING, p .. hash) then return 0 end
redis.call('ZADD', PENDING, due, p .. hash)
if blamed == '0' then return 0 end
return redis.call('HINCRBY', 'regenerate:tries', p .. hash, 1)
