-- All that is stored of one image, to be copied. ARGV: owner, p, hash.
-- Returns {document, names with tickets, records, links}, or {} when unknown.
local _, p, hash = unpack(ARGV)
local doc = current_document(p, hash)
if #doc == 0 then return {} end
local names = redis.call('HGETALL', p .. 'names:' .. hash)
return {doc, names, in_database(FACES, 'LRANGE', p .. hash, 0, -1), in_database(LINKS, 'SMEMBERS', p .. hash)}
