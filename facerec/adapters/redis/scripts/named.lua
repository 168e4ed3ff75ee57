-- Hashes and names of finished images by their tickets. ARGV: p, tickets.
-- Returns {{hash, name, ...}, ...} in the order of the tickets; {} for those that are gone.
local p = ARGV[1]
local images = {}
for i = 2, #ARGV do
  local hash = redis.call('ZRANGEBYSCORE', p .. 'images', ARGV[i], ARGV[i])[1]
  local image = {}
  if hash and redis.call('HGET', document(p, hash), 'state') == 'done' then
    image = in_database(HASH_TO_NAMES, 'SMEMBERS', p .. hash)
    table.insert(image, 1, hash)
  end
  images[i - 1] = image
end
return images
