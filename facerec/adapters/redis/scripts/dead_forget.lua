-- A letter is no longer in the box. ARGV: p, id.
local p, id = unpack(ARGV)
local noted = redis.call('HGET', p .. 'dead:letters', id)
if noted then redis.call('ZREM', p .. 'dead:when', noted:sub(1, 20) .. id) end
redis.call('HDEL', p .. 'dead:letters', id)
redis.call('ZREM', 'dead', p .. id)
return 'ok'
