-- Which of these images are not in the crowd. ARGV: p, 'crowd' or 'crowd:aside', tickets.
-- Returns {hash, ...}, '' for those that are in it or unknown.
local p, crowd = ARGV[1], ARGV[1] .. ARGV[2]
local hashes = {}
for i = 3, #ARGV do
  local hash = redis.call('ZRANGEBYSCORE', p .. 'images', ARGV[i], ARGV[i])[1]
  hashes[i - 2] = hash and not redis.call('ZSCORE', crowd, hash) and hash or ''
end
return hashes
