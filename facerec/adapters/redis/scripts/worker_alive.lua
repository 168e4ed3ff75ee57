-- A worker lives. ARGV: its name, what it says of itself (JSON), milliseconds until it is forgotten.
local name, state, milliseconds = unpack(ARGV)
redis.call('SET', 'worker:' .. name, state, 'PX', milliseconds)
redis.call('SADD', 'workers', name)
