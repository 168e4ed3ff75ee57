-- Documents and names of images at one moment. ARGV: p, the most names to read of an image here, hashes.
-- Returns {document, names} for each, {} for the document of one that is unknown, false for names that are too many.
local p, most = ARGV[1], tonumber(ARGV[2])
local found = {}
for i = 3, #ARGV do
  local doc, names = current_document(p, ARGV[i]), false
  if redis.call('HLEN', p .. 'names:' .. ARGV[i]) <= most then names = redis.call('HKEYS', p .. 'names:' .. ARGV[i]) end
  found[i - 2] = {doc, names}
end
return found
