-- with: people_shared
-- Go on to show the faces of persons that were named or hidden, or no longer. ARGV: p. Returns 1 until all is done.
local p = ARGV[1]
local person = redis.call('HRANDFIELD', showing_key(p))
if not person then
  strike_out(showing_key(p))
  return 0
end
show_next(p, person, redis.call('HGET', showing_key(p), person))
return redis.call('EXISTS', showing_key(p))
