-- The worker no longer does the grouping. ARGV: worker.
if redis.call('GET', 'grouping:leader') == ARGV[1] then redis.call('DEL', 'grouping:leader') end
return 'ok'
