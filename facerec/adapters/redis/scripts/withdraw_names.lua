-- Some names of an image that was erased, or taken out by a repair, lead to it no more. ARGV: p, hash, cursor, at first 0.
-- Returns {next cursor, names}; the cursor is '0' when these were the last.
local p, hash, cursor = unpack(ARGV)
local key, names = withdrawn_key(p, hash), {}
local page = redis.call('HSCAN', key, cursor, 'COUNT', NAMES_AT_ONCE)
for i = 1, #page[2], 2 do names[#names + 1] = page[2][i] end
local is_back = redis.call('HGET', document(p, hash), 'state') == 'done'
for _, name in ipairs(names) do
  -- The same bytes may have come again under this name.
  if not is_back or redis.call('HEXISTS', p .. 'names:' .. hash, name) == 0 then withdraw_name(p, hash, name) end
end
in_chunks('HDEL', key, names)
if page[1] == '0' then settle_names(p, hash) end
return {page[1], names}
