-- Hashes and names of finished images by their tickets. ARGV: p, tickets.
-- Returns {{hash, name, ...}, ...} in the order of the tickets; {} for those that are gone, {hash, false} for those that have too
-- many names for one step.
local p = ARGV[1]
local images = {}
for i = 2, #ARGV do
  local hash = redis.call('ZRANGEBYSCORE', p .. 'images', ARGV[i], ARGV[i])[1]
  local image = {}
  if hash and redis.call('HGET', document(p, hash), 'state') == 'done' then
    image = published_names(p, hash) or {false}
    table.insert(image, 1, hash)
  end
  images[i - 1] = image
end
return images
