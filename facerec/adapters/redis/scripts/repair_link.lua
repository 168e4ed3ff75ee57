-- Link two images or unlink them, in both directions. ARGV: p, position, one hash, other hash, '1' to link.
local p, position, one, other, wanted = unpack(ARGV)
if (redis.call('GET', 'journal:position') or '0') ~= position then return 'moved' end
local both_crowded = redis.call('ZSCORE', p .. 'crowd', one) and redis.call('ZSCORE', p .. 'crowd', other)
local command = (wanted == '1' and one ~= other and not both_crowded) and 'SADD' or 'SREM'
in_database(LINKS, command, p .. one, other)
in_database(LINKS, command, p .. other, one)
return 'ok'
