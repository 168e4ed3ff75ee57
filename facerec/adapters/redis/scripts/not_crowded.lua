-- Which of these images are not in the crowd. ARGV: p, tickets. Returns {hash, ...}, '' for those that are in it or unknown.
local p = ARGV[1]
local hashes = {}
for i = 2, #ARGV do
  local hash = redis.call('ZRANGEBYSCORE', p .. 'images', ARGV[i], ARGV[i])[1]
  hashes[i - 1] = hash and not redis.call('ZSCORE', p .. 'crowd', hash) and hash or ''
end
return hashes
