-- Write the number of the layout. ARGV: the number that it must have now, the new one. Returns 1, or 0 when it is another.
if (redis.call('GET', 'schema') or '1') ~= ARGV[1] then return 0 end
redis.call('SET', 'schema', ARGV[2])
return 1
