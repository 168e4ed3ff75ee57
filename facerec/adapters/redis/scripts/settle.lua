-- The pictures of an erased image are gone. ARGV: p .. hash, ticket. A later erasure of the same image stays.
local field, ticket = unpack(ARGV)
if redis.call('HGET', 'pictures:erased', field) == ticket then redis.call('HDEL', 'pictures:erased', field) end
return 'ok'
