-- with: contacts_shared
-- The turn of a user. ARGV: p, user, token, 'take', 'keep' or 'end', milliseconds. Returns 1 when it is this token's, else 0.
local p, user, token, what, ms = unpack(ARGV)
local key = contacts_key(p, 'turn', user)
local mine = has_turn(p, user, token)
if what == 'end' then
  if mine then redis.call('DEL', key) end
  return 1
end
if mine then
  redis.call('PEXPIRE', key, ms)
  return 1
end
if what == 'take' and redis.call('SET', key, token, 'NX', 'PX', ms) then return 1 end
return 0
