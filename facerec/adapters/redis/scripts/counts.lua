-- How many images an owner has at one moment. ARGV: p. Returns {all, queued, processing, failed}.
local p = ARGV[1]
local counts = {redis.call('ZCARD', p .. 'images')}
for i, state in ipairs(OPEN_STATES) do counts[i + 1] = redis.call('ZCARD', p .. 'state:' .. state) end
return counts
