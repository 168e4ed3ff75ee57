-- Which of these images are not in the crowd. ARGV: p, 'crowd' or 'crowd:aside', tickets.
-- Returns {since when nobody left a crowd, hash, ...}, '' for those that are in it or unknown.
local p, crowd = ARGV[1], ARGV[1] .. ARGV[2]
redis.call('SET', 'crowd:since', string.format('%.6f', seconds_now()), 'NX')
local hashes = {redis.call('GET', 'crowd:since')}
for i = 3, #ARGV do
  local hash = redis.call('ZRANGEBYSCORE', p .. 'images', ARGV[i], ARGV[i])[1]
  hashes[i - 1] = hash and not redis.call('ZSCORE', crowd, hash) and hash or ''
end
return hashes
