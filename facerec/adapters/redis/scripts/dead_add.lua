-- Note a letter. ARGV: p, hash, ticket, id, when, document. Returns 0, and nothing is done, when its image was erased: whoever erases
-- looks for the letters that are noted, so none is laid into the box without being noted before.
local p, hash, ticket, id, when, document = unpack(ARGV)
if tonumber(ticket) > 0 and is_erased(p, hash, ticket) then return 0 end
if redis.call('HSETNX', p .. 'dead:letters', id, when .. document) == 1 then
  redis.call('ZADD', p .. 'dead:when', 0, when .. id)
  redis.call('ZADD', 'dead', 0, p .. id)
end
return 1
