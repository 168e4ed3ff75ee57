-- Names of images that are not finished, in the order of their letters. ARGV: p, first, last (as of ZRANGEBYLEX), how many. It only
-- reads. Returns {the last that was looked at or '', name, hash, name, hash, ...}; what is true no more is left out.
local p, first, last, count = unpack(ARGV)
local found = {''}
for _, entry in ipairs(redis.call('ZRANGEBYLEX', open_names(p), first, last, 'LIMIT', 0, count)) do
  found[1] = entry
  local name, hash = entry:match('^(.*)\31(%x+)$')
  local is_known = hash and redis.call('HEXISTS', p .. 'names:' .. hash, name) == 1
  if is_known and in_database(HASH_TO_NAMES, 'SISMEMBER', p .. hash, name) == 0 then
    found[#found + 1] = name
    found[#found + 1] = hash
  end
end
return found
