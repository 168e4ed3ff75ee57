-- Names of images that are not finished, in the order of their letters. ARGV: p, first, last (as of ZRANGEBYLEX), how many.
-- Returns {the last that was looked at or '', name, hash, name, hash, ...}: what is true no more is left out, and forgotten.
local p, first, last, count = unpack(ARGV)
local key = open_names(p)
local found = {''}
for _, entry in ipairs(redis.call('ZRANGEBYLEX', key, first, last, 'LIMIT', 0, count)) do
  found[1] = entry
  local name, hash = entry:match('^(.*)\31(%x+)$')
  local is_known = hash and redis.call('HEXISTS', p .. 'names:' .. hash, name) == 1
  local is_published = is_known and in_database(HASH_TO_NAMES, 'SISMEMBER', p .. hash, name) == 1
  if is_known and not is_published then
    found[#found + 1] = name
    found[#found + 1] = hash
  else
    redis.call('ZREM', key, entry)
  end
end
return found
