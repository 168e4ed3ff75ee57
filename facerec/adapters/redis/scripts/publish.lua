-- Write some names of a finished image to databases 1 and 2. ARGV: p, hash, cursor, at first 0.
-- Returns the next cursor, '0' when that were the last.
local p, hash, cursor = unpack(ARGV)
-- It may have been erased meanwhile, and be on its way anew.
if redis.call('HGET', document(p, hash), 'state') ~= 'done' then
  settle_names(p, hash)
  return '0'
end
local page = redis.call('HSCAN', p .. 'names:' .. hash, cursor, 'COUNT', NAMES_AT_ONCE)
for i = 1, #page[2], 2 do publish_name(p, hash, page[2][i]) end
if page[1] == '0' then settle_names(p, hash) end
return page[1]
