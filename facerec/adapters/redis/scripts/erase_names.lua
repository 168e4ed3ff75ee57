-- Take some names from an image that is about to be erased. ARGV: p, hash, cursor, at first 0.
-- Returns {next cursor, names}; the cursor is '0' when these were the last.
local p, hash, cursor = unpack(ARGV)
local key, names = p .. 'names:' .. hash, {}
local page = redis.call('HSCAN', key, cursor, 'COUNT', NAMES_AT_ONCE)
for i = 1, #page[2], 2 do names[#names + 1] = page[2][i] end
for _, name in ipairs(names) do withdraw_name(p, hash, name) end
redis.call('SELECT', HASH_TO_NAMES)
in_chunks('SREM', p .. hash, names)
redis.call('SELECT', OWN)
in_chunks('HDEL', key, names)
return {page[1], names}
