-- One request of a caller. ARGV: key, seconds in which the bucket regains one token, seconds in which it fills.
-- The key holds when the bucket is full again (seconds since the epoch), and is gone from then on. Returns the seconds to wait
-- until the next request may come, as a string; '0' when this one may, '' when nobody can be counted here for now.
local key, token, fill = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local now = seconds_now()
local full_at = math.max(now, tonumber(redis.call('GET', key) or 0)) + token
local wait = full_at - now - fill
-- Times have microseconds: a rest below half of one is none.
if wait > 5e-7 then return string.format('%.6f', wait) end
local written = redis.pcall('SET', key, string.format('%.6f', full_at), 'PX', math.max(1, math.ceil((full_at - now) * 1000)))
return written.err and '' or '0'
