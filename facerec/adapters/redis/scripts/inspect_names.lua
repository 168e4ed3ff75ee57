-- with: inspect_shared
-- Go on with the names of an image that has too many for inspect.lua. ARGV: p, hash, 'known' or 'in two', cursor, at first 0.
-- Returns {next cursor, faults}; the cursor is '0' when these were the last. Nothing is written.
local p, hash, which, cursor = unpack(ARGV)
local is_done = redis.call('HGET', document(p, hash), 'state') == 'done'
local page
if which == 'known' then
  page = redis.call('HSCAN', p .. 'names:' .. hash, cursor, 'COUNT', NAMES_AT_ONCE)
  check_names(p, hash, is_done, page[2], {})
else
  page = in_database(HASH_TO_NAMES, 'SSCAN', p .. hash, cursor, 'COUNT', NAMES_AT_ONCE)
  check_names(p, hash, is_done, {}, page[2])
end
return {page[1], faults}
