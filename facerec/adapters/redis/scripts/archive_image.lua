-- All that is stored of one image, to be copied. ARGV: owner, p, hash.
-- Returns {document, names with tickets, records, links}, or {} when unknown. The names are false when they are too many for
-- one step.
local _, p, hash = unpack(ARGV)
local doc = current_document(p, hash)
if #doc == 0 then return {} end
local names = false
if redis.call('HLEN', p .. 'names:' .. hash) <= NAMES_READ then names = redis.call('HGETALL', p .. 'names:' .. hash) end
return {doc, names, in_database(FACES, 'LRANGE', p .. hash, 0, -1), in_database(LINKS, 'SMEMBERS', p .. hash)}
