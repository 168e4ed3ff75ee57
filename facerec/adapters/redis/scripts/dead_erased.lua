-- Whether the image of any of these letters was erased: 1 or 0. ARGV: members of `dead`. Nothing is written.
for _, member in ipairs(ARGV) do
  local p, id = split_key(member)
  local hash, ticket = id:match('^(%x+):(%d+)$')
  if hash and #ticket < 20 and is_erased(p, hash, ticket) then return 1 end
end
return 0
